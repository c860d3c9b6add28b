"""Which layer an explanation names: the one that departs, and the one that lost what that one only inherited."""

from __future__ import annotations

import numpy as np

from toolkit.parity.eager import EagerLayer, Pair
from toolkit.parity.explain import _compare, _first, _losses

RNG = np.random.default_rng(0)


def pair(name: str, before: str, error: float) -> Pair:
    """A result of unit power with an error of that root mean square."""
    right = RNG.standard_normal((1, 4, 16, 16)).astype(np.float32)
    got = right + error * RNG.standard_normal(right.shape).astype(np.float32)
    return Pair([EagerLayer(name, "conv2d", f"backbone.{name}", (before,), right)], got)


def sentence(*errors: float) -> str:
    pairs = [pair(f"layer{index}", f"layer{index - 1}", error) for index, error in enumerate(errors)]
    layers = [_compare(each, 12.0) for each in pairs]
    return _first(layers, _losses(pairs, layers), agrees=False, reconverted=False)


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
