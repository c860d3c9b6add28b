"""Which cells a sweep asks for."""

import pytest
from pydantic import ValidationError

from toolkit.errors import InputError
from toolkit.evaluate.sweep import SweepConfig, list_cells

NETWORK = {
    "name": "net", "source": "cifar_alexnet", "cuts": ["features.2", "features.5"],
    "preprocess": {"channels": 1, "height": 32, "width": 32, "mean": [0.0], "std": [1.0]},
}  # fmt: skip


def _asked(**settings: object) -> list[tuple[int, str, str]]:
    config = SweepConfig.model_validate(
        {"data": "digits", "methods": ["gaussian", "dropout"], "network": [NETWORK], "attack": [], **settings},
        strict=False,
    )
    return [(cell.seed, cell.method, cell.cut) for cell in list_cells(config)]


def test_every_method_at_every_cut_after_the_unprotected_network():
    assert _asked() == [
        (0, method, cut) for method in ("none", "gaussian", "dropout") for cut in ("features.2", "features.5")
    ]


def test_a_method_is_repeated_with_seeds_of_its_own_beside_the_unprotected_network():
    repeated = [cell for cell in _asked(more_seeds={"gaussian": [1, 2]}) if cell[0] > 0]
    assert repeated == [
        (seed, method, cut)
        for seed in (1, 2)
        for method in ("none", "gaussian")
        for cut in ("features.2", "features.5")
    ]


def test_more_seeds_of_an_absent_method_are_refused():
    with pytest.raises(InputError, match="cloak"):
        _asked(more_seeds={"cloak": [1]})


def test_what_is_named_twice_is_one_cell():
    twice = {**NETWORK, "cuts": ["features.2", "features.2"]}
    asked = _asked(methods=["gaussian", "gaussian"], seeds=[0, 0], strengths=[1.0, 1.0], network=[twice])
    assert asked == [(0, "none", "features.2"), (0, "gaussian", "features.2")]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"seeds": []}, "nothing to run"),
        ({"network": []}, "nothing to run"),
        ({"network": [{**NETWORK, "cuts": []}]}, "nothing to run"),
        ({"network": [NETWORK, {**NETWORK, "source": "cifar_vgg11"}]}, "one name"),
        ({"options": {"gaussian": {"epochs": -3}}}, "epochs of gaussian"),
        ({"options": {"gaussian": {"epochs": float("nan")}}}, "epochs of gaussian"),
        ({"options": {"gaussian": {"scale": -1.0}}}, "scale of protection gaussian"),
        ({"attack": [{"name": "residual_decoder", "options": {"loud": 1.0}}]}, "loud"),
        ({"attack": [{"name": "residual_decoder", "observations": [0]}]}, "observations"),
    ],
)
def test_what_gives_no_cell_or_a_wrong_one_is_refused(settings, words):
    with pytest.raises(InputError, match=words):
        _asked(**settings)


@pytest.mark.parametrize(
    "settings",
    [{"seeds": [-1]}, {"strengths": [float("nan")]}, {"epochs": 0}, {"draws": 0}, {"test_images": -5}],
)
def test_numbers_that_cannot_be(settings):
    with pytest.raises(ValidationError, match=next(iter(settings))):
        _asked(**settings)
