"""The latency model: exact where it was measured, honest about the rest; costs that agree with torch's own count."""

import numpy as np
import pytest

from toolkit.partition.cuts import list_cuts
from toolkit.partition.network import load_network
from toolkit.plan.between import between, block_of
from toolkit.plan.costs import KINDS, costs_at_cuts, costs_of_block
from toolkit.plan.measuring import spread
from toolkit.plan.model import fit

MAC_KINDS = [KINDS.index(name) for name in KINDS if name.endswith("_macs")]


def cumulative(generator: np.random.Generator, count: int) -> np.ndarray:
    steps = generator.uniform(0, 1, (count, len(KINDS))) * np.array([3e7, 3e7, 1e7, 1e6, 1e6, 1e6, 3])
    return np.cumsum(steps, axis=0)


def test_measured_cuts_keep_their_measured_value() -> None:
    counts = cumulative(np.random.default_rng(0), 5)
    times = [3.0, 7.0, 8.0, 15.0, 16.0]
    model = fit({str(i): (row, ms) for i, (row, ms) in enumerate(zip(counts, times, strict=True))})
    assert [model.predict(row) for row in counts] == pytest.approx(times, rel=1e-6)


def test_unmeasured_cuts_are_predicted_where_speed_differs_by_kind() -> None:
    """Large maps run three times slower per MAC here than the model's start supposes."""
    generator = np.random.default_rng(1)
    counts = cumulative(generator, 24)
    speed = np.array([3e-7, 1e-7, 1.2e-7, 6e-7, 4e-7, 1e-6, 1e-3])
    times = counts @ speed * generator.normal(1, 0.02, len(counts))
    chosen = spread(times.tolist(), 6)
    model = fit({str(i): (counts[i], float(times[i])) for i in chosen})
    others = [i for i in range(len(counts)) if i not in chosen]
    errors = [abs(model.predict(counts[i]) / times[i] - 1) for i in others]
    assert np.median(errors) < 0.06
    assert 0 < model.error_median < 0.5
    assert model.error_worst >= model.error_median


def test_three_measurements_are_the_least() -> None:
    with pytest.raises(ValueError, match="needs 3"):
        fit({"a": (np.ones(len(KINDS)), 1.0), "b": (np.ones(len(KINDS)), 2.0)})


def test_spread_covers_both_ends_and_counts_folded_operators_once() -> None:
    costs = [1.0, 1.0, 1.0, 4.0, 9.0, 9.0, 16.0, 25.0, 36.0]
    chosen = spread(costs, 4)
    assert len({costs[index] for index in chosen}) == 4
    assert costs[chosen[0]] == 1.0
    assert costs[chosen[-1]] == 36.0


def test_macs_agree_with_the_count_of_the_cuts() -> None:
    network = load_network("digits_resnet", (1, 28, 28))
    cuts = list_cuts(network)
    counts, whole = costs_at_cuts(network, cuts)
    for cut in cuts:
        assert counts[cut.name][MAC_KINDS].sum() == pytest.approx(cut.head_macs, rel=1e-9)
    assert whole[MAC_KINDS].sum() == pytest.approx(cuts[-1].head_macs + cuts[-1].tail_macs, rel=1e-9)


def test_a_block_costs_more_on_larger_features() -> None:
    small = block_of("pripro", (16, 7, 7))
    large = block_of("pripro", (16, 28, 28))
    assert small is not None
    assert large is not None
    moved = KINDS.index("moved_elements")
    here, there = (costs_of_block(b, b.features, b.eps_shape())[moved] for b in (small, large))
    assert there > 4 * here > 0


def test_a_colour_photo_gets_the_waist_that_protect_makes_by_default() -> None:
    network = load_network("resnet18", (3, 64, 64))
    cuts = [cut for cut in list_cuts(network) if cut.name in {"layer1", "layer2", "layer4"}]
    beside = between(network, cuts, "pripro", "waist")
    shapes = {name: at.waist.geometry.shape for name, at in beside.items() if at.waist is not None}
    assert shapes == {"layer1": (24, 2, 2), "layer2": (48, 1, 1), "layer4": (24, 1, 1)}
    assert beside["layer1"].most_bytes == 34
    # the deep branch is counted, where there is one
    assert beside["layer2"].waist is not None
    assert beside["layer2"].waist.geometry.deep > 0
