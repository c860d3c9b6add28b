"""Which cut? Every cut of a network priced against running it all on the phone and against uploading the photo."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ..bundle import now_utc
from ..errors import InputError
from ..measure.timing import Effort
from ..partition.cuts import Cut, list_cuts
from ..partition.split import split, whole
from ..protect.waist.modules import narrowed
from ..records.machine import this_host
from ..records.plan import Encoding, PlanReport
from ..records.progress import Progress, part_of, quiet
from .between import between
from .costs import costs_at_cuts
from .measuring import Piece, PieceTime, convert_piece, spread, time_pieces
from .model import LatencyModel, fit
from .network import Link, Trace
from .options import BYTES_PER_VALUE, Choice, Power, crossings, price, private, recommend, scaled

if TYPE_CHECKING:
    from ..partition.network import Network
    from .between import Between
    from .photos import Upload

Side = Literal["head", "tail"]
EDGE_ONLY, CLOUD = "edge-only", "cloud-only"
TAIL_TARGET = "onnx"


@dataclass(frozen=True)
class Setting:
    """What a plan is made for.

    Attributes:
        link: uplink and round trip.
        upload: what cloud-only sends.
        protection: method fused behind each head (untrained: weights do not change the time), or "none".
        target: the heads' target on this host.
        precision: the heads' precision.
        threads: intra-op threads.
        encoding: what crosses: codes behind a waist (in front of the protection), or the features as they are.
        measured: how many cuts to measure; the others are predicted.
        effort: how long to measure.
        trace: bandwidth over time, or None.
        power: the phone's watts, or None.
        device_factor: phone ms / host ms of a head, see `known.device_factor`.
        server_factor: server ms / host ms of a tail.
        privacy: {cut: (PI, accuracy drop)} where evaluations are known.
        messages: {cut: mean bytes} of bundles whose waist is trained.
        exposure: {cut: distance correlation} of the quick estimate.
        min_pi: least PI, or None.
        max_drop: largest accuracy drop, in shares, or None.
    """

    link: Link
    upload: Upload
    protection: str = "pripro"
    target: str = "executorch"
    precision: str = "fp32"
    threads: int = 1
    encoding: Encoding = "waist"
    measured: int = 6
    effort: Effort = field(default_factory=lambda: Effort(20, 1.0))
    trace: Trace | None = None
    power: Power | None = None
    device_factor: float = 1.0
    server_factor: float = 1.0
    privacy: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    messages: Mapping[str, float] = field(default_factory=dict)
    exposure: Mapping[str, float] = field(default_factory=dict)
    min_pi: float | None = None
    max_drop: float | None = None


@dataclass(frozen=True)
class Prediction:
    """Host ms of every head and tail, and which of them were measured."""

    cuts: Sequence[Cut]
    between: Mapping[str, Between]
    head_ms: Mapping[str, float]
    tail_ms: Mapping[str, float]
    measured_heads: Mapping[str, PieceTime]
    measured_tails: Mapping[str, PieceTime]
    model: LatencyModel


def plan_network(network: Network, setting: Setting, progress: Progress = quiet) -> PlanReport:
    """Measure a few cuts, predict the others, and price all options."""
    prediction = predict(network, setting, progress)
    return report_of(network, setting, prediction)


def predict(network: Network, setting: Setting, progress: Progress) -> Prediction:
    """Measure heads and tails at a few cuts and at both ends, and fit the model to them.

    Raises:
        InputError: the network has no cut where the protection fits.
    """
    cuts = usable_cuts(network, setting.protection, setting.encoding)
    pieces = pieces_at(network, chosen_cuts(cuts, setting), setting)
    with tempfile.TemporaryDirectory() as folder:
        made = []
        for index, piece in enumerate(pieces.values()):
            progress(index, 2 * len(pieces), f"converting {piece.name}")
            made.append(convert_piece(piece, Path(folder) / str(index)))
        times = time_pieces(made, setting.threads, setting.effort, part_of(progress, 0.5, 1.0))
    return predicted_from(network, setting, cuts, dict(zip(pieces, times, strict=True)))


def predicted_from(
    network: Network, setting: Setting, cuts: Sequence[Cut], times: Mapping[tuple[Side, str], PieceTime]
) -> Prediction:
    """Fit the model to what was measured, and predict the rest of the cuts."""
    beside = between(network, cuts, setting.protection, setting.encoding)
    counts, total = costs_at_cuts(network, cuts)
    heads = {name: counts[name] + at.head_counts for name, at in beside.items()} | {EDGE_ONLY: total}
    tails = {name: total - counts[name] + at.tail_counts for name, at in beside.items()} | {CLOUD: total}
    measured_heads = {name: time for (side, name), time in times.items() if side == "head"}
    measured_tails = {name: time for (side, name), time in times.items() if side == "tail"}
    head_model = fit({name: (heads[name], time.p50_ms) for name, time in measured_heads.items()})
    tail_model = fit({name: (tails[name], time.p50_ms) for name, time in measured_tails.items()})
    return Prediction(
        cuts,
        beside,
        {n: measured_heads[n].p50_ms if n in measured_heads else head_model.predict(c) for n, c in heads.items()},
        {n: measured_tails[n].p50_ms if n in measured_tails else tail_model.predict(c) for n, c in tails.items()},
        measured_heads,
        measured_tails,
        head_model,
    )


def usable_cuts(network: Network, protection: str, encoding: Encoding) -> list[Cut]:
    """List the cuts where protection and waist fit: where one feature map crosses, unless nothing is fused.

    Raises:
        InputError: there is none.
    """
    cuts = list_cuts(network)
    if protection != "none" or encoding == "waist":
        cuts = [cut for cut in cuts if len(cut.shape) == 3]
    if encoding == "waist":
        cuts = [cut for cut in cuts if len(cut.crossing) == 1]
    if len(cuts) < 2:
        what = "a waist" if encoding == "waist" else protection
        raise InputError(
            f"{network.source} has no two cuts where {what} fits, so there is nothing to choose from; "
            "try --encoding uint8, or --protection none."
        )
    return cuts


def chosen_cuts(cuts: Sequence[Cut], setting: Setting) -> list[Cut]:
    """Choose the cuts to measure, spread over the work that their heads do."""
    return [cuts[index] for index in spread([cut.head_macs + 1e5 for cut in cuts], setting.measured)]


def pieces_at(network: Network, cuts: Sequence[Cut], setting: Setting) -> dict[tuple[Side, str], Piece]:
    """Heads and tails at these cuts, the whole network on the phone and the whole network in the cloud."""
    pieces: dict[tuple[Side, str], Piece] = {}
    everything = whole(network)
    beside = between(network, cuts, setting.protection, setting.encoding)
    for cut in cuts:
        halves = split(network, cut.name, check=False)  # partition checks what gets shipped; here only time counts
        at = beside[cut.name]
        if at.waist is not None:
            halves = narrowed(halves, at.waist)
        crossing = halves.cut.shape
        block = at.block
        eps = None if block is None else block.eps_shape()
        pieces["head", cut.name] = Piece(
            f"head {cut.name}", halves.head, block, network.image, eps, setting.target, setting.precision
        )
        pieces["tail", cut.name] = Piece(f"tail {cut.name}", halves.tail, None, crossing, None, TAIL_TARGET, "fp32")
    pieces["head", EDGE_ONLY] = Piece(
        EDGE_ONLY, everything, None, network.image, None, setting.target, setting.precision
    )
    pieces["tail", CLOUD] = Piece(CLOUD, everything, None, network.image, None, TAIL_TARGET, "fp32")
    return pieces


def choices_of(network: Network, setting: Setting, prediction: Prediction) -> list[Choice]:
    """Put all options together, scaled to the phone and the server."""
    coded = {name: _message(setting.messages.get(name), at) for name, at in prediction.between.items()}
    found = [
        Choice(
            option="split",
            name=cut.name,
            shape=cut.shape,
            head_ms=prediction.head_ms[cut.name],
            head_source="measured" if cut.name in prediction.measured_heads else "predicted",
            tail_ms=prediction.tail_ms[cut.name],
            tail_source="measured" if cut.name in prediction.measured_tails else "predicted",
            bytes_sent=coded[cut.name] or cut.bytes // 4 * BYTES_PER_VALUE.get(setting.encoding, 1),
            values=cut.bytes // 4,
            bytes_waist=coded[cut.name],
            pi=setting.privacy.get(cut.name, (None, None))[0],
            accuracy_drop=setting.privacy.get(cut.name, (None, None))[1],
            distance_correlation=setting.exposure.get(cut.name),
        )
        for cut in prediction.cuts
    ]
    edge = prediction.head_ms[EDGE_ONLY]
    cloud = prediction.tail_ms[CLOUD]
    height, width = network.image[1:]
    found.append(Choice("edge-only", "all on the phone", None, edge, "measured", 0.0, "none", 0))
    for name, size in (
        ("photo as it is", setting.upload.as_is),
        (f"photo resized to {width} x {height}, JPEG", setting.upload.resized),
        (f"photo resized to {width} x {height}, WebP", setting.upload.resized_webp),
    ):
        found.append(Choice("cloud-only", name, None, 0.0, "none", cloud, "measured", size))
    return scaled(found, setting.device_factor, setting.server_factor)


def _message(trained: float | None, at: Between) -> int | None:
    """Mean bytes behind a waist that is trained there, else the most that its shape allows."""
    return at.most_bytes if trained is None or at.waist is None else math.ceil(trained)


def report_of(network: Network, setting: Setting, prediction: Prediction, bundle_id: str | None = None) -> PlanReport:
    """Price all options and write the report."""
    choices = choices_of(network, setting, prediction)
    rows = price(choices, setting.link, setting.trace, setting.power)
    return PlanReport(
        bundle_id=bundle_id,
        created_utc=now_utc(),
        device=this_host(),
        network=network.source,
        protection=setting.protection,
        target=setting.target,
        precision=setting.precision,
        threads=setting.threads,
        encoding=setting.encoding,
        bandwidth_mbps=setting.link.mbps,
        rtt_ms=setting.link.rtt_ms,
        trace=None if setting.trace is None else setting.trace.name,
        head_error_median_share=prediction.model.error_median,
        head_error_worst_share=prediction.model.error_worst,
        measured_cuts=[name for name in prediction.measured_heads if name != EDGE_ONLY],
        rows=rows,
        crossings=crossings(choices, setting.link.rtt_ms),
        private_crossings=crossings(private(choices), setting.link.rtt_ms),
        recommendations=recommend(rows, setting.min_pi, setting.max_drop),
        assumptions=_assumptions(setting, prediction),
    )


def _waists(setting: Setting, prediction: Prediction) -> list[str]:
    if setting.encoding != "waist":
        return []
    trained = [cut.name for cut in prediction.cuts if cut.name in setting.messages]
    known = f" but at {', '.join(trained)}, where a bundle says what a message has" if trained else ""
    return [
        "Bytes behind a waist, as `pripro protect` makes it by default: the most that its shape allows (every code as "
        f"frequent as the others){known}."
    ]


def _assumptions(setting: Setting, prediction: Prediction) -> list[str]:
    times = [*prediction.measured_heads.values(), *prediction.measured_tails.values()]
    flags = [time.flag for time in times if time.flag]
    phone = "Head ms are this host's, not a phone's: give --device-report for figures that hold for a phone."
    if setting.device_factor != 1.0:
        phone = (
            f"Head ms: this host's, times {setting.device_factor:.3g} at every cut; "
            "whether one factor holds for all cuts is not measured."
        )
    return [
        phone,
        f"Tail ms: this host with onnxruntime fp32, times {setting.server_factor:.3g}; no other load on the server.",
        "Head, network and tail follow one another; the answer's few bytes cost the round trip only.",
        "The connection is open and was idle: TCP starts slowly again (RFC 5681).",
        f"Cloud-only uploads {setting.upload.source}; decoding it is not counted.",
        *_waists(setting, prediction),
        *([f"{len(flags)} of {len(times)} timings are in doubt; the first: {flags[0]}"] if flags else []),
    ]
