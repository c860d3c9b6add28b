"""What this machine is and what state it is in. It is a host: its figures are never called on-device."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Literal

from cloud_tail.cores import usable_cores

from .bundle import Record

_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_THERMAL = Path("/sys/class/thermal")
_POWER = Path("/sys/class/power_supply")


class Device(Record):
    """Where something ran. Unknown things say "unknown"; a host is never called a device."""

    kind: Literal["host", "android", "ios", "macos", "emulated"]
    model: str
    os: str
    cpu: str
    cores: int


class Condition(Record):
    """State of the machine at one moment; null where it is not reported."""

    governor: str | None = None
    temperature_c: float | None = None
    thermal_status: str | None = None
    battery_percent: float | None = None
    load_average: float | None = None


def this_host() -> Device:
    """Describe the machine that this process runs on."""
    return Device(
        kind="host",
        model=_first_line(Path("/sys/class/dmi/id/product_name")) or "unknown",
        os=platform.platform(terse=False),
        cpu=_cpu_name(),
        cores=usable_cores(),
    )


def condition_now() -> Condition:
    """Read governor, hottest thermal zone, battery and load; null where not reported by this machine."""
    zones = [_number(path, 1e-3) for path in _THERMAL.glob("thermal_zone*/temp")]
    batteries = [_number(path, 1.0) for path in _POWER.glob("*/capacity")]
    return Condition(
        governor=_first_line(_CPU),
        temperature_c=max((value for value in zones if value is not None), default=None),
        battery_percent=next((value for value in batteries if value is not None), None),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine() or "unknown"


def _first_line(path: Path) -> str | None:
    try:
        return path.read_text().strip().split("\n", 1)[0] or None
    except OSError:
        return None


def _number(path: Path, scale: float) -> float | None:
    text = _first_line(path)
    try:
        return None if text is None else float(text) * scale
    except ValueError:
        return None
