"""A network that is right by chance only was given other data, or labels in another order: that is said at once."""

import pytest
import torch
from safetensors.torch import save_file

from toolkit.datasets._chance import refuse_chance
from toolkit.datasets._data import load_data
from toolkit.datasets._preprocess import preprocess_for
from toolkit.errors import InputError


def drawn(seed, count, classes):
    return torch.randint(0, classes, (count,), generator=torch.Generator().manual_seed(seed))


def test_a_good_network_passes_and_its_accuracy_comes_back():
    labels = drawn(0, 500, 10)
    answers = torch.where(drawn(1, 500, 50) == 0, drawn(2, 500, 10), labels)
    assert refuse_chance(answers, labels, "x") == (answers == labels).float().mean().item() > 0.95


def test_labels_in_another_order_are_noticed():
    labels = drawn(0, 1000, 10)
    order = torch.tensor([9, 4, 8, 7, 2, 1, 6, 5, 3, 0])  # zero, one, two ... by the alphabet: 6 stays where it is
    with pytest.raises(InputError, match=r"right about \d+\.\d% of 1000 photos of folder:x, .* by chance.*--labels"):
        refuse_chance(order[labels], labels, "folder:x")


def test_one_answer_for_everything_is_chance_however_often_it_is_true():
    labels = (drawn(0, 1000, 10) == 0).long()
    with pytest.raises(InputError, match="by chance"):
        refuse_chance(torch.zeros(1000, dtype=torch.long), labels, "x")
    refuse_chance(labels, labels, "x")


def test_an_untrained_network_is_noticed_and_few_or_unlabelled_photos_are_not_judged():
    with pytest.raises(InputError, match="by chance"):
        refuse_chance(drawn(0, 200, 5), drawn(1, 200, 5), "x")
    refuse_chance(drawn(0, 10, 5), drawn(1, 10, 5), "x")
    assert refuse_chance(drawn(0, 100, 5), torch.full((100,), -1), "x") != refuse_chance
    one = torch.zeros(100, dtype=torch.long)
    assert refuse_chance(one, one, "x") == 1.0


def test_a_weak_network_that_knows_something_passes():
    labels = drawn(0, 2000, 10)
    answers = torch.where(drawn(1, 2000, 10) < 2, labels, drawn(2, 2000, 10))
    assert 0.2 < refuse_chance(answers, labels, "x") < 0.35


def test_far_below_what_was_recorded_is_noticed():
    labels = drawn(0, 400, 10)
    half = torch.where(drawn(1, 400, 2) == 0, labels, drawn(2, 400, 10))
    with pytest.raises(InputError, match=r"was right about 98\.0% when the bundle was made"):
        refuse_chance(half, labels, "x", 0.98)
    refuse_chance(half, labels, "x", 0.58)


@pytest.mark.slow
def test_protect_and_partition_stop_before_anything_is_written(tmp_path):
    from toolkit.families import digits_resnet
    from toolkit.partition.settings import PartitionSettings
    from toolkit.partition.start import start
    from toolkit.protect.fuse import protect
    from toolkit.protect.settings import ProtectSettings

    torch.manual_seed(0)
    save_file(digits_resnet.build(1, 10).state_dict(), tmp_path / "untrained.safetensors")
    common = {
        "source": "digits_resnet",
        "input": "1x28x28",
        "cut": "layer1",
        "weights": tmp_path / "untrained.safetensors",
    }
    with pytest.raises(InputError, match="by chance"):
        start(PartitionSettings(**common, data="digits"), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    bundle = start(PartitionSettings(**common, data="digits", anyway=True), tmp_path / "bundle")
    assert bundle.manifest.model.accuracy < 0.3
    assert bundle.manifest.model.data == load_data("digits", preprocess_for((1, 28, 28))).ref
    before = (tmp_path / "bundle" / "manifest.json").read_bytes()
    with pytest.raises(InputError, match="by chance"):
        protect(bundle, ProtectSettings(method="gaussian", data="digits"))
    assert (tmp_path / "bundle" / "manifest.json").read_bytes() == before
    record = protect(bundle, ProtectSettings(method="gaussian", data="digits", anyway=True))
    assert record.data == bundle.manifest.model.data
