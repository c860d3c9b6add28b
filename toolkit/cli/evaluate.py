"""`pripro evaluate`: attack a bundle and report PA and PI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_json, show_table
from ._options import BundleArgument, JsonOption, names
from ._progress import share_bar

if TYPE_CHECKING:
    from ..records.privacy import PrivacyReport


def command(
    bundle: BundleArgument,
    data: Annotated[str | None, typer.Option(help="Data set; default: the one it was protected with.")] = None,
    attack: Annotated[
        str, typer.Option(help="Attacks: inverse_network, attribute, rmle.")
    ] = "inverse_network,attribute",
    observations: Annotated[
        str, typer.Option(help="How often the attacker sees each photo, fresh noise each.")
    ] = "1,10",
    task: Annotated[str | None, typer.Option(help="Attribute: slant, stroke, brightness or label.")] = None,
    compare: Annotated[
        str, typer.Option(help="Methods whose PA-PI curves are drawn too; '' for none.")
    ] = "gaussian,dropout",
    draws: Annotated[int, typer.Option(min=1, help="Attacks on each test image.")] = 2,
    attacker_images: Annotated[int, typer.Option(min=20, help="At most so many images for the attacker.")] = 1000,
    test_images: Annotated[int, typer.Option(min=20, help="At most so many test images.")] = 500,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 0,
    wire: Annotated[str, typer.Option(help="What crosses: float32, or the bundle's uint8 codes.")] = "float32",
    as_json: JsonOption = False,
) -> None:
    """Attack the bundle with attackers retrained against it; killed and started again, it goes on where it was."""
    from ..bundle import Bundle
    from ..errors import InputError
    from ..evaluate.report import EvaluateSettings, evaluate
    from ..page.page import render
    from ..records.wire import known_wire

    counts = names(observations)
    if not counts or not all(count.isdigit() and int(count) > 0 for count in counts):
        raise InputError(
            f"--observations {observations!r} does not fit; give whole numbers of at least 1, such as 1,10."
        )
    opened = Bundle.open(bundle)
    settings = EvaluateSettings(
        data=data,
        attacks=tuple(names(attack)),
        observations=tuple(sorted({int(count) for count in counts})),
        task=task,
        compare=tuple(names(compare)),
        draws=draws,
        attacker_images=attacker_images,
        test_images=test_images,
        seed=seed,
        wire=known_wire(wire),
    )
    with share_bar("evaluate") as bar:
        report = evaluate(opened, settings, progress=lambda share, text: bar(share, 1, text))
    page = render(opened)
    if as_json:
        show_json(report.model_dump(mode="json"))
    else:
        _show(report)
    say(f"written: {page}")
    next_command(f"open {page}, or compare methods with: pripro sweep benchmarks/privacy/sweep.toml")


def _show(report: PrivacyReport) -> None:
    show_table(
        ["attack", "task", ">looks", ">PA", ">PI", ">PI worst 5%", ">attacker", ">unprotected", ">chance", ">SSIM"],
        [
            [
                row.attack, row.task, row.observations, f"{row.pa:.3f}", _share(row.pi), _share(row.pi_worst5),
                f"{row.attacker:.3f}", f"{row.attacker_unprotected:.3f}", f"{row.chance:.3f}",
                "" if row.ssim is None else f"{row.ssim:.3f} (was {row.ssim_unprotected:.3f})",
            ]
            for row in report.rows
        ],
    )  # fmt: skip
    floor = report.floors[-1]
    say("PA: what is left of the user's accuracy. PI: 0 = attacker not hindered, 1 = reduced to chance.")
    say(f"SSIM of the class's mean photo, which the user's answer alone gives away: {floor.ssim:.3f}.")


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"
