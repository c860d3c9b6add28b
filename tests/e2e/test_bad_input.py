"""What a user may get wrong: one sentence each, exit code 2, no traceback, nothing half written."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from parity_bundle import replace_file
from require import require
from safetensors.torch import save_file

from toolkit.bundle import Bundle
from toolkit.cli.main import app, guarded
from toolkit.families import digits_resnet
from toolkit.pipeline.build import build
from toolkit.pipeline.config import read_config

pytestmark = pytest.mark.slow

SMALL = ["--input", "1x28x28"]


def pripro(capfd, *arguments: object) -> tuple[int, str]:
    code = guarded(lambda: app([str(argument) for argument in arguments]))
    told = capfd.readouterr()
    return code, told.err


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    save_file(digits_resnet.build(1, 10).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory, weights) -> Path:
    root = tmp_path_factory.mktemp("finished") / "bundle"
    steps = (
        ["partition", "digits_resnet", *SMALL, "--cut", "layer1", "--weights", weights, "-o", root],
        ["protect", root, "--method", "gaussian", "--data", "digits", "--anyway"],
        ["convert", root, "--to", "onnx"],
        ["package", root],
    )
    for step in steps:
        assert guarded(lambda step=step: app([str(part) for part in step])) == 0
    return root


@pytest.fixture
def bundle(tmp_path, finished) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "bundle"))


def state(root: Path) -> dict[str, bytes]:
    files = [path for path in root.rglob("*") if path.is_file() and ".staging" not in path.parts]
    return {str(path.relative_to(root)): path.read_bytes() for path in files}


def one_sentence(told: str) -> str:
    lines = [line for line in told.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1, told
    assert "Traceback" not in told
    assert told.count("error: ") == 1
    return lines[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["cuts", "resnet81"], "resnet18"),
        (["cuts", "resnet18", "--input", "224"], "3x224x224"),
        (["cuts", "digits_resnet", "--input", "3x0x28"], "3x224x224"),
        (["cuts", "no.such.module:net"], "cannot be imported"),
        (["cuts", "toolkit.errors:PriproError"], "torch.nn.Module"),
        (["cuts", "nowhere.pt2"], "There is no file"),
        (["partition", "digits_resnet", *SMALL, "--cut", "layer9", "-o", "OUT"], "layer1"),
        (["partition", "digits_resnet", *SMALL, "--cut", "layer2.conv1", "-o", "OUT"], "layer1 and layer2"),
        (["partition", "digits_resnet", "--input", "2x28x28", "--cut", "layer1", "-o", "OUT"], "channels"),
        (["partition", "digits_resnet", *SMALL, "--cut", "layer1", "--mean", "a", "-o", "OUT"], "numbers"),
        (["partition", "digits_resnet", *SMALL, "--cut", "layer1", "--weights", "none.pth", "-o", "OUT"], "no weights"),
        (["partition", "digits_resnet", *SMALL, "--cut", "layer1", "--labels", "none.txt", "-o", "OUT"], "class names"),
        (["protect", "OUT"], "is not a bundle"),
        (["convert", "OUT"], "is not a bundle"),
        (["run", "none.toml"], "There is no file"),
    ],
)
def test_before_there_is_a_bundle(capfd, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    code, told = pripro(capfd, *[str(tmp_path / "out") if part == "OUT" else part for part in arguments])
    assert code == 2
    assert words in one_sentence(told)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["protect", "--method", "magic", "--data", "digits"], "gaussian"),
        (["protect", "--method", "pripro"], "--data"),
        (["protect", "--method", "gaussian", "--data", "digit"], "folder:DIR"),
        (["protect", "--method", "gaussian", "--data", "folder:/nowhere"], "There is no folder"),
        (["protect", "--method", "gaussian", "--option", "loud=1"], "loud"),
        (["protect", "--method", "gaussian", "--option", "loud"], "NAME=NUMBER"),
        (["protect", "--method", "gaussian", "--max-accuracy-drop", "101%"], "percentage"),
        (["convert", "--to", "caffe"], "onnx"),
        (["convert", "--to", "onnx", "--precision", "fp64"], "fp32"),
        (["convert", "--to", "onnx", "--backend", "npu"], "cpu"),
        (["package", "--name", "../x"], "letters"),
        (["package", "--goldens", "/nowhere"], "There is no folder /nowhere"),
        (["verify", "--tail", "http://127.0.0.1:9"], "127.0.0.1:9"),
        (["verify", "--tail", "no url"], "URL"),
    ],
)
def test_with_a_bundle(capfd, bundle, arguments, words):
    before = state(bundle)
    verb, *rest = arguments
    code, told = pripro(capfd, verb, bundle, *rest)
    assert code == 2
    assert words in one_sentence(told)
    assert state(bundle) == before


def test_an_unknown_manifest_key(capfd, bundle):
    path = bundle / "manifest.json"
    raw = json.loads(path.read_text()) | {"surprise": 1}
    path.write_text(json.dumps(raw))
    code, told = pripro(capfd, "verify", bundle)
    assert code == 2
    assert "surprise" in one_sentence(told)


@pytest.mark.parametrize("name", ["truncated.safetensors", "truncated.pth", "bomb.pth", "other.safetensors"])
def test_unusable_weights(capfd, tmp_path, weights, name):
    path, mark = tmp_path / name, tmp_path / "mark"
    if name == "truncated.safetensors":
        path.write_bytes(weights.read_bytes()[:-9])
    elif name == "truncated.pth":
        torch.save(digits_resnet.build(1, 10).state_dict(), path)
        path.write_bytes(path.read_bytes()[:-999])
    elif name == "bomb.pth":

        class Bomb:
            def __reduce__(self):
                return os.system, (f"touch {mark}",)

        torch.save({"x": Bomb()}, path)
    else:
        save_file({"x": torch.zeros(1)}, path)
    out = tmp_path / "out"
    code, told = pripro(capfd, "partition", "digits_resnet", *SMALL, "--cut", "layer1", "--weights", path, "-o", out)
    assert code == 2
    assert name in one_sentence(told)
    assert not out.exists()
    assert not mark.exists()


@contextlib.contextmanager
def mounted(place: Path, options: str):
    require(os.geteuid() == 0 and shutil.which("mount") is not None, "the right to mount a tmpfs", "running as root")
    place.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize(
    "arguments",
    [
        ["protect", "--method", "none", "--data", "digits", "--anyway"],
        ["package"],
        ["convert", "--to", "executorch"],
        ["convert", "--to", "coreml"],
        ["convert", "--to", "tflite"],
    ],
    ids=lambda arguments: arguments[-1],
)
def test_a_full_disk(capfd, tmp_path, finished, arguments):
    place = tmp_path / "small"
    with mounted(place, "size=48m"):
        root = Path(shutil.copytree(finished, place / "bundle"))
        before = state(root)
        free = shutil.disk_usage(place).free
        (place / "filler").write_bytes(bytes(free - 4096))
        verb, *rest = arguments
        code, told = pripro(capfd, verb, root, *rest)
        assert code == 2, told
        assert "No space left" in one_sentence(told)
        assert state(root) == before
        (place / "filler").unlink()
        assert pripro(capfd, verb, root, *rest)[0] == 0


def test_a_read_only_folder(capfd, tmp_path, finished):
    place = tmp_path / "fixed"
    with mounted(place, "size=64m"):
        root = Path(shutil.copytree(finished, place / "bundle"))
        before = state(root)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        code, told = pripro(capfd, "package", root)
        assert code == 2
        assert "cannot be written" in one_sentence(told)
        code, told = pripro(capfd, "partition", "digits_resnet", *SMALL, "--cut", "layer1", "-o", place / "new")
        assert code == 2
        assert "cannot be made" in one_sentence(told)
        assert state(root) == before


#: (what writes a report, a key of it), as brief as each can be
REPORTING = [
    (["verify"], "passed"),
    (["measure", "--quick"], "rows"),
    (["evaluate", "--effort", "quick", "--attack", "attribute", "--attacker-images", "40"], "headline"),
]
PLAN = ["plan", "--measured", "3", "--encoding", "uint8", "--protection", "gaussian"]


@pytest.mark.parametrize("as_json", [False, True], ids=["table", "json"])
@pytest.mark.parametrize(("arguments", "key"), REPORTING, ids=[words[0] for words, _ in REPORTING])
def test_a_report_of_a_read_only_bundle_is_shown(capfd, tmp_path, finished, arguments, key, as_json):
    _shown_and_not_kept(capfd, tmp_path, finished, arguments, key, as_json)


def test_a_plan_on_a_read_only_bundle_is_shown(capfd, tmp_path, finished):
    _shown_and_not_kept(capfd, tmp_path, finished, PLAN, "recommendations", as_json=False)  # JSON: test_latency_measure


def _shown_and_not_kept(capfd, tmp_path, finished, arguments, key, as_json):
    place = tmp_path / "fixed"
    with mounted(place, "size=64m"):
        root = Path(shutil.copytree(finished, place / "bundle"))
        before = state(root)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        verb, *rest = arguments
        words = [verb, str(root), *rest, *(["--json"] if as_json else [])]
        code = guarded(lambda: app(words))
        told = capfd.readouterr()
        assert code == 0, told.err
        first = told.err.strip().splitlines()[0]
        assert "cannot be written to: the result is shown and not kept" in first, "before the work"
        assert "error: " not in told.err
        assert "written: " not in told.err
        if as_json:
            assert key in json.loads(told.out)
        else:
            assert len(told.out.splitlines()) > 2
        assert state(root) == before


def test_a_verdict_on_a_read_only_bundle_is_the_exit_code(capfd, tmp_path, finished):
    place = tmp_path / "fixed"
    with mounted(place, "size=64m"):
        root = Path(shutil.copytree(finished, place / "bundle"))
        replace_file(Bundle.open(root), "onnx", "fp32", b"no model")
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        assert guarded(lambda: app(["verify", str(root), "--json"])) == 1
        told = capfd.readouterr()
        assert json.loads(told.out)["passed"] is False
        assert "shown and not kept" in told.err


def test_a_run_on_a_read_only_bundle_shows_what_it_measures(capfd, tmp_path, finished, weights):
    """Everything is built; that nothing was verified yet makes no command fail."""
    place = tmp_path / "fixed"
    with mounted(place, "size=64m"):
        shutil.copy(weights, place / "w.safetensors")
        (place / "deploy.toml").write_text(
            'bundle = "bundle"\n[network]\nsource = "digits_resnet"\nweights = "w.safetensors"\n'
            'input = "1x28x28"\ncut = "layer1"\n[protect]\nmethod = "gaussian"\ndata = "digits"\nanyway = true\n'
            '[convert.targets]\nonnx = ["fp32"]\n[measure]\nquick = true\n'
        )
        build(read_config(place / "deploy.toml"), lambda done, total, text: None)
        before = state(place)
        subprocess.run(["mount", "-o", "remount,ro", str(place)], check=True)
        assert guarded(lambda: app(["run", str(place / "deploy.toml"), "--json"])) == 0
        told = capfd.readouterr()
        assert json.loads(told.out)["parity"]["passed"] is True
        assert "shown and not kept" in told.err.strip().splitlines()[0]
        assert state(place) == before


def test_a_missing_extra(tmp_path, finished):
    hide = tmp_path / "sitecustomize.py"
    hide.write_text(
        "import importlib.util as u\n_find = u.find_spec\n"
        "u.find_spec = lambda name, package=None: None if name == 'coremltools' else _find(name, package)\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cli.main", "convert", str(finished), "--to", "coreml"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "pip install 'pripro-toolkit[coreml]'" in one_sentence(done.stderr)


#: what `pip install 'pripro-toolkit[tail]'` leaves out, as if it were not installed
WITHOUT = """
import sys
from importlib.machinery import PathFinder
HIDDEN = ("torch", "torchvision", "executorch", "coremltools", "litert_torch", "onnx", "onnxscript", "skimage", "PIL")

class Without:
    @staticmethod
    def find_spec(name, path=None, target=None):
        return None if name.partition(".")[0] in HIDDEN else PathFinder.find_spec(name, path, target)

sys.meta_path[sys.meta_path.index(PathFinder)] = Without
"""


@pytest.mark.parametrize(
    "arguments", [["cuts", "resnet18"], ["plan", "resnet18"], ["verify", "."], ["doctor"]], ids=lambda words: words[0]
)
def test_a_tail_only_install(tmp_path, arguments):
    (tmp_path / "sitecustomize.py").write_text(WITHOUT)
    done = subprocess.run(
        [sys.executable, "-m", "toolkit.cli.main", *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(tmp_path), str(Path(__file__).parents[2])))},
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    if arguments == ["doctor"]:  # it is there to tell what is missing
        assert done.returncode in (0, 1), done.stderr
        assert "torch" in done.stdout
    else:
        assert done.returncode == 2
        assert "pip install 'pripro-toolkit[torch]'" in one_sentence(done.stderr)


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 123456\n"


@pytest.mark.parametrize("room", ["model", "protection", "golden", "tail", "head"])
@pytest.mark.parametrize("left", [None, b"", POINTER], ids=["deleted", "empty", "pointer"])
def test_a_file_of_the_bundle_is_gone(capfd, bundle, room, left):
    for path in (bundle / room).rglob("*.*"):
        if path.is_file():
            path.unlink()
            if left is not None:
                path.write_bytes(left)
    for verb in ("verify", *(["convert", "package"] if room in ("model", "protection") else [])):
        code, told = pripro(capfd, verb, bundle)
        said = one_sentence(told)
        assert code == 2
        assert str(bundle / room) in said
        assert ("is missing" if left is None else "changed") in said, said
        assert "run" in said, "what to do"


def test_no_classes_and_paths_that_no_system_takes(capfd, bundle):
    code, told = pripro(capfd, "cuts", "resnet18", "--classes", "0")
    assert code == 2
    assert "Traceback" not in told
    assert "1" in told
    for words in (
        ("verify", bundle, "--device-report", "x" * 300),
        ("demo-app", "android", bundle, "--app", "x" * 300),
    ):
        code, told = pripro(capfd, *words)
        assert code == 2
        assert "longer than a path can be" in one_sentence(told)
