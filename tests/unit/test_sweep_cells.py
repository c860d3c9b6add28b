"""Which cells a sweep asks for."""

import pytest

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
