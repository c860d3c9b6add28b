"""Two writing commands on one bundle, kills in between: it stays whole, and no finished work goes without a word."""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.errors import BundleError
from toolkit.families import digits_resnet

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

#: rounds of each pair; 20 for the full claim
ROUNDS = int(os.environ.get("PRIPRO_PAIRS", "1"))
COMMANDS = {
    "partition": ["digits_resnet", "--input", "1x28x28", "--cut", "layer2", "--force", "-o"],
    "protect": ["--method", "gaussian", "--data", "digits", "--epochs", "1", "--anyway"],
    "convert": ["--to", "onnx"],
    "package": ["--goldens-count", "2"],
}

WRITERS = tuple(COMMANDS)


def start(verb: str, root: Path) -> subprocess.Popen[str]:
    arguments = [*COMMANDS[verb], str(root)] if verb == "partition" else [str(root), *COMMANDS[verb]]
    return subprocess.Popen(
        [sys.executable, "-m", "toolkit.cli.main", verb, *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with everything in it."""
    folder = tmp_path_factory.mktemp("pairs")
    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), folder / "w.safetensors")
    for verb in COMMANDS:
        process = start(verb, folder / "bundle")
        _, said = process.communicate()
        assert process.returncode == 0, said
    return folder / "bundle"


def whole(root: Path) -> None:
    Bundle.open(root).check_files()


@pytest.mark.parametrize("pair", list(itertools.combinations_with_replacement(WRITERS, 2)), ids="-".join)
def test_two_commands_leave_a_whole_bundle(pair: tuple[str, str], ready: Path, tmp_path: Path):
    draw = random.Random(repr(pair))
    for number in range(ROUNDS):
        root = Path(shutil.copytree(ready, tmp_path / str(number)))
        first = start(pair[0], root)
        time.sleep(draw.uniform(0, 2.0))
        second = start(pair[1], root)
        said = [process.communicate()[1] for process in (first, second)]
        codes = [first.returncode, second.returncode]
        whole(root)
        assert 0 in codes, said
        for code, text in zip(codes, said, strict=True):
            assert code in (0, 2), text
            assert "Traceback" not in text
            if code == 2:
                assert any(words in text for words in ("nother pripro", "not protected yet")), text
        shutil.rmtree(root)


@pytest.mark.parametrize("verb", WRITERS)
def test_a_kill_in_between_holds_nobody_up(verb: str, ready: Path, tmp_path: Path):
    draw = random.Random(verb)
    root = Path(shutil.copytree(ready, tmp_path / "bundle"))
    for _ in range(max(ROUNDS // 2, 1)):
        process = start("protect", root)
        time.sleep(draw.uniform(2.0, 6.0))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        whole(root)
    process = start(verb, root)
    _, said = process.communicate()
    assert process.returncode == 0, said
    whole(root)


def test_what_was_read_before_another_wrote_is_not_built_upon(ready: Path, tmp_path: Path):
    """The fault as it was found: package's goldens of an old protection, committed after protect had finished."""
    root = Path(shutil.copytree(ready, tmp_path / "bundle"))
    slow, quick = Bundle.open(root), Bundle.open(root)
    with quick.extending():
        quick.commit(quick.manifest.model_copy(update={"heads": []}))
    with pytest.raises(BundleError, match="run the command again"), slow.extending():
        pytest.fail("it was given a place to write")
    whole(root)
    assert Bundle.open(root).manifest.heads == []
