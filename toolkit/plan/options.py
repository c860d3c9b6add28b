"""All ways to run a network, priced; which are worth choosing, and where one overtakes another."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..records.plan import Crossing, Encoding, PlanRow, Recommendation
from .network import Link, Trace

Source = Literal["measured", "predicted", "none"]
#: of features that cross as they are; behind a waist the codes decide
BYTES_PER_VALUE: Mapping[Encoding, int] = {"fp32": 4, "fp16": 2, "uint8": 1}
LOWEST_MBPS, HIGHEST_MBPS = 0.1, 1000.0


@dataclass(frozen=True)
class Choice:
    """One option before the network is priced in."""

    option: Literal["split", "edge-only", "cloud-only"]
    name: str
    shape: tuple[int, ...] | None
    head_ms: float
    head_source: Source
    tail_ms: float
    tail_source: Source
    #: bytes of one photo in the chosen encoding
    bytes_sent: int
    values: int | None = None
    bytes_waist: int | None = None
    pi: float | None = None
    accuracy_drop: float | None = None
    distance_correlation: float | None = None

    def total_ms(self, link: Link) -> float:
        """Head, network and tail, one after another."""
        return self.head_ms + link.request_ms(self.bytes_sent) + self.tail_ms

    @property
    def label(self) -> str:
        """Name for people."""
        return self.option if self.option == "edge-only" else f"{self.option} {self.name}"


@dataclass(frozen=True)
class Power:
    """Watts of the phone above idle while it computes and while it sends."""

    compute_watts: float
    radio_watts: float


def price(choices: Sequence[Choice], link: Link, trace: Trace | None, power: Power | None) -> list[PlanRow]:
    """Turn choices into rows under one link (and a trace, whose mean then counts), and mark the Pareto front."""
    rows = []
    for choice in choices:
        network_ms, p90 = link.request_ms(choice.bytes_sent), None
        if trace is not None:
            network_ms, worst = trace.request_ms(choice.bytes_sent, link.rtt_ms)
            p90 = choice.head_ms + worst + choice.tail_ms
        energy = None
        if power is not None:
            energy = choice.head_ms * power.compute_watts + link.send_ms(choice.bytes_sent) * power.radio_watts
        sizes = {
            name: None if choice.values is None else choice.values * width for name, width in BYTES_PER_VALUE.items()
        }
        rows.append(
            PlanRow(
                option=choice.option,
                name=choice.name,
                shape=None if choice.shape is None else list(choice.shape),
                head_ms=choice.head_ms,
                head_source=choice.head_source,
                tail_ms=choice.tail_ms,
                tail_source=choice.tail_source,
                bytes_fp32=sizes["fp32"],
                bytes_fp16=sizes["fp16"],
                bytes_uint8=sizes["uint8"],
                bytes_waist=choice.bytes_waist,
                bytes_sent=choice.bytes_sent,
                network_ms=network_ms,
                total_ms=choice.head_ms + network_ms + choice.tail_ms,
                total_p90_ms=p90,
                energy_mj=energy,
                pi=choice.pi,
                accuracy_drop=choice.accuracy_drop,
                distance_correlation=choice.distance_correlation,
                on_pareto_front=False,
            )
        )
    front = _front([_objectives(row) for row in rows])
    return [row.model_copy(update={"on_pareto_front": index in front}) for index, row in enumerate(rows)]


def _objectives(row: PlanRow) -> tuple[float, float, float]:
    """Latency, bytes, exposure; less is better in each. Exposure: 1 - PI where known, else the named proxy."""
    if row.option == "edge-only":
        exposure = 0.0
    elif row.option == "cloud-only":
        exposure = 1.0
    elif row.pi is not None:
        exposure = 1 - row.pi
    else:
        exposure = 1.0 if row.distance_correlation is None else row.distance_correlation
    return row.total_ms, float(row.bytes_sent), exposure


def _front(points: Sequence[tuple[float, ...]]) -> set[int]:
    array = np.asarray(points)
    return {
        index
        for index, point in enumerate(array)
        if not bool(((array <= point).all(axis=1) & (array < point).any(axis=1)).any())
    }


def crossings(choices: Sequence[Choice], rtt_ms: float) -> list[Crossing]:
    """Find every bandwidth at which the fastest option changes, to 1 %."""

    def best(mbps: float) -> str:
        return min(choices, key=lambda choice: choice.total_ms(Link(mbps, rtt_ms))).label

    grid = np.geomspace(LOWEST_MBPS, HIGHEST_MBPS, 400)
    found = []
    for low, high in itertools.pairwise(grid):
        below, above = best(float(low)), best(float(high))
        if below == above:
            continue
        left, right = float(low), float(high)
        while right / left > 1.01:
            middle = (left * right) ** 0.5
            left, right = (middle, right) if best(middle) == below else (left, middle)
        found.append(Crossing(bandwidth_mbps=right, below=below, above=above))
    return found


def private(choices: Sequence[Choice]) -> list[Choice]:
    """Keep the options in which the photo stays on the phone."""
    return [choice for choice in choices if choice.option != "cloud-only"]


def recommend(rows: Sequence[PlanRow], min_pi: float | None, max_drop: float | None) -> list[Recommendation]:
    """Choose one option per goal and say why."""
    splits = [row for row in rows if row.option == "split" and _allowed(row, min_pi, max_drop)]
    private = splits + [row for row in rows if row.option == "edge-only"]
    everything = private + [row for row in rows if row.option == "cloud-only"]
    limits = [
        *([] if min_pi is None else [f"PI at least {min_pi:g}"]),
        *([] if max_drop is None else [f"accuracy drop at most {max_drop:.1%}"]),
    ]
    suffix = f" with {' and '.join(limits)}" if limits else ""
    goals: list[tuple[str, Sequence[PlanRow], Callable[[PlanRow], float], str]] = [
        ("lowest latency", everything, lambda row: row.total_ms, "ms"),
        (f"lowest latency, the photo stays on the phone{suffix}", private, lambda row: row.total_ms, "ms"),
        (f"lowest latency of a split{suffix}", splits, lambda row: row.total_ms, "ms"),
        (f"least work on the phone of a split{suffix}", splits, lambda row: row.head_ms, "ms on the phone"),
        (f"fewest bytes of a split{suffix}", splits, lambda row: row.bytes_sent, "bytes"),
    ]
    if any(row.energy_mj is not None for row in rows):
        goals.append(
            (f"lowest energy, the photo stays on the phone{suffix}", private, lambda row: row.energy_mj or 0.0, "mJ")
        )
    return [_choose(goal, candidates, cost, unit) for goal, candidates, cost, unit in goals if candidates]


def _allowed(row: PlanRow, min_pi: float | None, max_drop: float | None) -> bool:
    private = min_pi is None or (row.pi is not None and row.pi >= min_pi)
    return private and (max_drop is None or (row.accuracy_drop is not None and row.accuracy_drop <= max_drop))


def _choose(goal: str, rows: Sequence[PlanRow], cost: Callable[[PlanRow], float], unit: str) -> Recommendation:
    ordered = sorted(rows, key=lambda row: (cost(row), row.total_ms))
    first = ordered[0]
    parts = f"head {first.head_ms:.1f} + network {first.network_ms:.1f} + tail {first.tail_ms:.1f}"
    parts += f" = {first.total_ms:.1f} ms"
    digits = 0 if unit == "bytes" else 1
    why = f"{cost(first):,.{digits}f} {unit} ({parts}, {first.bytes_sent:,} bytes)"
    if len(ordered) > 1:
        second = ordered[1]
        name = second.option if second.option == "edge-only" else f"{second.option} {second.name}"
        why += f"; the next best, {name}, needs {cost(second):,.{digits}f} {unit}"
    return Recommendation(goal=goal, option=first.option, name=first.name, why=why)


def scaled(choices: Sequence[Choice], head: float, tail: float) -> list[Choice]:
    """Scale host figures to another phone and another server."""
    return [dataclasses.replace(c, head_ms=c.head_ms * head, tail_ms=c.tail_ms * tail) for c in choices]
