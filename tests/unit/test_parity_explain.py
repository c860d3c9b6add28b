"""Which layer an explanation names: the one that departs, and the one that lost what that one only inherited."""

from __future__ import annotations

import numpy as np

from toolkit.verify.eager import EagerLayer, Pair
from toolkit.verify.explain import _compare, _first, _telling_row
from toolkit.verify.replay import Goldens

RNG = np.random.default_rng(0)


def pair(name: str, before: tuple[str, ...], error: float, size: float = 1.0, operator: str = "conv2d") -> Pair:
    """A result of about that root mean square, with an error of exactly that share of it, whatever was drawn."""
    right = size * RNG.standard_normal((1, 4, 16, 16)).astype(np.float32)
    noise = RNG.standard_normal(right.shape)
    noise *= error * np.sqrt(np.square(right).mean() / np.square(noise).mean())
    return Pair([EagerLayer(name, operator, f"backbone.{name}", before, right)], (right + noise).astype(np.float32))


def sentence(*errors: float) -> str:
    pairs = [pair(f"layer{index}", (f"layer{index - 1}",), error) for index, error in enumerate(errors)]
    layers = [_compare(each, 12.0) for each in pairs]
    return _first(pairs, layers, 40.0)


def test_the_layer_that_departs_by_itself_is_named_alone():
    assert sentence(0.01, 0.01, 1.0, 1.0).startswith("the first layer that departs is conv2d at backbone.layer2")
    assert "most was lost" not in sentence(0.01, 0.01, 1.0, 1.0)


def test_a_layer_that_inherits_its_error_is_not_blamed():
    found = sentence(0.01, 0.1, 0.12, 0.3)
    assert "the first layer that departs is conv2d at backbone.layer3" in found
    assert "most was lost by conv2d at backbone.layer1 (40." in found


def test_precision_lost_step_by_step_has_a_worst_step_too():
    found = sentence(0.01, 0.011, 0.1, 0.11, 0.12)
    assert found.startswith("no layer departs; least precise is conv2d at backbone.layer4")
    assert "most was lost by conv2d at backbone.layer2 (39." in found


def test_a_small_summand_is_not_blamed_for_the_error_of_a_large_one():
    pairs = [
        *(pair("stem", (), 0.01), pair("large", ("stem",), 0.1), pair("small", ("stem",), 0.5, size=1e-3)),
        *(pair("sum", ("large", "small"), 0.1, operator="add"), pair("last", ("sum",), 0.11)),
    ]
    layers = [_compare(each, 1.0) for each in pairs]
    found = _first(pairs, layers, 40.0)
    assert "most was lost by conv2d at backbone.large (40." in found


def test_what_the_first_layer_loses_counts_too():
    pairs = [pair("stem", ("p_stem_weight", "image"), 0.2), pair("next", ("stem",), 0.25), pair("last", ("next",), 0.3)]
    found = _first(pairs, [_compare(each, 8.0) for each in pairs], 40.0)
    assert "most was lost by conv2d at backbone.stem (exact to 14." in found


def test_an_overflow_is_named_before_what_departs_without_consequence():
    pairs = [pair("features", ("image",), 0.01, size=400.0), pair("side", ("features",), 2.0)]
    right = pairs[0].chain[-1].value ** 2
    got = np.where(right > 65504.0, np.float32("inf"), right)
    pairs.append(Pair([EagerLayer("square", "mul", "block.attention", ("features",), right)], got))
    found = _first(pairs, [_compare(each, 15.0) for each in pairs], 40.0)
    assert found.startswith("mul at block.attention overflows: ")
    assert "half precision ends at 65504, on every runtime that computes in it" in found


def test_wrong_values_that_overflow_are_not_half_precisions_fault():
    right, got = np.full((1, 4), 3.0, np.float32), np.full((1, 4), np.inf, np.float32)
    pairs = [pair("first", ("image",), 2.0), Pair([EagerLayer("exp", "exp", "block", ("first",), right)], got)]
    assert _first(pairs, [_compare(each, 15.0) for each in pairs], 40.0).startswith(
        "the first layer that departs is conv2d at backbone.first"
    )


def test_the_row_that_tells_most_is_looked_at():
    names = ["photo", "photo", "white", "extreme pixels"]
    goldens = Goldens({}, {}, names)
    assert _telling_row(goldens, [44.0, 60.0, 5.0, 1.5], "fp16", 30.0) == 3  # departs; the photo only loses precision
    assert _telling_row(goldens, [44.0, 60.0, 5.0, 35.0], "fp16", 30.0) == 0
    assert _telling_row(goldens, [20.0, 25.0, 5.0, 1.5], "fp16", 30.0) == 0
    assert _telling_row(goldens, [18.0, 25.0, 5.0, 1.5], "int8", 12.0) == 0
    assert _telling_row(goldens, [70.0, 80.0, 65.0, 75.0], "fp32", 60.0) == 2


def test_a_layer_whose_error_is_gone_in_all_that_follows_is_no_departure():
    assert sentence(0.01, 1.0, 0.01, 0.01).startswith("no layer departs; least precise is conv2d at backbone.layer1")
    assert sentence(0.01, 0.01, 0.01, 1.0).startswith("the first layer that departs is conv2d at backbone.layer3")
