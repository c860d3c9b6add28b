"""A message blames what is at fault: labels and not weights, reading and not writing, the tail and not a head."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from forked_cli import Forked
from photo_files import encoded, folder_of, odd_files, photo
from safetensors.torch import save_file

from toolkit.cli.main import app, guarded
from toolkit.cli.verify import mending
from toolkit.families import digits_resnet
from toolkit.plan.photos import upload_of
from toolkit.verify.rows import Subject

pytestmark = pytest.mark.slow
CUT = ["digits_resnet", "--input", "1x28x28", "--cut", "layer2"]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of ten and of seven classes, and a fresh bundle."""
    folder = tmp_path_factory.mktemp("place")
    torch.manual_seed(0)
    for count in (7, 10):
        save_file(digits_resnet.build(1, count).state_dict(), folder / f"w{count}.safetensors")
    words = ["partition", *CUT, "--weights", str(folder / "w10.safetensors"), "-o", str(folder / "bundle")]
    assert guarded(lambda: app(words)) == 0
    return folder


def refused(capfd: pytest.CaptureFixture[str], *words: object) -> str:
    capfd.readouterr()
    assert guarded(lambda: app([str(word) for word in words])) == 2
    return capfd.readouterr().err.split("error: ")[1]


@pytest.mark.parametrize(
    ("more", "blamed"),
    [
        (["--weights", "w10.safetensors", "--labels", 3], "There are 3 labels for 10 classes"),
        (["--weights", "w7.safetensors", "--labels", 10], "There are 10 labels for 7 classes"),
        (["--weights", "w7.safetensors", "--labels", 10, "--classes", "7"], "There are 10 labels for 7 classes"),
        (["--weights", "w7.safetensors", "--classes", "10"], "a network of 7 classes, and 10 were asked for"),
        (["--labels", 3, "--classes", "10"], "There are 3 labels for 10 classes"),
    ],
)
def test_a_wrong_number_of_labels_is_no_fault_of_the_weights(capfd, place, tmp_path, monkeypatch, more, blamed):
    """It said "w10.safetensors does not fit the network ... give weights trained for this network"."""
    monkeypatch.chdir(place)
    words = []
    for word in more:
        if isinstance(word, int):
            (tmp_path / "labels.txt").write_text("".join(f"class {number}\n" for number in range(word)))
        words.append(str(tmp_path / "labels.txt") if isinstance(word, int) else word)
    said = refused(capfd, "partition", *CUT, *words, "-o", tmp_path / "out")
    assert blamed in said
    assert "trained for this network" not in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("what", ["weights", "manifest.json", "the bundle", "a photo", "the photos", "the program"])
def test_what_cannot_be_read_is_not_said_to_be_unwritable(place, tmp_path, what):
    root = Path(shutil.copytree(place / "bundle", tmp_path / "bundle"))
    photos = folder_of(tmp_path / "photos", 30, size=28)
    weights = Path(shutil.copy(place / "w10.safetensors", tmp_path / "w10.safetensors"))
    protect = ["protect", str(root), "--method", "gaussian", "--data", f"folder:{photos}", "--anyway"]
    words, closed = {
        "weights": (["partition", *CUT, "--weights", str(weights), "-o", str(tmp_path / "new")], weights),
        "manifest.json": (["verify", str(root)], root / "manifest.json"),
        "the bundle": (["report", str(root)], root),
        "a photo": (protect, photos / "cat" / "0.png"),
        "the photos": (protect, photos / "cat"),
        "the program": (protect, next((root / "model").rglob("program.pt2"))),
    }[what]
    closed.chmod(0)
    done = Forked(words, tmp_path, bound=True).wait(120)
    closed.chmod(0o755)
    assert "Traceback" not in done.stderr
    assert "cannot be written" not in done.stderr
    if what == "a photo":  # the others are enough; two classes of ten numbers: told by their place
        assert "1 unreadable (Permission denied) (first: cat/0.png)" in done.stderr
        return
    assert done.returncode == 2
    assert str(closed) in done.stderr
    assert "cannot be read" in done.stderr or "is not readable" in done.stderr, done.stderr


SOUND = Subject("onnx", "fp32", "cpu", "onnx").row("head", "numeric", "", True)
HALF = Subject("coreml", "fp16", "cpu", "coreml")


@pytest.mark.parametrize(
    ("failed", "advice"),
    [
        ([Subject("tail", "", "", "tail").row("end-to-end", "task", "same bundle", False)], "package B, then"),
        ([HALF.row("end-to-end", "task", "", False)], "package B, then"),
        ([HALF.row("task", "task", "", False)], "verify B --explain coreml:fp16"),
        ([HALF.row("head", "numeric", "", False), HALF.row("end-to-end", "task", "", False)], "--explain coreml:fp16"),
        ([HALF.failed("cannot open")], "convert B --to coreml --precision fp16, then"),
        ([HALF.row("head", "privacy", "", False)], "convert B --to coreml --precision fp16, then"),
        ([], "convert B --to onnx, then"),
    ],
)
def test_the_next_command_mends_what_failed(failed, advice):
    """It said "convert, then verify again" whatever was at fault, and the same heads came out again."""
    assert advice in mending(Path("B"), failed)


@pytest.mark.parametrize("verb", ["partition", "protect", "evaluate"])
def test_a_ctrl_c_ends_with_what_it_leaves(place, tmp_path, verb):
    root = Path(shutil.copytree(place / "bundle", tmp_path / "bundle"))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    words = {
        "partition": [*CUT, "--data", "digits", "--force", "-o", str(root)],
        "protect": [str(root), "--data", "digits", "--anyway"],
        "evaluate": [str(root), "--data", "digits"],
    }[verb]
    if verb == "evaluate":
        done = Forked(["protect", str(root), "--method", "none"], tmp_path).wait(120)
        assert done.returncode == 0, done.stderr
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    done = Forked([verb, *words], tmp_path).wait(120, patience=0.5)
    assert done.returncode == 130, done.stderr
    assert "interrupted; the bundle is as it was" in done.stderr
    assert "Traceback" not in done.stderr
    assert {path: path.read_bytes() for path in before} == before


def test_broken_photos_are_left_out_by_name_where_goldens_are_made(capfd, place, tmp_path):
    """Each of them was a traceback of Pillow's."""
    root = Path(shutil.copytree(place / "bundle", tmp_path / "bundle"))
    assert guarded(lambda: app(["protect", str(root), "--method", "none"])) == 0
    folder = tmp_path / "photos"
    folder.mkdir()
    reasons = {
        "._plain.jpg": "hidden", "cut-short.png": "cut short", "empty.jpg": "empty", "page.jpg": "a web page",
        "pointer.png": "a Git LFS pointer", "huge.png": "more than 100 megapixels",
    }  # fmt: skip
    for name in reasons:
        (folder / name).write_bytes(odd_files()[name])
    (folder / "dangling.png").symlink_to("nothing")
    package = ["package", str(root), "--goldens", str(folder), "--goldens-count", "2"]
    said = refused(capfd, *package)
    for reason in (*reasons.values(), "a link to nothing"):
        assert reason in said
    (folder / "sound.png").write_bytes(encoded(photo(1)))
    assert guarded(lambda: app(package)) == 0


def test_plan_takes_photos_by_the_one_definition(tmp_path):
    """It read them in a way of its own: without the files' turn, and hidden files as broken photos."""
    (tmp_path / "._0.jpg").write_bytes(odd_files()["._plain.jpg"])
    (tmp_path / "sideways.jpg").write_bytes(odd_files()["sideways.jpg"])
    stored = photo(6).size
    assert upload_of(tmp_path, 8, 8).photos[0].size == stored[::-1]
    (tmp_path / "cut.jpg").write_bytes(odd_files()["cut-short.jpg"])
    with pytest.raises(Exception, match=r"cut\.jpg is not a readable photo \(cut short\)"):
        upload_of(tmp_path, 8, 8)
