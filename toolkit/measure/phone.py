"""Measure on a phone over adb: push, cool down, run, read, clean up."""

from __future__ import annotations

import re
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from safetensors.numpy import load_file

from ..bundle import Bundle, now_utc
from ..errors import BundleError
from ..records.bundle import Head
from ..records.latency import LatencyReport, LatencyRow
from ..records.machine import Condition, Device
from ..records.progress import Progress
from .adb import Adb
from .runners import Reading, bounds, command, parse, target_of
from .statistics import Summary, change_point, summarise

WARMUPS = 5
REPEATS = 3
#: a repeat starts when the phone is at most this much warmer than at the start, or after COOL_SECONDS
WARMER_C = 3.0
COOL_SECONDS = 120.0
_ZONES = 'for z in /sys/class/thermal/thermal_zone*; do echo "$(cat $z/type) $(cat $z/temp)"; done'


def measure_on_phone(
    bundle: Bundle,
    runner: Path,
    *,
    serial: str | None,
    threads: Sequence[int],
    targets: Sequence[str] | None,
    precisions: Sequence[str] | None,
    samples: int,
    progress: Progress,
) -> LatencyReport:
    """Time the bundle's heads on a phone: three repeats, all heads in each, cooled down before each launch.

    Raises:
        DeviceError: the phone or the runner failed.
        BundleError: no head that this runner takes.
    """
    target = target_of(runner)
    heads = [
        head
        for head in bundle.manifest.heads
        if head.target == target
        and (not targets or target in targets)
        and (not precisions or head.precision in precisions)
    ]
    if not heads:
        raise BundleError(
            f"{bundle.root} has no head that {runner.name} takes ({target}); convert one with that target."
        )
    adb = Adb(serial)
    adb.check()
    readings: dict[tuple[int, int], list[Reading]] = {}
    start = condition_of(adb)
    variants = [(index, count) for index in range(len(heads)) for count in threads]
    with adb.folder() as folder, tempfile.TemporaryDirectory() as local:
        adb.push(runner, f"{folder}/runner")
        adb.shell(["chmod", "755", f"{folder}/runner"])
        inputs = _push_inputs(adb, bundle, Path(local), folder)
        for index, head in enumerate(heads):
            adb.push(bundle.root / head.entry, f"{folder}/head{index}")
        for step in range(REPEATS * len(variants)):
            index, count = variants[step % len(variants)]
            progress(step, REPEATS * len(variants), f"{heads[index].precision}, {count} threads: cooling down")
            _cool_down(adb, start)
            progress(step, REPEATS * len(variants), f"{heads[index].precision}, {count} threads: running")
            adb.shell(["ln", "-sf", f"{folder}/head{index}", f"{folder}/head"])
            feed = [inputs[spec.name] for spec in heads[index].inputs]
            arguments = command(target, folder, feed, count, WARMUPS, max(1, samples // REPEATS))
            text = adb.shell(arguments, timeout_s=900)
            readings.setdefault((index, count), []).append(parse(target, text, WARMUPS))
        end = condition_of(adb)
        device = device_of(adb)
    rows = [_row(heads[index], runner.name, count, found) for (index, count), found in readings.items()]
    first = rows[0].p50_ms
    return LatencyReport(
        bundle_id=bundle.manifest.bundle_id,
        created_utc=now_utc(),
        device=device,
        start=start,
        end=end,
        rows=[row.model_copy(update={"ratio_to_first": row.p50_ms / first}) for row in rows],
    )


def device_of(adb: Adb) -> Device:
    """Read the phone's model and system; what it does not report is "unknown"."""

    def prop(name: str) -> str | None:
        return adb.read(["getprop", name])

    model = " ".join(part for part in (prop("ro.product.manufacturer"), prop("ro.product.model")) if part)
    release = prop("ro.build.version.release")
    cores = adb.read(["nproc"]) or ""
    return Device(
        # without Android's properties it is some other system behind adb: say what can be said
        kind="android" if release else "emulated",
        model=model or "unknown",
        os=f"Android {release}" if release else adb.read(["uname", "-sr"]) or "unknown",
        cpu=prop("ro.soc.model") or prop("ro.board.platform") or adb.read(["uname", "-m"]) or "unknown",
        cores=int(cores) if cores.isdigit() else 1,
    )


def condition_of(adb: Adb) -> Condition:
    """Read the phone's state; null where it does not report it."""
    thermal = re.search(r"Thermal Status: (\d+)", adb.read(["dumpsys", "thermalservice"]) or "")
    level = re.search(r"level: (\d+)", adb.read(["dumpsys", "battery"]) or "")
    load = (adb.read(["cat", "/proc/loadavg"]) or "").split()
    return Condition(
        governor=adb.read(["cat", "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"]),
        temperature_c=hottest(adb.read(["sh", "-c", _ZONES]) or ""),
        thermal_status=thermal.group(1) if thermal else None,
        battery_percent=float(level.group(1)) if level else None,
        load_average=float(load[0]) if load else None,
    )


def hottest(zones: str) -> float | None:
    """Find the hottest plausible processor zone in lines of "type temp"; any zone where none says cpu or soc."""
    found: list[tuple[str, float]] = []
    for line in zones.splitlines():
        name, _, value = line.strip().rpartition(" ")
        if re.fullmatch(r"-?\d+", value):
            # most phones report thousandths of a degree, some degrees or tenths
            degrees = float(value)
            while degrees > 150:
                degrees /= 10
            if degrees > 5:
                found.append((name.lower(), degrees))
    processor = [degrees for name, degrees in found if "cpu" in name or "soc" in name]
    return max(processor or [degrees for _, degrees in found], default=None)


def _cool_down(adb: Adb, start: Condition) -> None:
    deadline = time.monotonic() + COOL_SECONDS
    if start.temperature_c is None:
        time.sleep(2)  # no thermometer: a pause is all there is
        return
    while time.monotonic() < deadline:
        now = hottest(adb.read(["sh", "-c", _ZONES]) or "")
        if now is None or now <= start.temperature_c + WARMER_C:
            return
        time.sleep(3)


def _push_inputs(adb: Adb, bundle: Bundle, local: Path, folder: str) -> Mapping[str, str]:
    """Push image and eps as raw little-endian float32; {input name: path on the phone}."""
    from .heads import write_inputs

    tensors = load_file(write_inputs(bundle, local)[True])
    paths = {}
    for name, value in tensors.items():
        file = local / f"{name}.bin"
        file.write_bytes(value.astype("<f4").tobytes())
        adb.push(file, f"{folder}/{name}.bin")
        paths[name] = f"{folder}/{name}.bin"
    return paths


def _row(head: Head, runner: str, threads: int, readings: Sequence[Reading]) -> LatencyRow:
    samples = [ms for reading in readings for ms in reading.samples_ms]
    summary = summarise(samples) if samples else _join([r.summary for r in readings if r.summary is not None])
    flags = [] if samples or not (known := bounds(head.target)) else [known]
    step = change_point(samples)
    if step is not None:
        flags.append(f"speed changed: {step[1]:.2f} times the earlier ms from run {step[0] + 1} of {len(samples)} on")
    loads = [reading.load_ms for reading in readings if reading.load_ms is not None]
    firsts = [reading.first_run_ms for reading in readings if reading.first_run_ms is not None]
    return LatencyRow(
        part="head",
        target=head.target,
        precision=head.precision,
        backend=head.backend,
        runtime=runner,
        threads=threads,
        load_ms=statistics.median(loads) if loads else None,
        first_run_ms=statistics.median(firsts) if firsts else None,
        warmups=WARMUPS,
        **asdict(summary),
        flag="; ".join(flags),
    )


def _join(parts: Sequence[Summary]) -> Summary:
    """Join launches of which only summaries are known: medians of medians, worst of the upper percentiles."""
    return Summary(
        sum(part.n for part in parts),
        statistics.fmean(part.mean_ms for part in parts),
        max(part.std_ms for part in parts),
        min(part.min_ms for part in parts),
        statistics.median(part.p50_ms for part in parts),
        max(part.p90_ms for part in parts),
        max(part.p99_ms for part in parts),
    )
