"""What a user may choose of a waist, and what is refused before anything is opened."""

import pytest

from toolkit.protect.settings import ProtectSettings


@pytest.mark.parametrize(
    ("setting", "word"),
    [
        ({"max_bytes": 100}, "--max-bytes"),
        ({"encoder": "deep"}, "--encoder"),
        ({"encoder_work": 1.5}, "--encoder-work"),
        ({"encoder_work": "abc"}, "ratio"),
        ({"encoder_work": "inf"}, "ratio"),
    ],
)
def test_a_waist_setting_without_a_waist_is_refused(setting, word):
    with pytest.raises(ValueError, match=word):
        ProtectSettings(train="injector", **setting)


def test_work_for_a_branch_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="--encoder deep"):
        ProtectSettings(train="all", encoder="flat", encoder_work=0.5)
