"""What `protect` trains where the user left it open, and what a waist keeps of an answer."""

from types import SimpleNamespace
from typing import Any

import pytest

from toolkit.protect.fuse import with_train
from toolkit.protect.settings import ProtectSettings


def _chosen(
    count: int | None, channels: int = 3, shape: tuple[int, ...] = (10,), **settings: Any
) -> tuple[ProtectSettings, list[str]]:
    halves, told = SimpleNamespace(image=(channels, 32, 32), task=SimpleNamespace(shapes=[shape])), []
    data = None if count is None else SimpleNamespace(victim_train=range(count))
    return with_train(ProtectSettings(**settings), halves, data, told.append), told  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("count", "channels", "settings", "trained"),
    [
        (5000, 3, {}, "all"),
        (4999, 3, {}, "injector"),
        (5000, 1, {}, "injector"),
        (5000, 3, {"method": "none"}, "injector"),
        (5000, 3, {"min_pi": 0.8}, "injector"),
        (5000, 3, {"train": "injector"}, "injector"),
        (100, 3, {"train": "waist"}, "waist"),
        (100, 1, {"max_bytes": 200}, "all"),
        (100, 3, {"answer": "class"}, "all"),
        (None, 3, {}, "injector"),
    ],
)
def test_colour_photos_get_a_waist_if_there_are_enough(count, channels, settings, trained):
    assert _chosen(count, channels, **settings)[0].trained == trained


@pytest.mark.parametrize(
    ("count", "settings", "epochs"),
    [
        (5000, {}, 40),
        (50_000, {}, 32),
        (1_000_000, {}, 16),
        (5000, {"train": "waist"}, 16),
        (4999, {"train": "all"}, 16),
        (5000, {"epochs": 3}, 3),
        (None, {}, 16),
    ],
)
def test_two_phases_get_more_epochs(count, settings, epochs):
    assert _chosen(count, **settings)[0].passes == epochs


def test_an_answer_of_places_has_one_phase():
    assert _chosen(5000, shape=(21, 8, 8))[0].passes == 16


def test_what_was_chosen_for_photos_is_told():
    assert "--train all" in _chosen(5000)[1][0]
    assert "hides little" in _chosen(100)[1][0]
    assert _chosen(100, 1)[1] == []
    assert _chosen(5000, train="injector")[1] == []


def test_nothing_is_written_before_the_choice():
    with pytest.raises(TypeError, match="with_train"):
        _ = ProtectSettings().trained
    with pytest.raises(TypeError, match="with_train"):
        _ = ProtectSettings().passes
