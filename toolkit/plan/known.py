"""What is known from elsewhere: a phone's latency report, a running tail, evaluations of bundles."""

from __future__ import annotations

import json
import statistics
import time
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..bundle import Bundle
from ..errors import InputError, ServerError
from ..measure.device_report import read_latency_report


def opened(folders: Sequence[Path]) -> list[Bundle]:
    """Open every bundle."""
    return [Bundle.open(folder) for folder in folders]


def device_factor(
    path: Path, bundles: Sequence[Bundle], head_ms: Mapping[str, float], target: str, precision: str
) -> float:
    """Phone ms over host ms of the head that the phone's report measured.

    Raises:
        InputError: the report belongs to none of the bundles, or holds no such head.
    """
    report = read_latency_report(path)
    bundle = next((item for item in bundles if item.manifest.bundle_id == report.bundle_id), None)
    if bundle is None:
        raise InputError(
            f"{path} belongs to the bundle {report.bundle_id[:12]}, which is not among those given; "
            "name the folder of that bundle with --bundle."
        )
    rows = [row for row in report.rows if row.part == "head" and row.target == target and row.precision == precision]
    if not rows:
        raise InputError(
            f"{path} holds no {target} {precision} head; choose what it holds with --target and --precision: "
            + ", ".join(sorted({f"{row.target} {row.precision}" for row in report.rows}))
        )
    cut = bundle.manifest.split.cut
    if cut not in head_ms:
        raise InputError(
            f"The bundle {bundle.root} is cut at {cut!r}, which is no cut of this network; plan the same one."
        )
    return min(row.p50_ms for row in rows) / head_ms[cut]


def server_factor(url: str, bundles: Sequence[Bundle], tail_ms: Mapping[str, float], requests: int = 20) -> float:
    """Server ms over host ms of the tail at `url`, from timed requests less the bare round trip.

    Raises:
        InputError: no bundle that gives the tail's input, or a malformed URL.
        ServerError: the tail does not answer.
    """
    bundle = next((item for item in bundles if item.manifest.tail is not None), None)
    if bundle is None or bundle.manifest.tail is None:
        raise InputError(
            "--tail needs --bundle with a packaged tail: it tells what to send; make one with pripro package."
        )
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise InputError(f"--tail {url!r} is not a URL; give one such as http://127.0.0.1:8080.")
    from cloud_tail.client import TailClient
    from cloud_tail.errors import TailError

    shape = (1, *bundle.manifest.smashed.shape[1:])
    smashed = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
    try:
        with TailClient(url, model=bundle.manifest.tail.name, bundle_id=bundle.manifest.bundle_id) as client:
            answered = _median_ms(lambda: client.infer(smashed), requests)
            bare = _median_ms(client.alive, requests)  # the network between, and HTTP itself
    except TailError as error:
        raise ServerError(str(error)) from None
    return max(answered - bare, 0.01) / tail_ms[bundle.manifest.split.cut]


def _median_ms(call: Callable[[], object], times: int) -> float:
    call()  # connects, and lets the server warm up
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        call()
        taken.append(1e3 * (time.perf_counter() - begin))
    return statistics.median(taken)


def privacy_of(bundles: Sequence[Bundle], *, needed: bool) -> dict[str, tuple[float | None, float | None]]:
    """Collect {cut: (PI, accuracy drop)} from the bundles' evaluations, the newest of each.

    Raises:
        InputError: PI or drop are needed and no bundle has been evaluated.
    """
    found: dict[str, tuple[float | None, float | None]] = {}
    for bundle in bundles:
        accuracy = bundle.manifest.protection.accuracy if bundle.manifest.protection is not None else None
        drop = None if accuracy is None else accuracy.unprotected - accuracy.protected
        found[bundle.manifest.split.cut] = (_newest_pi(bundle), drop)
    if needed and not any(value is not None for pair in found.values() for value in pair):
        raise InputError(
            "--min-pi and --max-drop need evaluated bundles: give --bundle for each cut that may be chosen, "
            "after pripro evaluate on it."
        )
    return found


def messages_of(bundles: Sequence[Bundle]) -> dict[str, float]:
    """Collect {cut: mean bytes of a message} from bundles with a waist."""
    protections = [(bundle.manifest.split.cut, bundle.manifest.protection) for bundle in bundles]
    return {
        cut: record.certificate.message_bits_mean / 8
        for cut, record in protections
        if record is not None and record.certificate is not None
    }


def _newest_pi(bundle: Bundle) -> float | None:
    for path in sorted((bundle.root / "reports").glob("privacy-*.json"), reverse=True):
        try:
            report = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if not isinstance(report, dict) or report.get("bundle_id") != bundle.manifest.bundle_id:
            continue
        headline = report.get("headline")
        if isinstance(headline, dict) and isinstance(headline.get("pi"), float):
            return float(headline["pi"])
        values = [
            row["pi"] for row in report.get("rows", []) if isinstance(row, dict) and isinstance(row.get("pi"), float)
        ]
        if values:
            return float(min(values))  # the attack that the protection hinders least decides
    return None
