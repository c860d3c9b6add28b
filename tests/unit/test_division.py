"""Where a data set says itself what its photos are for."""

import hashlib

import numpy as np
import pytest

from toolkit.datasets._division import ATTACKER_TRAIN, TESTED, VICTIM_TRAIN, VICTIM_VAL, divide
from toolkit.datasets.base import TEST, TRAIN, VAL

COUNT = 2000
DIGESTS = np.stack([np.frombuffer(hashlib.sha256(b"%d" % n).digest(), np.uint8) for n in range(COUNT)])


def shares(said: list[int]) -> dict[int, dict[int, float]]:
    """What is said -> the share of each part."""
    told = np.repeat(said, COUNT // len(said)).astype(np.uint8)
    part, _ = divide(DIGESTS, told, 0)
    return {one: {p: float((part[told == one] == p).mean()) for p in np.unique(part[told == one])} for one in said}


def test_photos_kept_for_the_test_are_the_test_part():
    found = shares([TRAIN, TEST])
    assert found[TEST] == {TESTED: 1.0}
    assert found[TRAIN] == pytest.approx({VICTIM_TRAIN: 0.55, VICTIM_VAL: 0.15, ATTACKER_TRAIN: 0.30}, abs=0.05)


def test_without_them_validation_photos_are_the_test_part():
    assert shares([TRAIN, VAL])[VAL] == {TESTED: 1.0}


def test_with_both_the_accuracy_is_watched_on_validation_photos_alone():
    found = shares([TRAIN, VAL, TEST, TRAIN])
    assert found[VAL] == {VICTIM_VAL: 1.0}
    assert found[TEST] == {TESTED: 1.0}
    assert found[TRAIN] == pytest.approx({VICTIM_TRAIN: 0.65, ATTACKER_TRAIN: 0.35}, abs=0.05)
