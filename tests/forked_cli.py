"""`pripro` in processes that have the libraries loaded already: loading them takes longer than most commands.

Each is a fork of a server that has one thread and only imports, so no lock can be held while it forks.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from multiprocessing import context
from pathlib import Path
from typing import NoReturn

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["toolkit.cli.main", "toolkit.pipeline.build", "torch.export", "torch._dynamo", "onnxscript", "onnxruntime",
     "converters.to_onnx"]
)  # fmt: skip
#: Linux's numbers of what root may do to the files of others
_CHOWN, _DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER = range(4)
_PR_CAPBSET_DROP = 24
_CAPABILITY_VERSION_3 = 0x20080522


class Forked:
    """One running command, the first of a session of its own."""

    def __init__(self, words: list[str], folder: Path, *, bound: bool = False) -> None:
        """Start it in `folder`; `bound` takes root's right to write what the mode bits forbid."""
        self._words = words
        self._told = Path(tempfile.mkdtemp())
        for name in ("out", "err"):
            (self._told / name).touch()
        self._process: context.ForkServerProcess = _SERVER.Process(
            target=_become_pripro, args=(words, str(folder), str(self._told), bound)
        )
        self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid

    def wait(self, seconds: float, patience: float | None = None) -> subprocess.CompletedProcess[str]:
        """Wait for its end at most so long; a Ctrl-C comes `patience` seconds after its start.

        Raises:
            TimeoutError: it went on, and was killed.
        """
        if patience is not None:
            while self._process.is_alive() and not (self._told / "begun").exists():
                time.sleep(0.02)
            self._process.join(patience)
            if self._process.is_alive():
                os.kill(self.pid, signal.SIGINT)
        self._process.join(seconds)
        if self._process.is_alive():
            said = (self._told / "err").read_text(errors="replace")
            self.kill()
            raise TimeoutError(f"pripro {self._words} ran for {seconds} s: {said}")
        told = [(self._told / name).read_text(errors="replace") for name in ("out", "err")]
        code = self._process.exitcode
        assert code is not None
        self._closed()
        return subprocess.CompletedProcess(self._words, code, *told)

    def kill(self) -> None:
        """As kill -9 does, with all that it started."""
        with contextlib.suppress(ProcessLookupError):  # no session of its own yet, or it has ended
            os.killpg(self.pid, signal.SIGKILL)
        self._process.kill()
        self._process.join()
        self._closed()

    def _closed(self) -> None:
        self._process.close()
        for path in self._told.iterdir():
            path.unlink()
        self._told.rmdir()


def _become_pripro(words: list[str], folder: str, told: str, bound: bool) -> NoReturn:
    """Never returns: whatever happens here ends this process, with the code that Python would give it."""
    code = 99
    try:
        streams = [os.open(os.devnull, os.O_RDONLY), *(os.open(f"{told}/{n}", os.O_WRONLY) for n in ("out", "err"))]
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        sys.stdin, sys.stdout, sys.stderr = (
            open(n, m, closefd=False, buffering=1)  # noqa: SIM115 (this process's own, to its end)
            for n, m in ((0, "r"), (1, "w"), (2, "w"))
        )
        os.setsid()
        _one_thread()
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
        if bound and os.geteuid() == 0:
            _drop_rights()
        os.chdir(folder)
        os.environ["HOME"] = folder
        from toolkit.cli.main import app, guarded

        sys.argv = ["pripro", *words]
        Path(told, "begun").touch()
        code = guarded(app)
    except BaseException:  # as Python does at a program's end; the test then sees it
        traceback.print_exc()
        code = 1
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _one_thread() -> None:
    """A fork of several threads may hold a lock that nobody lets go of.

    Raises:
        RuntimeError: a library has started one as it was imported.
    """
    threads = len(list(Path(f"/proc/{os.getppid()}/task").iterdir())) if sys.platform == "linux" else 1
    if threads != 1:
        raise RuntimeError(f"the process that was forked has {threads} threads; run the tests with OMP_NUM_THREADS=1")


def _drop_rights() -> None:
    """Let the mode bits hold for root, too, in this process and what it starts (capabilities(7)).

    Raises:
        OSError: the system refuses.
    """
    lost = (_CHOWN, _DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER)
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    sets = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable of the capabilities 0 to 31, then 32 to 63
    done = [libc.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0) for number in lost]
    done.append(libc.capget(header, sets))
    for each in range(3):
        sets[each] &= ~sum(1 << number for number in lost)
    done.append(libc.capset(header, sets))
    if any(done):
        raise OSError(ctypes.get_errno(), "capset")
