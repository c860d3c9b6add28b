import pytest
import torch

from toolkit.datasets._data import load_data
from toolkit.errors import InputError, UnknownNameError
from toolkit.evaluate.tasks import make_task, slant, stroke
from toolkit.records.bundle import Preprocess

PLAIN = Preprocess(channels=1, height=28, width=28, mean=[0.0], std=[1.0])


def _bar(shear: float, width: float = 3.0) -> torch.Tensor:
    down = torch.arange(28.0)[:, None] - 13.5
    across = torch.arange(28.0)[None, :] - 13.5
    return ((across - shear * down).abs() < width / 2).float()[None]


def test_slant_is_the_shear_of_the_ink():
    assert slant(_bar(0.0)).item() == pytest.approx(0.0, abs=0.02)
    assert slant(_bar(0.3)).item() == pytest.approx(0.3, abs=0.05)
    assert slant(_bar(-0.3)).item() == pytest.approx(-0.3, abs=0.05)


def test_stroke_grows_with_the_width():
    assert stroke(_bar(0.0, 3)) < stroke(_bar(0.0, 6))


def test_terciles_cannot_be_derived_from_the_label():
    data = load_data("digits", PLAIN)
    part = data.attacker_train
    task = make_task("slant", (part.images, part.labels), (data.test.images, data.test.labels))
    for label in range(10):
        shares = torch.bincount(task.train[part.labels == label], minlength=3) / (part.labels == label).sum()
        assert shares.max() < 0.37
    assert 0.28 < task.chance < 0.40


def test_an_unknown_task_lists_the_known():
    one = torch.rand(4, 1, 28, 28), torch.zeros(4, dtype=torch.long)
    with pytest.raises(UnknownNameError, match="slant"):
        make_task("salnt", one, one)


def test_the_three_parties_share_no_image():
    data = load_data("digits", PLAIN)
    parts = (data.victim_train, data.victim_val, data.attacker_train, data.test)
    seen: set[bytes] = set()
    for part in parts:
        mine = {image.numpy().tobytes() for image in part.images}
        assert not mine & seen
        seen |= mine
    assert len(seen) == sum(len(part) for part in parts)


def test_a_sweep_that_does_not_fit_is_one_sentence(tmp_path):
    from toolkit.evaluate.sweep import read_config

    path = tmp_path / "sweep.toml"
    for text in (
        "data = ",
        'data = "digits"',
        'data = "digits"\nmethods = []\nnetwork = []\nattack = []\nsurprise = 1',
    ):
        path.write_text(text)
        with pytest.raises(InputError) as caught:
            read_config(path)
        assert "\n" not in str(caught.value)
