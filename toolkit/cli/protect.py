"""`pripro protect`: train the noise injector and fuse it into the head."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_json, show_table
from ._options import BundleArgument, JsonOption, pairs
from ._progress import share_bar

if TYPE_CHECKING:
    from ..records.bundle import Protection


def command(
    bundle: BundleArgument,
    method: Annotated[str, typer.Option(help="Protection method: pripro, gaussian, none, ...")] = "pripro",
    data: Annotated[
        str | None,
        typer.Option(
            help="folder:DIR, csv:FILE, webdataset:PATTERN, hf:DIR, cifar10:DIR, digits, ...", show_default=False
        ),
    ] = None,
    max_accuracy_drop: Annotated[
        str | None, typer.Option(help="Find the strongest noise that costs the user no more, such as 1%.")
    ] = None,
    min_pi: Annotated[
        str | None, typer.Option(help="Find the weakest noise that hinders an attacker this much, such as 0.8.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Passes over the training images; default: 40 where head and tail are trained on 5,000 photos or more "
            "(fewer of more than 40,000), else 16.",
            show_default=False,
        ),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Images per training step.")] = 64,
    seed: Annotated[int, typer.Option(help="Seeds the training.")] = 0,
    option: Annotated[list[str] | None, typer.Option(help="A setting of the method, NAME=NUMBER; repeatable.")] = None,
    train: Annotated[
        str,
        typer.Option(
            help="injector: the block alone, head and tail untouched (the paper's); waist: an encoder and a decoder "
            "around it, few coarse codes cross; all: head and tail fine-tuned too; auto: all for 5,000 colour photos "
            "and more, else injector."
        ),
    ] = "auto",
    channels: Annotated[int | None, typer.Option(help="Of the waist; default: as fits the cut.")] = None,
    stride: Annotated[int | None, typer.Option(help="Of the waist; default: as fits the cut.")] = None,
    encoder: Annotated[
        str,
        typer.Option(
            help="Of the waist: flat, two convolutions; deep: a small network too, for early cuts; auto: deep with "
            "--train all and 5,000 photos or more."
        ),
    ] = "auto",
    encoder_work: Annotated[
        str | None,
        typer.Option(
            help="Of the waist: most that the deep encoder may compute, as a share of the head's work, such as 60% at "
            "early cuts; default: 9%."
        ),
    ] = None,
    answer: Annotated[
        str,
        typer.Option(
            help="Of the waist: scores, what every class scored; class: the class alone, so that less crosses."
        ),
    ] = "scores",
    max_bytes: Annotated[
        int | None, typer.Option(help="With a waist: most bytes a message may have on average, such as 400.")
    ] = None,
    pad: Annotated[bool, typer.Option("--pad", help="With a waist: pad all messages to one length.")] = False,
    noise: Annotated[
        str,
        typer.Option(help="memoised: the same photo on the same device gives the same message; fresh: a new draw."),
    ] = "memoised",
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Continue even if the network's accuracy on the data is near chance.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted training.")] = False,
    device: Annotated[
        str, typer.Option(help="auto, cpu, mps, cuda or cuda:N; several processes with torchrun.")
    ] = "cpu",
    precision: Annotated[str, typer.Option(help="In training: fp32, or bf16 where the processor has it.")] = "fp32",
    as_json: JsonOption = False,
) -> None:
    """Train a protection on the frozen network, set its strength, and fuse it into the head."""
    from ..bundle import Bundle
    from ..evaluate.privacy_meter import pi_meter
    from ..protect.fuse import join, protect
    from ..protect.settings import ProtectSettings
    from ..protections._devices import devices_for
    from ..records.settings import chosen

    devices = devices_for(device, precision)
    opened = Bundle.open(bundle)
    settings = chosen(
        ProtectSettings,
        method=method,
        data=data,
        max_accuracy_drop=max_accuracy_drop,
        min_pi=min_pi,
        epochs=epochs,
        batch_size=batch_size,
        seed=seed,
        options=parse_options(option),
        anyway=anyway,
        train=train,
        channels=channels,
        stride=stride,
        encoder=encoder,
        encoder_work=encoder_work,
        answer=answer,
        max_bytes=max_bytes,
        pad=pad,
        noise=noise,
    )
    if not devices.first:
        join(opened, settings, devices, resume=resume)
        return
    say(f"protecting {bundle} with {method} ...")
    with share_bar("protect") as bar:
        record = protect(opened, settings, progress=bar, resume=resume, meter=pi_meter, devices=devices, tell=say)
    if as_json:
        show_json(record.model_dump())
    else:
        rows = [(name, f"{value:.4g}") for name, value in record.statistics.items()]
        rows.append(("strength", f"{record.settings['strength']:.3g}"))
        if record.accuracy is not None:
            rows.append(("test accuracy, unprotected", f"{record.accuracy.unprotected:.2%}"))
            rows.append(("test accuracy, protected", f"{record.accuracy.protected:.2%}"))
        rows += certified(record)
        show_table((method, ">value"), rows)
    next_command(f"pripro convert {bundle}")


def certified(record: Protection) -> list[tuple[str, str]]:
    """What no attacker can exceed, as rows of a table; none without a waist."""
    found = record.certificate
    if found is None:
        return []
    mse = "" if found.mse_bound is None else f"{found.mse_bound:.4f} of {found.prior_mse:.4f}"
    return [
        ("message, mean", f"{found.message_bits_mean / 8:.0f} bytes"),
        ("message, longest of 99 %", f"{found.message_bits_p99 / 8:.0f} bytes"),
        ("bits about the photo, at most", f"{found.capacity_bits or found.message_bits_mean:.0f}"),
        ("least reconstruction MSE, of the prior's", mse),
    ]


def parse_options(given: list[str] | None) -> dict[str, float]:
    """Read NAME=NUMBER pairs; which numbers fit is the method's to say.

    Raises:
        InputError: another form, or one name twice.
    """
    from ..errors import InputError

    options = {}
    for name, value in pairs(given, "--option", "NAME=NUMBER", "noise_weight=0.2").items():
        try:
            options[name] = float(value)
        except ValueError:
            raise InputError(
                f"--option {name}={value} does not fit; give NAME=NUMBER, such as noise_weight=0.2."
            ) from None
    return options
