import pytest
import torch

from toolkit.attacks.base import Training
from toolkit.evaluate.outcome import Outcome
from toolkit.evaluate.outcome_cache import OutcomeCache


def _outcome() -> Outcome:
    pictures = torch.rand(3, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    return Outcome(
        torch.tensor([0.1, 0.2, 0.3]), torch.tensor([1.0, 0.0, 0.0]), 0.1, torch.tensor([0.5, 0.6, 0.7]),
        pictures=pictures,
        trainings=(Training("decoder", 50, 1e-3, 20, True, (0.5, 0.25)),),
    )  # fmt: skip


def test_a_finished_attack_is_read_back_to_the_bit(tmp_path):
    made = []

    def make() -> Outcome:
        made.append(1)
        return _outcome()

    cache = OutcomeCache(tmp_path / "cache")
    first, second = (cache.get({"seed": 0}, make) for _ in range(2))
    assert len(made) == 1
    assert (first.accuracy, first.chance) == (second.accuracy, second.chance)
    assert torch.equal(first.success, second.success)
    assert torch.equal(first.pictures, second.pictures)
    assert second.psnr is None
    assert second.trainings == first.trainings
    cache.get({"seed": 1}, make)
    assert len(made) == 2


def test_a_damaged_file_is_made_anew(tmp_path):
    cache = OutcomeCache(tmp_path)
    cache.get({}, _outcome)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:20])
    assert cache.get({}, _outcome).accuracy == pytest.approx(1 / 3)


def test_what_a_second_folder_has_is_found_and_not_written_again(tmp_path):
    OutcomeCache(tmp_path / "of a bundle that nobody may write to").get({"seed": 0}, _outcome)
    read = OutcomeCache(tmp_path / "of a bundle that nobody may write to", keep=False)
    assert read.get({"seed": 1}, _outcome).chance == 0.1
    assert read.find({"seed": 1}) is None
    cache = OutcomeCache(tmp_path / "for now", beside=read.folder)
    assert cache.find({"seed": 0}).trainings == _outcome().trainings
    cache.get({"seed": 1}, _outcome)
    assert cache.path({"seed": 1}).is_file()
    assert not cache.path({"seed": 0}).exists()
