"""Ctrl-C while workers start: they never see it, and it is not lost."""

import os
import signal
import subprocess
import sys

import pytest

from toolkit.evaluate.side_by_side import _no_interrupt

BLOCKED = "import signal; print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, set()))"


@pytest.fixture
def heard():
    """A shell that runs this in the background has told it to ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heard")
def test_it_comes_when_they_have_started_at_the_latest():
    behind = False
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012 (where it comes is what is tested)
        with _no_interrupt():
            os.kill(os.getpid(), signal.SIGINT)
        behind = True
    assert not behind


def test_a_process_started_meanwhile_never_sees_it():
    with _no_interrupt():
        told = subprocess.run([sys.executable, "-c", BLOCKED], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert told.strip() == "True"
