"""Which layer a result stands for when an exporter wrote another operator in its place: the one that reads the same."""

from __future__ import annotations

import numpy as np

from converters.base import Steps, Traced
from toolkit.verify import traced
from toolkit.verify.eager import EagerLayer, Pair
from toolkit.verify.standing import reads, source, standing_for


def layer(name: str, operator: str, before: tuple[str, ...], value: np.ndarray) -> EagerLayer:
    return EagerLayer(name, operator, f"backbone.{name}", before, value.astype(np.float32))


def head() -> dict[str, EagerLayer]:
    """image -> relu -> view -> sum with its own absolute value -> difference to the image."""
    image = np.random.default_rng(0).standard_normal((1, 4, 8, 8))
    relu = image.clip(0)
    both = relu + abs(image)
    layers = (
        layer("relu", "relu", ("image",), relu),
        layer("view", "view", ("relu",), relu),
        layer("abs_1", "abs", ("image",), abs(image)),
        layer("add", "add", ("view", "abs_1"), both),
        layer("sub", "sub", ("add", "image"), both - image),
    )
    return {each.name: each for each in layers}


def test_what_only_moves_values_is_looked_through() -> None:
    eager = head()
    assert source("view", eager) == "relu"
    assert reads(eager["add"], eager) == {"relu", "abs_1"}
    assert reads(eager["sub"], eager) == {"add", "image"}


def test_a_layer_is_found_by_what_it_reads_and_its_own_kind_first() -> None:
    eager = head()
    assert standing_for({"relu", "abs_1"}, 256, "", eager, set()) is eager["add"]
    assert standing_for({"image"}, 256, "abs", eager, set()) is eager["abs_1"]
    assert standing_for({"image"}, 256, "", eager, {"relu"}) is eager["abs_1"]
    assert standing_for({"image"}, 255, "", eager, set()) is None
    assert standing_for(set(), 256, "", eager, set()) is None


def departing(steps: list[Traced], named: bool) -> list[Pair]:
    eager = head()
    found = traced.pairs(steps, named, steps[-1].outputs["smashed"], eager, 60.0)
    return [pair for pair in found if abs(pair.got - pair.chain[-1].value).max() > 0.1]


def test_a_difference_in_place_of_a_sum_is_named_a_sum_although_the_file_has_another_of_its_name() -> None:
    eager = head()
    relu, size = eager["relu"].value, eager["abs_1"].value
    wrong = relu - size
    image = (eager["add"].value - eager["sub"].value).astype(np.float32)
    steps = [
        Traced("Relu", ("image",), {"relu": relu}, "relu"),
        Traced("Abs", ("image",), {"abs_1": size}, "abs"),
        Traced("Sub", ("relu", "abs_1"), {"sub": wrong}, "sub"),  # the name that eager torch gives its last layer
        Traced("Sub", ("sub", "image"), {"smashed": wrong - image}, "sub"),
    ]
    assert departing(steps, named=True)[0].chain[-1].name == "add"


def test_an_operator_whose_name_is_not_known_is_found_where_results_have_numbers_only() -> None:
    eager = head()
    image = (eager["add"].value - eager["sub"].value).astype(np.float32)
    leaky = np.where(image > 0, image, 0.3 * image).astype(np.float32)
    both = leaky + eager["abs_1"].value
    steps = [
        Traced("LEAKY_RELU", ("image",), {"7": leaky}, "leaky_relu"),
        Traced("ABS", ("image",), {"8": eager["abs_1"].value}, "abs"),
        Traced("ADD", ("7", "8"), {"9": both}, "add"),
        Traced("SUB", ("9", "image"), {"smashed": both - image}, "sub"),
    ]
    assert departing(steps, named=False)[0].chain[-1].name == "relu"


def test_a_head_that_hands_out_its_results_under_another_operators_name_is_read_likewise() -> None:
    eager = head()
    image = (eager["add"].value - eager["sub"].value).astype(np.float32)
    leaky = np.where(image > 0, image, 0.3 * image).astype(np.float32)
    both = leaky + eager["abs_1"].value
    results = {"leaky_relu": leaky, "abs_1": eager["abs_1"].value, "add": both, "sub": both - image}
    reading = {"leaky_relu": ("image",), "abs_1": ("image",), "add": ("leaky_relu", "abs_1"), "sub": ("add", "image")}
    flat = {name: value.reshape(-1) for name, value in results.items()}
    found = traced.of_steps(Steps(both - image, flat, reading), eager, 60.0)
    first = next(pair for pair in found if abs(pair.got - pair.chain[-1].value).max() > 0.1)
    assert [each.name for each in first.chain] == ["relu"]
