"""How long bytes take to cross: serialisation, round trip, and TCP's slow start after a pause.

Sources: RFC 6928 (initial window of 10 segments), RFC 5681 (slow start, restart after idle).
"""

from __future__ import annotations

import csv
import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError

SEGMENT_BYTES = 1448
#: Ethernet, IP and TCP headers around one segment
WIRE_FACTOR = (SEGMENT_BYTES + 66) / SEGMENT_BYTES
INITIAL_WINDOW = 10
#: HTTP clients write a request's head before its body, and the window counts segments, however short
HEAD_SEGMENTS = 1


@dataclass(frozen=True)
class Link:
    """One direction up and one round trip.

    Attributes:
        mbps: uplink, 10^6 bits a second.
        rtt_ms: round trip.
        warm: whether the connection's window is already open (requests in quick succession).
    """

    mbps: float
    rtt_ms: float
    warm: bool = False

    def request_ms(self, payload_bytes: int) -> float:
        """Time that the network adds to one request: the upload, and one round trip for the way there and back."""
        if payload_bytes == 0:
            return 0.0
        return self.send_ms(payload_bytes) + self.rtt_ms

    def send_ms(self, payload_bytes: int) -> float:
        """Time until the last bit of `payload_bytes` is on the wire."""
        ms_per_byte = 8 * WIRE_FACTOR / (1e3 * self.mbps)
        total = payload_bytes * ms_per_byte
        if self.warm:
            return total
        ms_per_segment = SEGMENT_BYTES * ms_per_byte
        segments = math.ceil(payload_bytes / SEGMENT_BYTES) + HEAD_SEGMENTS
        window, sent, waited = INITIAL_WINDOW, 0, 0.0
        while sent + window < segments:
            of_body = window - (HEAD_SEGMENTS if sent == 0 else 0)
            stall = self.rtt_ms - of_body * ms_per_segment
            if stall <= 0:
                break  # acknowledgements arrive while the window is still being sent
            waited += stall
            sent += window
            window *= 2
        return total + waited


@dataclass(frozen=True)
class Trace:
    """Bandwidth over time: `mbps[i]` holds from `seconds[i]` to the next; the last repeats the first gap."""

    name: str
    seconds: tuple[float, ...]
    mbps: tuple[float, ...]

    def durations(self) -> tuple[float, ...]:
        """Seconds that each entry holds."""
        gaps = np.diff(self.seconds)
        return (*map(float, gaps), float(gaps[-1]) if len(gaps) else 1.0)

    def request_ms(self, payload_bytes: int, rtt_ms: float) -> tuple[float, float]:
        """Mean and 90th percentile of `Link.request_ms` over the trace's moments, weighted by how long each holds."""
        times = np.array([Link(mbps, rtt_ms).request_ms(payload_bytes) for mbps in self.mbps])
        weights = np.array(self.durations())
        order = np.argsort(times)
        reached = np.cumsum(weights[order]) / weights.sum()
        return float(np.average(times, weights=weights)), float(times[order][np.searchsorted(reached, 0.9)])

    def mean_mbps(self) -> float:
        """Mean bandwidth over time."""
        return float(np.average(self.mbps, weights=self.durations()))


def read_trace(path: Path) -> Trace:
    """Read a csv of seconds and Mbps, one moment a line, with or without a heading.

    Raises:
        InputError: not readable, not two numbers a line, not ascending, or a bandwidth of 0.
    """
    try:
        with path.open(newline="") as stream:
            lines = [line for line in csv.reader(stream) if line]
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"The trace {path} cannot be read ({error}); give a csv file of seconds and Mbps.") from None
    if lines and not _is_number(lines[0][0]):
        lines = lines[1:]
    try:
        moments = [(float(line[0]), float(line[1])) for line in lines]
    except (ValueError, IndexError):
        raise InputError(
            f"The trace {path} has a line that is not seconds,Mbps; give two numbers on every line."
        ) from None
    seconds, mbps = tuple(time for time, _ in moments), tuple(rate for _, rate in moments)
    ascending = all(a < b for a, b in itertools.pairwise(seconds))
    if not moments or not ascending or not all(math.isfinite(rate) and rate > 0 for rate in mbps):
        raise InputError(
            f"The trace {path} needs ascending seconds and bandwidths above 0 on at least one line; correct it."
        )
    return Trace(path.name, seconds, mbps)


def parse_quantity(text: str, units: dict[str, float], option: str) -> float:
    """Read "20Mbps" or "40ms"; a bare number is in the first unit.

    Raises:
        InputError: no positive number with one of the units.
    """
    cleaned = text.strip().lower()
    for unit, factor in sorted(units.items(), key=lambda item: -len(item[0])):
        if cleaned.endswith(unit.lower()):
            cleaned, scale = cleaned[: -len(unit)], factor
            break
    else:
        scale = next(iter(units.values()))
    if not _is_number(cleaned) or not 0 < float(cleaned) < math.inf:
        raise InputError(f"{option} {text!r} does not fit; give a number above 0 with a unit ({', '.join(units)}).")
    return float(cleaned) * scale


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
