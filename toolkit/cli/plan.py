"""`pripro plan`: which cut, against running all on the phone and against uploading the photo."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from ._console import next_command, say, show_text
from ._options import InputOption, JsonOption, WeightsOption, one_of

if TYPE_CHECKING:
    from ..plan.options import Power

_RATES = {"Mbps": 1.0, "kbps": 1e-3, "Gbps": 1e3}
_TIMES = {"ms": 1.0, "s": 1e3}


def command(
    network: Annotated[
        str, typer.Argument(metavar="NET", help="As for partition, or a bundle folder.", show_default=False)
    ],
    input_shape: InputOption = "3x224x224",
    weights: WeightsOption = None,
    bandwidth: Annotated[str, typer.Option(help="Uplink, such as 20Mbps.")] = "20Mbps",
    rtt: Annotated[str, typer.Option(help="Round trip, such as 40ms.")] = "40ms",
    trace: Annotated[Path | None, typer.Option(help="Bandwidth over time: csv of seconds,Mbps.")] = None,
    protection: Annotated[str, typer.Option(help="Protection fused behind each head, or none.")] = "pripro",
    target: Annotated[str, typer.Option(help="Target that heads are timed with on this host.")] = "executorch",
    precision: Annotated[str, typer.Option(help="Precision of the heads.")] = "fp32",
    encoding: Annotated[
        str | None,
        typer.Option(
            help="What crosses: waist (codes behind a waist; where a protection is fused), uint8, fp16 or fp32.",
            show_default="waist",
        ),
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="Threads per head.")] = 1,
    measured: Annotated[int, typer.Option(min=3, help="Cuts to measure; the others are predicted.")] = 6,
    device_report: Annotated[
        Path | None, typer.Option(help="Latency report of a phone; needs --bundle, whose cut it measured.")
    ] = None,
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Bundle of this network: its evaluation gives PI and drop; repeatable.")
    ] = None,
    tail: Annotated[str | None, typer.Option(help="URL of a running tail of --bundle, to scale tail times to.")] = None,
    phone_factor: Annotated[
        float | None, typer.Option(min=1e-3, max=1e6, help="What if: phone ms = this host's head ms times this.")
    ] = None,
    server_factor: Annotated[
        float | None, typer.Option(min=1e-3, max=1e6, help="What if: server ms = this host's tail ms times this.")
    ] = None,
    photos: Annotated[Path | None, typer.Option(help="Folder of real photos, for what cloud-only sends.")] = None,
    exposure: Annotated[
        bool, typer.Option("--exposure", help="Also estimate distance correlation per cut, a proxy of privacy.")
    ] = False,
    min_pi: Annotated[float | None, typer.Option(min=0.0, max=1.0, help="Minimum PI of a split.")] = None,
    max_drop: Annotated[str | None, typer.Option(help="Maximum accuracy drop of a split, such as 1%.")] = None,
    compute_watts: Annotated[
        float | None, typer.Option(min=0.0, max=1e6, help="The phone's watts while computing.")
    ] = None,
    radio_watts: Annotated[
        float | None, typer.Option(min=0.0, max=1e6, help="The phone's watts while sending.")
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Also write the plan as a page of its own.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Price every cut against edge-only and cloud-only, find where they cross, and recommend one per goal."""
    from ..bundle import write_atomically
    from ..errors import InputError
    from ..measure.timing import Effort
    from ..partition.network import load_network, parse_shape
    from ..plan import known
    from ..plan.network import Link, parse_quantity, read_trace
    from ..plan.photos import upload_of
    from ..plan.report import Setting, predict, report_of
    from ..records.plan import Encoding
    from ._plan_table import print_plan
    from ._progress import share_bar
    from ._reports import will_keep

    if (phone_factor and device_report) or (server_factor and tail):
        raise InputError(
            "A what-if factor and a measurement contradict each other; "
            "give either --phone-factor or --device-report, either --server-factor or --tail."
        )
    shape, source, bundles = parse_shape(input_shape), network, known.opened(bundle or [])
    own = None
    if (Path(network) / "manifest.json").is_file():
        own = known.opened([Path(network)])[0]
        bundles = [own, *bundles]
        size = own.manifest.split.image.shape[1:]
        shape, source = (size[0], size[1], size[2]), str(own.path(own.manifest.model.program))
    setting = Setting(
        link=Link(parse_quantity(bandwidth, _RATES, "--bandwidth"), parse_quantity(rtt, _TIMES, "--rtt")),
        upload=upload_of(photos, shape[1], shape[2]),
        protection=protection,
        target=target,
        precision=precision,
        threads=threads,
        encoding=cast("Encoding", one_of("encoding", encoding or _usual(protection), Encoding)),
        measured=measured,
        effort=Effort(20, 1.0),
        trace=None if trace is None else read_trace(trace),
        power=_power(compute_watts, radio_watts),
        messages=known.messages_of(bundles),
        privacy=known.privacy_of(bundles, needed=min_pi is not None or max_drop is not None),
        min_pi=min_pi,
        max_drop=None if max_drop is None else _share(max_drop),
    )
    kept = own is not None and will_keep(own)
    loaded = load_network(source, shape, weights)
    if own is not None:
        loaded = dataclasses.replace(loaded, source=own.manifest.model.source)  # not where the bundle keeps it
    with share_bar("planning") as progress:
        prediction = predict(loaded, setting, progress)
        changes: dict[str, object] = {
            "device_factor": 1.0 if phone_factor is None else phone_factor,
            "server_factor": 1.0 if server_factor is None else server_factor,
        }
        if exposure:
            from ..plan.exposure import distance_correlations

            changes["exposure"] = distance_correlations(loaded, prediction.cuts, setting.upload.photos)
        if device_report is not None:
            changes["device_factor"] = known.device_factor(
                device_report, bundles, prediction.head_ms, target, precision
            )
        if tail is not None:
            changes["server_factor"] = known.server_factor(tail, bundles, prediction.tail_ms)
    setting = dataclasses.replace(setting, **changes)  # type: ignore[arg-type]
    report = report_of(loaded, setting, prediction, None if own is None else own.manifest.bundle_id)
    if html is not None:
        from ..page.page import page
        from ..page.plan import draw

        write_atomically(html, page(f"pripro plan: {report.network}", draw(report.model_dump(mode="json"))).encode())
        say(f"written: {html}")
    if as_json:
        show_text(report.model_dump_json(indent=2))
    else:
        print_plan(report)
    if kept and own is not None:
        say(f"written: {own.add_report(report)}")
    chosen = next((item for item in report.recommendations if item.option == "split"), None)
    if chosen is not None:
        next_command(f"pripro partition {loaded.source} --cut {chosen.name} -o bundle")


def _usual(protection: str) -> str:
    return "uint8" if protection == "none" else "waist"


def _power(compute: float | None, radio: float | None) -> Power | None:
    from ..errors import InputError
    from ..plan.options import Power

    if compute is None and radio is None:
        return None
    if compute is None or radio is None:
        raise InputError("Energy needs both --compute-watts and --radio-watts; give the other one too.")
    return Power(compute, radio)


def _share(text: str) -> float:
    from ..errors import InputError

    number = text.strip().removesuffix("%")
    try:
        value = float(number) / (100 if text.strip().endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"--max-drop {text!r} does not fit; give a share such as 1% or 0.01.")
    return value
