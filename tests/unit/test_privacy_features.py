"""Features are computed once for a set of photos, wherever they lie and in whichever process."""

from pathlib import Path

import torch
from torch import Tensor

from toolkit.evaluate.features import FeatureStore


class Head:
    """Two crossing tensors; counts the photos that it saw."""

    def __init__(self) -> None:
        self.seen = 0

    def __call__(self, images: Tensor) -> list[Tensor]:
        self.seen += len(images)
        return [2 * images, images.mean((2, 3))]


def test_the_first_so_many_photos_of_a_known_set_are_not_computed_again() -> None:
    head, images = Head(), torch.rand(300, 3, 4, 4)
    store = FeatureStore(head)
    every = store.of(images)
    seen = head.seen
    assert [one.data_ptr() for one in store.of(images[:20])] == [one.data_ptr() for one in every]
    assert [len(one) for one in store.of(images[:20])] == [20, 20]
    assert head.seen == seen
    # other photos of the same memory, and equal ones elsewhere, are another set
    assert torch.equal(store.of(images[1:21])[0], 2 * images[1:21])
    assert torch.equal(store.of(images[:20, :, :2])[0], 2 * images[:20, :, :2])
    assert head.seen > seen


def test_another_process_maps_what_this_one_made(tmp_path: Path) -> None:
    images = torch.rand(300, 3, 4, 4)
    made = FeatureStore(Head())
    made.of(images)
    made.file(images, tmp_path, "features-0-attacker")
    assert len(list(tmp_path.iterdir())) == 2
    head = Head()
    found = FeatureStore(head)
    found.map(images, tmp_path, "features-0-attacker")
    for mine, theirs in zip(found.of(images), made.of(images), strict=True):
        assert torch.equal(mine, theirs)
    assert head.seen == 0
    # what one process writes into a mapped tensor stays its own
    found.of(images)[0].zero_()
    again = FeatureStore(head)
    again.map(images, tmp_path, "features-0-attacker")
    assert torch.equal(again.of(images)[0], 2 * images)
