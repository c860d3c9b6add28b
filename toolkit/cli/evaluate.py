"""`pripro evaluate`: attack a bundle and report PA and PI."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ._console import next_command, say, show_json, show_table, size
from ._options import BundleArgument, JsonOption, names, whole_numbers
from ._progress import share_bar
from ._reports import will_keep

if TYPE_CHECKING:
    from ..records.privacy import PrivacyReport, PrivacyRow

#: of one photo: more take hours and say nothing new
_MOST_LOOKS = 10_000


def command(
    bundle: BundleArgument,
    data: Annotated[str | None, typer.Option(help="Data set; default: the one it was protected with.")] = None,
    effort: Annotated[str, typer.Option(help="quick, standard or thorough.")] = "standard",
    attack: Annotated[
        list[str] | None,
        typer.Option(
            help="Attacks, by name; comma-separated or repeated; default: what the effort says.", show_default=False
        ),
    ] = None,
    attribute: Annotated[
        list[str] | None,
        typer.Option(
            help="What an attacker wants to know: slant, stroke, brightness, label, a label column of the data, "
            "FILE.csv:COLUMN or class-of:FOLDER. May be given several times."
        ),
    ] = None,
    observations: Annotated[str, typer.Option(help="How many times the averaging attacker sees each photo.")] = "10",
    compare: Annotated[str, typer.Option(help="Methods whose PA-PI curves are drawn beside the bundle's.")] = "",
    attacker_images: Annotated[int | None, typer.Option(help="Maximum number of photos for the attacker.")] = None,
    test_images: Annotated[int | None, typer.Option(help="Maximum number of test photos.")] = None,
    seed: Annotated[int, typer.Option(help="Of everything drawn.")] = 0,
    wire: Annotated[str, typer.Option(help="What crosses: float32, or the bundle's uint8 codes.")] = "float32",
    device: Annotated[str, typer.Option(help="Where attackers are trained: auto, cpu or cuda.")] = "auto",
    as_json: JsonOption = False,
) -> None:
    """Attack the bundle with attackers retrained against it; killed and started again, it goes on where it was."""
    from ..bundle import Bundle
    from ..evaluate.ranks import ranks
    from ..evaluate.report import evaluate, join
    from ..evaluate.settings import EvaluateSettings
    from ..page.page import render
    from ..records.settings import chosen
    from ..records.wire import known_wire

    opened = Bundle.open(bundle)
    settings = chosen(
        EvaluateSettings,
        data=data,
        effort=effort,
        attacks=tuple(names(",".join(attack), "--attack")) if attack is not None else (),
        observations=tuple(sorted(whole_numbers(observations, "--observations", 1, _MOST_LOOKS))),
        attributes=tuple(dict.fromkeys(attribute or ())),
        compare=tuple(names(compare, "--compare")) if compare else (),
        attacker_images=attacker_images,
        test_images=test_images,
        seed=seed,
        wire=known_wire(wire),
        device=device,
    )
    among = ranks()
    if not among.first:
        join(opened, settings, among)
        return
    kept = will_keep(opened)
    with share_bar("evaluate") as bar:
        report = evaluate(
            opened, settings, progress=lambda share, text: bar(share, 1, text), told=lambda took: _tell(took, kept),
            among=among,
        )  # fmt: skip
    if as_json:
        show_json(report.model_dump(mode="json"))
    else:
        _show(report)
    if kept:
        opened.add_report(report)
        page = render(opened)
        say(f"written: {page}")
        next_command(f"open {page}, or compare methods with: pripro bench --help")


def _tell(seconds: float, kept: bool) -> None:
    say(f"evaluate: about {_time(seconds)}; finished parts are {'kept' if kept else 'lost'} if you stop it")


def _time(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 90
        else f"{seconds / 60:.0f} min"
        if seconds < 5400
        else f"{seconds / 3600:.1f} h"
    )


def _show(report: PrivacyReport) -> None:
    columns = [
        "attack", "task", ">messages", "measure", ">attacker", ">unprotected", ">chance", ">by answer", ">PI", "95 %",
        ">SSIM",
    ]  # fmt: skip
    show_table(columns, [cells for row in report.rows for cells in _lines(row)])
    first = report.rows[0]
    sure = f" ({_range(first.pa_interval)})" if first.pa_interval else ""
    say(
        f"PA {first.pa:.3f}{sure}: what is left of the user's accuracy "
        f"({first.accuracy:.1%} of {first.accuracy_unprotected:.1%})."
    )
    found = report.headline
    if found is None:
        say("PI: no attacker beats chance even without protection.")
    else:
        say(
            f"PI {found.pi:.3f} ({_range(found.interval)}): the strongest attacker is {found.attack} on {found.task}, "
            f"{found.measure}. 0 = not hindered, 1 = reduced to chance."
        )
    say(
        f"A message has {size(report.message.mean)}; the photo as JPEG {size(report.message.jpeg)}. "
        + (
            f"The judge recognises {report.judge_accuracy:.1%} of the real photos."
            if report.judged_by == "labels"
            else "Recognised means that the judge answers as it does to the real photo: labels were not there, or the "
            "network names no classes."
        )
    )


def _lines(row: PrivacyRow) -> list[list[object]]:
    """One line per measure; the picture's likeness stands in the first one."""
    return [
        [
            row.attack, row.task, row.observations, measure.name, f"{measure.attacker:.3f}",
            f"{measure.unprotected:.3f}", f"{measure.chance:.3f}", _share(measure.floor), _share(measure.pi),
            _range(measure.pi_interval),
            "" if row.ssim is None or number else f"{row.ssim:.3f} (was {row.ssim_unprotected:.3f})",
        ]
        for number, measure in enumerate(row.measures)
    ]  # fmt: skip


def _share(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def _range(interval: tuple[float, float] | None) -> str:
    return "" if interval is None else f"{interval[0]:.2f}-{interval[1]:.2f}"
