"""evaluate in several processes: the figures of one process, its errors, an end to all when it is interrupted."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from toolkit.attacks.base import Budget
from toolkit.bundle import Bundle
from toolkit.evaluate.report import evaluate
from toolkit.evaluate.settings import EFFORTS, EvaluateSettings

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PRIPRO = (sys.executable, "-m", "toolkit.cli.main")
#: two that share a decoder, with one that waits for nothing; several looks, an attribute, parts of the photos
ATTACKS = ("residual_decoder", "adversarial_decoder", "linker", "averaging")
SMALL = ("--effort", "quick", "--attacker-images", "60", "--test-images", "60", "--json")


@pytest.fixture
def bundle(demo_bundle, tmp_path):
    shutil.copytree(demo_bundle, tmp_path / "bundle", ignore=shutil.ignore_patterns("reports"))
    return tmp_path / "bundle"


def _evaluated(bundle: Path, monkeypatch: pytest.MonkeyPatch, workers: int) -> tuple[dict, list[float]]:
    monkeypatch.setenv("PRIPRO_WORKERS", str(workers))
    small = replace(EFFORTS["standard"], budget=Budget(steps=12, rounds=1, rates=(3e-3,), width=16))
    monkeypatch.setitem(EFFORTS, "standard", small)
    shares: list[float] = []
    chosen = EvaluateSettings(attacks=ATTACKS, attacker_images=60, test_images=40, observations=(2,))
    report = evaluate(Bundle.open(bundle), chosen, progress=lambda share, text: shares.append(share))
    ours = {"created_utc", "estimated_seconds", "seconds"}
    return report.model_dump(mode="json", exclude=ours), shares


def test_two_processes_give_the_figures_of_one(bundle, tmp_path, monkeypatch):
    torch.set_num_threads(1)
    shutil.copytree(bundle, tmp_path / "other")
    cache = Path("reports") / ".evaluate-cache"
    one, _ = _evaluated(bundle, monkeypatch, 1)
    two, shares = _evaluated(tmp_path / "other", monkeypatch, 2)
    assert two == one
    assert len(one["learning"]) == 3
    # the pictures are those of the strongest attack, which comes first
    lowest = {
        row["attack"]: min((measure["pi"] for measure in row["measures"] if measure["pi"] is not None), default=1.0)
        for row in one["rows"]
        if row["task"] == "reconstruction"
    }
    (bare, _), *protected = one["pictures"][0]["rebuilt"]
    assert bare == "without protection"
    found = [lowest[name.partition(",")[0]] for name, _ in protected]
    assert len(found) == 3
    assert found == sorted(found)
    # the same outcomes are kept, under the same names
    kept = {path.name for path in (bundle / cache).glob("*.safetensors")}
    assert {path.name for path in (tmp_path / "other" / cache).glob("*.safetensors")} == kept
    assert shares == sorted(shares)
    assert any(0 < share < 1 for share in shares)
    assert shares[-1] == 1.0


def _start(bundle: Path, *words: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen(
        [*PRIPRO, "evaluate", str(bundle), *SMALL, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=ROOT, start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PRIPRO_WORKERS": "2"} | environment,
    )  # fmt: skip


def test_processes_of_torchrun_give_the_figures_of_one(bundle, tmp_path):
    shutil.copytree(bundle, tmp_path / "alone")
    words = ("--attack", "residual_decoder,linker")
    alone, _ = _start(tmp_path / "alone", *words, PRIPRO_WORKERS="1").communicate()
    together = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "toolkit",
         "evaluate", str(bundle), *SMALL, *words],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert together.returncode == 0, together.stderr[-3000:]
    one, two = (json.loads(said) for said in (alone, together.stdout))  # of the first process alone
    assert one["rows"] == two["rows"]
    assert one["headline"] == two["headline"]


def _group(leader: int) -> list[int]:
    """Processes of a process group that still run."""
    listed = subprocess.run(["ps", "-eo", "pgid=,pid=,stat="], capture_output=True, text=True, check=True).stdout
    rows = (line.split() for line in listed.splitlines())
    return [int(pid) for group, pid, state in rows if int(group) == leader and not state.startswith("Z")]


#: longest first: when the linkers' outcomes are there, the decoders are still to come
LONG = "linker,residual_decoder,attribute"


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_workers_end_with_the_process_that_started_them(bundle, how):
    running = _start(bundle, "--attack", LONG)
    cache = bundle / "reports" / ".evaluate-cache"
    deadline = time.monotonic() + 300
    while not list(cache.glob("*.safetensors")) and running.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    assert running.poll() is None, running.stderr.read()
    assert len(_group(running.pid)) > 2
    if how == signal.SIGINT:
        os.killpg(running.pid, how)  # as a terminal does: all of them
    else:
        running.kill()
    out, said = running.communicate(timeout=60)
    deadline = time.monotonic() + 20
    while _group(running.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert _group(running.pid) == []
    assert not out
    if how == signal.SIGINT:
        assert running.returncode == 130
        assert said.strip().splitlines()[-1].startswith("interrupted; ")
        assert "Traceback" not in said
    kept = {path: path.stat().st_mtime_ns for path in cache.glob("*.safetensors")}
    done = _start(bundle, "--attack", LONG)
    out, said = done.communicate(timeout=300)
    assert done.returncode == 0, said
    assert json.loads(out)["rows"]
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


FAILS = """
from toolkit.attacks.residual_decoder import ResidualDecoder
from toolkit.errors import UnknownNameError

class Fails(ResidualDecoder):
    def train(self, knowledge):
        raise UnknownNameError("kind of picture", "oval", ("round", "square"))
"""


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_attacks_error_is_the_same_sentence_from_a_worker(bundle, tmp_path, workers):
    own = tmp_path / "own"
    own.mkdir()
    (own / "fails.py").write_text(FAILS)
    # a further folder of attacks, in every process
    (own / "sitecustomize.py").write_text(f"import toolkit.attacks\ntoolkit.attacks.__path__.append({str(own)!r})\n")
    place = os.pathsep.join([str(own), str(ROOT)])
    done = _start(bundle, "--attack", "fails", PRIPRO_WORKERS=workers, PYTHONPATH=place)
    out, said = done.communicate(timeout=300)
    assert done.returncode == 2, said
    assert not out
    assert "error: There is no kind of picture named 'oval'; choose one of: round, square." in said
    assert "Traceback" not in said
