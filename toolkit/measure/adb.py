"""The stock adb binary, its failures turned into single sentences, and a folder on the phone that cleans itself up."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ..errors import DeviceError

#: where Android lets the shell user write and execute
TEMPORARY = "/data/local/tmp"
_GONE = (
    "The connection to the phone broke; check the cable and USB debugging, then try again (adb devices lists phones)."
)
_FAILURES = {
    r"unauthorized": "The phone has not authorised this computer; unlock it, accept the prompt, then try again.",
    r"device offline": "The phone is offline for adb; unplug and plug it in again, or run: adb reconnect.",
    r"no devices/emulators|device .*not found|no such device": (
        "No phone is connected; plug it in with USB debugging on, and check with: adb devices."
    ),
    r"more than one device": "More than one phone is connected; name one with --device adb:SERIAL (see adb devices).",
    r"no space left": "The phone has no space left for the head; free some storage on it, then try again.",
    r"read-only file system|permission denied": (
        f"The phone does not let adb write or execute in {TEMPORARY}; use a phone with a standard adb shell."
    ),
    r"not executable|exec format error|bad elf": (
        "The runner does not fit the phone's processor; build it for this phone's ABI (usually arm64-v8a)."
    ),
    r"error: closed|connection reset|broken pipe|protocol fault|failed to read": _GONE,
}
# Reads until the connection ends, however it ends; then stops what still runs from the folder, and removes it.
_JANITOR = (
    "trap '' HUP INT TERM PIPE; mkdir -p {path} && echo ready; cat >/dev/null 2>&1; "
    "for p in /proc/[0-9]*; do case $(readlink $p/exe 2>/dev/null) in {path}/*) kill -9 ${{p#/proc/}};; esac; done; "
    "rm -rf {path}"
)


class CommandFailed(DeviceError):
    """A command on the phone ended with another status than 0; the phone itself is fine."""


class Adb:
    """One phone. Commands are argument lists; they are quoted for the phone's shell here."""

    def __init__(self, serial: str | None) -> None:
        found = shutil.which("adb")
        if found is None:
            raise DeviceError(
                "The program adb is not installed; get it with Android's platform-tools or: apt-get install adb."
            )
        self._adb = [found, *(["-s", serial] if serial else [])]

    def check(self) -> None:
        """Make sure that exactly the phone meant is there and answers.

        Raises:
            DeviceError: none, several, offline or unauthorised.
        """
        state = self._run(["get-state"], timeout_s=20).strip()
        if state != "device":
            raise DeviceError(f"The phone is in the state {state!r} for adb; unlock it and check with: adb devices.")

    def shell(self, command: Sequence[str], *, timeout_s: float = 60) -> str:
        """Run a command on the phone and return what it printed, both streams.

        Raises:
            CommandFailed: it ended with another status than 0.
            DeviceError: the phone did not take it.
        """
        return self._run(["shell", shlex.join(command)], timeout_s=timeout_s)

    def read(self, command: Sequence[str]) -> str | None:
        """Like `shell`, for questions that a phone may leave unanswered: None then."""
        try:
            return self.shell(command, timeout_s=20).strip() or None
        except CommandFailed:
            return None

    def push(self, local: Path, remote: str) -> None:
        """Copy a file to the phone."""
        self._run(["push", str(local), remote], timeout_s=600)

    @contextmanager
    def folder(self) -> Iterator[str]:
        """Make a folder of our own on the phone. It is removed whatever happens inside, also if we are killed.

        A process on the phone holds it and reads from us until the connection ends; then it cleans up. So an
        interrupt, a pulled cable and a killed pripro all leave nothing behind.
        """
        path = f"{TEMPORARY}/pripro-{uuid.uuid4().hex[:12]}"
        janitor = subprocess.Popen(
            [*self._adb, "shell", _JANITOR.format(path=path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C is for us; adb must live until we have closed its input
            start_new_session=True,
        )
        if janitor.stdin is None or janitor.stdout is None:
            raise RuntimeError("the process was started without pipes")
        try:
            answer = janitor.stdout.readline().strip()
            if answer != "ready":
                raise _explain(["shell", "mkdir"], janitor.wait(20), answer + "\n" + janitor.stdout.read())
            yield path
        finally:
            janitor.stdin.close()
            try:
                janitor.wait(timeout=20)
            except subprocess.TimeoutExpired:
                janitor.kill()
                janitor.wait()
            janitor.stdout.close()
        if self.read(["ls", "-d", path]) is not None:
            raise DeviceError(f"{path} could not be removed from the phone; run: adb shell rm -rf {path}")

    def _run(self, arguments: Sequence[str], timeout_s: float) -> str:
        try:
            result = subprocess.run(
                [*self._adb, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
                start_new_session=True,
            )
        except subprocess.TimeoutExpired:
            raise DeviceError(
                f"The phone did not answer adb {arguments[0]} within {timeout_s:.0f} s; check the cable and try again."
            ) from None
        if result.returncode == 0:
            return result.stdout + result.stderr
        raise _explain(arguments, result.returncode, f"{result.stdout}\n{result.stderr}")


def _explain(arguments: Sequence[str], status: int, text: str) -> DeviceError:
    for pattern, sentence in _FAILURES.items():
        if re.search(pattern, text, re.IGNORECASE):
            return DeviceError(sentence)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if arguments[0] == "shell" and status == 255 and not lines:
        return DeviceError(_GONE)  # adb says nothing when the phone goes away under a running command
    last = f": {lines[-1][:200]}" if lines else ""
    if arguments[0] == "shell":
        program = Path(shlex.split(arguments[1])[0]).name
        crash = f" (killed by signal {status - 128})" if status > 128 else ""
        return CommandFailed(
            f"{program} on the phone ended with status {status}{crash}{last}; try it by hand with: adb shell."
        )
    return DeviceError(f"adb {arguments[0]} failed with status {status}{last}; check the connection with: adb devices.")
