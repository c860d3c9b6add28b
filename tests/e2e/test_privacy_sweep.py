"""The sweep: a finished cell is never computed again, and Ray gives the same figures as one process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from require import require_package
from safetensors.torch import save_file

from toolkit.errors import InputError
from toolkit.evaluate.sweep import as_rows, cell_path, finished, list_cells, read_config, run_sweep
from toolkit.families import cifar_alexnet

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SWEEP = """
anyway = true
data = "digits"
methods = ["gaussian"]
epochs = 1
draws = 1
attacker_images = 60
test_images = 60
[[attack]]
name = "attribute"
tasks = ["slant"]
observations = [1]
[[attack]]
name = "averaging"
tasks = ["slant"]
observations = [2]
[budget]
steps = 20
rounds = 1
rates = [0.003]
width = 16
[[network]]
name = "net"
source = "cifar_alexnet"
weights = "WEIGHTS"
cuts = ["features.12"]
preprocess = { channels = 1, height = 32, width = 32, mean = [0.0], std = [1.0] }
"""


def _sweep(folder: Path) -> Path:
    torch.manual_seed(0)
    weights = folder / "weights.safetensors"
    save_file(cifar_alexnet.build(1, 10).state_dict(), weights)
    path = folder / "sweep.toml"
    path.write_text(SWEEP.replace("WEIGHTS", str(weights)))
    return path


def test_a_network_right_by_chance_is_refused_before_any_attack(tmp_path):
    config = read_config(_sweep(tmp_path)).model_copy(update={"anyway": False, "test_images": 60})
    with pytest.raises(InputError, match=r"by chance.*anyway = true"):
        run_sweep(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"\xff\xfe\x00", "is not TOML"), (b"data = 3\n", "does not fit"), (None, "cannot be read")],
    ids=["bytes", "values", "missing"],
)
def test_a_file_that_is_no_sweep_is_one_sentence(tmp_path, content, words):
    if content is not None:
        (tmp_path / "sweep.toml").write_bytes(content)
    with pytest.raises(InputError, match=words):
        read_config(tmp_path / "sweep.toml")


def test_a_damaged_cell_is_one_sentence(tmp_path):
    config = read_config(_sweep(tmp_path))
    path = cell_path(tmp_path / "out", list_cells(config)[0])
    path.parent.mkdir(parents=True)
    path.write_text("{")
    for look in (finished, run_sweep):
        with pytest.raises(InputError, match="is not a finished cell"):
            look(config, tmp_path / "out")


def _figures(results):
    return [(result.cell.method, [row.model_dump() for row in result.rows]) for result in results]


def test_a_finished_cell_is_never_computed_again(tmp_path, monkeypatch):
    config = read_config(_sweep(tmp_path))
    first = run_sweep(config, tmp_path / "out")
    cells = list_cells(config)
    assert [cell.method for cell in cells] == ["none", "gaussian"]
    assert [row.observations for row in first[1].rows] == [1, 2]
    assert [row.attack for row in first[0].rows] == ["attribute"]

    import toolkit.evaluate.cells as running

    def never(*_: object, **_more: object) -> None:
        pytest.fail("a finished cell was computed again")

    monkeypatch.setattr(running, "run_cell", never)
    assert _figures(run_sweep(config, tmp_path / "out")) == _figures(first)
    # a lost cell is the only one that is missed
    cell_path(tmp_path / "out", cells[1]).unlink()
    with pytest.raises(pytest.fail.Exception):
        run_sweep(config, tmp_path / "out")


def test_behind_a_waist_few_codes_cross_and_the_unprotected_cell_is_the_same(tmp_path):
    config = read_config(_sweep(tmp_path))
    narrow = config.model_copy(update={"train": "waist"})
    bare, gaussian = run_sweep(narrow, tmp_path / "out")
    assert cell_path(tmp_path, bare.cell) == cell_path(tmp_path, list_cells(config)[0])
    assert cell_path(tmp_path, gaussian.cell) != cell_path(tmp_path, list_cells(config)[1])
    assert gaussian.cell.train == "waist"
    # unprotected features cross as float32, behind the waist entropy-coded codes of about 2 bits
    assert gaussian.message_bytes < bare.message_bytes / 16
    assert [row.observations for row in gaussian.rows] == [1, 2]


def test_ray_gives_the_same_figures(tmp_path):
    require_package("ray", "cluster")
    path = _sweep(tmp_path)
    tables = []
    for number, extra in enumerate(([], ["--ray", "local"])):
        command = [
            sys.executable,
            "-m",
            "toolkit.cli.main",
            "sweep",
            str(path),
            "-o",
            str(tmp_path / str(number)),
            "--json",
        ]
        done = subprocess.run(
            [*command, "--json", *extra],
            capture_output=True,
            text=True,
            cwd=ROOT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            check=False,
        )
        assert done.returncode == 0, done.stderr
        tables.append(json.loads(done.stdout)["rows"])
    assert tables[0] == tables[1]


def test_processes_of_torchrun_share_the_cells_and_the_first_shows_them_all(tmp_path):
    path = _sweep(tmp_path)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "toolkit"]
    done = subprocess.run(
        [*command, "sweep", str(path), "-o", str(tmp_path / "out"), "--json"],
        capture_output=True, text=True, check=False, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads(done.stdout)["rows"]  # one JSON text, of the first process
    alone = run_sweep(read_config(path), tmp_path / "alone")
    assert rows == json.loads(json.dumps(as_rows(alone)))
