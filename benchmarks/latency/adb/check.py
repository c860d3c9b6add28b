"""`pripro measure --device adb` against the real adb server and the real device daemon, adbd built for Linux.

    sudo python benchmarks/latency/adb/check.py BUNDLE ADBD RUNNER

In a network namespace of its own, so that no port is open to anybody: a whole measurement, Ctrl-C in the middle,
the daemon killed in the middle (a pulled cable), a runner that crashes, a full disk, and no phone at all. After each
the device's temporary folder must be empty. Prints one line of JSON. Not a phone: no Android properties, no latency
worth quoting.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PORT = 5555
TEMPORARY = Path("/data/local/tmp")
PRIPRO = [sys.executable, "-c", "from toolkit.cli.main import main; main()"]
SPACE = f"pripro-adb{os.getpid()}"
INSIDE = ["ip", "netns", "exec", SPACE]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("adbd", type=Path)
    parser.add_argument("runner", type=Path)
    arguments = parser.parse_args()
    # in the background a shell ignores Ctrl-C, and so would what we start
    signal.signal(signal.SIGINT, signal.default_int_handler)
    TEMPORARY.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ip", "netns", "add", SPACE], check=True)
    subprocess.run(["ip", "-n", SPACE, "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        shutil.copytree(arguments.bundle, bundle, ignore=shutil.ignore_patterns("reports"))
        runner = Path(folder) / "executor_runner"
        shutil.copy(arguments.runner, runner)
        try:
            print(json.dumps(checks(bundle, arguments.adbd, runner, Path(folder))))
        finally:
            subprocess.run([*INSIDE, "adb", "kill-server"], capture_output=True, check=False)
            subprocess.run(["ip", "netns", "del", SPACE], check=True)


def checks(bundle: Path, adbd: Path, runner: Path, folder: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    with phone(adbd) as daemon:
        result = measure(bundle, runner, "--json", "--quick")
        report = json.loads(result.stdout) if result.returncode == 0 else {"error": result.stderr}
        found["measured"] = {key: report[key] for key in ("device", "start", "end") if key in report} | {
            "rows": [[row["precision"], row["n"], row["p50_ms"]] for row in report.get("rows", [])],
            "error": report.get("error"),
        }
        found["left_after_measuring"] = left()
        found["ctrl_c"] = interrupted(bundle, runner, lambda process: process.send_signal(signal.SIGINT))
        found["killed_pripro"] = interrupted(bundle, runner, lambda process: process.kill())
        crash = folder / "crash" / "executor_runner"
        crash.parent.mkdir()
        crash.write_text("#!/bin/sh\nkill -SEGV $$\n")
        found["crash"] = last_line(measure(bundle, crash)) | {"left": left()}
        wrong = folder / "wrong" / "executor_runner"
        wrong.parent.mkdir()
        wrong.write_bytes(b"\x7fELF" + b"\0" * 60)
        found["wrong_processor"] = last_line(measure(bundle, wrong)) | {"left": left()}
        with full_disk(daemon):
            found["no_space"] = last_line(measure(bundle, runner)) | {"left": left()}
    with phone(adbd) as daemon:
        found["cable_pulled"] = interrupted(bundle, runner, lambda process: daemon.kill())
    found["unplugged"] = last_line(measure(bundle, runner))
    return found


@contextlib.contextmanager
def phone(adbd: Path) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"ADBD_PORT": str(PORT)}
    daemon = subprocess.Popen(
        [*INSIDE, str(adbd)], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(30):
            time.sleep(0.5)
            asked = subprocess.run(
                [*INSIDE, "adb", "connect", f"127.0.0.1:{PORT}"], capture_output=True, text=True, check=False
            )
            if "connected" in asked.stdout and "cannot" not in asked.stdout:
                break
        yield daemon
    finally:
        daemon.kill()
        daemon.wait()
        subprocess.run([*INSIDE, "adb", "disconnect"], capture_output=True, check=False)


@contextlib.contextmanager
def full_disk(daemon: subprocess.Popen[bytes]) -> Iterator[None]:
    """Give the daemon a temporary folder of 64 KB; it lives in a mount namespace of its own."""
    inside = ["nsenter", "-t", str(daemon.pid), "-m"]
    subprocess.run([*inside, "mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(TEMPORARY)], check=True)
    try:
        yield
        kept = subprocess.run([*inside, "ls", str(TEMPORARY)], capture_output=True, text=True, check=True).stdout
        if kept:
            raise SystemExit(f"left on the full disk: {kept}")
    finally:
        subprocess.run([*inside, "umount", "-l", str(TEMPORARY)], check=True)


def measure(bundle: Path, runner: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(bundle, runner, *more), capture_output=True, text=True, check=False, timeout=300)


def command(bundle: Path, runner: Path, *more: str) -> list[str]:
    chosen = ["--device", f"adb:127.0.0.1:{PORT}", "--runner", str(runner), "--precision", "fp32"]
    return [*INSIDE, *PRIPRO, "measure", str(bundle), *chosen, *more]


def interrupted(bundle: Path, runner: Path, act: object) -> dict[str, object]:
    """Start a long measurement, act once its folder is on the device, and look at what is left."""
    process = subprocess.Popen(
        command(bundle, runner, "--samples", "200000"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 60
    while not list(TEMPORARY.glob("pripro-*/head0")) and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(4)
    was_there = left()
    act(process)  # type: ignore[operator]
    _, errors = process.communicate(timeout=60)
    time.sleep(2)
    lines = errors.strip().splitlines()
    return {"was_there": was_there, "status": process.returncode, "said": lines[-1:], "left": left()}


def last_line(result: subprocess.CompletedProcess[str]) -> dict[str, object]:
    lines = result.stderr.strip().splitlines()
    return {"status": result.returncode, "said": lines[-1] if lines else ""}


def left() -> list[str]:
    return sorted(path.name for path in TEMPORARY.iterdir())


if __name__ == "__main__":
    main()
