"""Where a converted head departs from eager torch: layer by layer, down to the first operator."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..convert.heads import converter, head_program
from ..errors import BundleError
from ..package.cases import BLACK, GREY, WHITE
from ..package.limits import tolerance_of
from . import traced
from .codes import Codes
from .compare import max_abs, sqnr_db
from .eager import Pair, eager_layers
from .relation import HALF_PRECISION_ENDS, relation
from .replay import load_goldens

if TYPE_CHECKING:
    from pathlib import Path

    from converters.base import HeadProgram

    from ..bundle import Bundle
    from ..records import bundle as records
    from .replay import Array, Goldens

#: SQNR in dB below which a layer's result is wrong, not just rounded
_DEPARTS = {"fp32": 60.0, "fp16": 30.0, "int8": 12.0, "w8": 15.0}
_DEPARTS_ELSE = 8.0
#: SQNR in dB that one operator's rounding leaves at best: less than that was lost somewhere
_BEST = {"fp32": 130.0, "fp16": 65.0, "int8": 40.0, "w8": 40.0}
_BEST_ELSE = 30.0
#: names of the head's inputs, which are exact
_INPUTS = ("image", "eps")
_ONE_COLOUR = (BLACK, WHITE, GREY)
#: SQNR in dB above which two conversions of one head are the same
_SAME_FILE = 40.0
#: smaller differences are rounding whatever the SQNR says: the tensor is nearly zero
_SAME = 1e-6
#: operators whose result's error is the sum of their inputs' errors
_SUMS = ("add", "sub", "rsub", "cat")
#: the module that makes codes of the features: what it rounds is no departure
_CODES = "codes"


@dataclass(frozen=True)
class LayerParity:
    """One layer, eager torch beside the target.

    Attributes:
        module: path in the head, such as "backbone.layer1.conv1".
        operator: what the file computes there; fused ones are joined by " + ".
        eager_rms, target_rms: root mean squares.
        departs: whether the target's own result is a different one.
        note: how it departs, where that has a name.
    """

    module: str
    operator: str
    eager_rms: float
    target_rms: float
    max_abs: float
    sqnr_db: float
    departs: bool
    note: str

    def as_dict(self) -> dict[str, object]:
        """For JSON: numbers that it cannot hold become null."""
        return {key: None if isinstance(v, float) and not math.isfinite(v) else v for key, v in vars(self).items()}


@dataclass(frozen=True)
class Explanation:
    """A table of layers in the head's order and one sentence about the first that departs.

    Attributes:
        target: of the head.
        precision: of the head.
        row: what golden row was run.
        layers: those that can be told apart.
        first: the sentence.
    """

    target: str
    precision: str
    row: str
    layers: list[LayerParity]
    first: str

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        layers = [layer.as_dict() for layer in self.layers]
        return {
            "target": self.target,
            "precision": self.precision,
            "row": self.row,
            "first": self.first,
            "layers": layers,
        }


def explain(bundle: Bundle, head: records.Head) -> Explanation:
    """Compare a bundle's head with eager torch layer by layer, on the golden row that it answers worst, photos first.

    Raises:
        BundleError: a head that cannot be run here.
    """
    reason = head.not_run or converter(head.target).cannot_run(head.backend)
    if reason:
        raise BundleError(f"The {head.target} head cannot be explained here: {reason}.")
    codes = Codes.of(head, bundle)
    program = head_program(bundle, wire="float32" if codes is None else "uint8", photos=head.precision == "int8")
    entry = bundle.root / head.entry
    return explain_head(program, head.target, head.precision, head.backend, entry, load_goldens(bundle), codes=codes)


def explain_head(
    program: HeadProgram,
    target: str,
    precision: str,
    backend: str,
    entry: Path,
    goldens: Goldens,
    *,
    codes: Codes | None = None,
) -> Explanation:
    """Compare one converted file with eager torch layer by layer.

    Files of some formats reveal their intermediate results (`Converter.trace`). For others the head is converted once
    more, with all of them handed out (`Converter.steps`); where neither is there, only the answer is compared.

    Args:
        program: what was converted.
        target: to which format.
        precision: in which precision.
        backend: for which backend.
        entry: the file or .mlpackage folder.
        goldens: inputs and eager torch's answers.
        codes: of a head that emits codes; its layers are compared up to the features that the codes stand for.
    """
    made_by = converter(target)
    answers = goldens.replay(made_by.load(entry).run)
    sqnrs = _sqnrs(goldens, answers, codes)
    threshold = _DEPARTS.get(precision, _DEPARTS_ELSE)
    row = _telling_row(goldens, sqnrs, precision, threshold)
    feed = goldens.feed(row)
    eager = eager_layers(target, program, feed)
    steps = made_by.steps(program, feed, precision=precision, backend=backend)
    if steps is not None:
        pairs = traced.of_steps(steps, eager, threshold)
    else:
        trace = made_by.trace(entry, feed)
        pairs = traced.pairs(trace, made_by.keeps_names, answers[row : row + 1], eager, threshold)
    pairs = [pair for pair in pairs if pair.chain[-1].module != _CODES]
    layers = [_compare(pair, threshold) for pair in pairs]
    if steps is not None and sqnr_db(answers[row : row + 1], steps.smashed) < _SAME_FILE:
        first = "this file does not answer as a fresh conversion of the same head does: convert it again"
    else:
        first = _first(pairs, layers, _BEST.get(precision, _BEST_ELSE))
    return Explanation(target, precision, goldens.rows[row], layers, first)


def _sqnrs(goldens: Goldens, answers: Array, codes: Codes | None) -> list[float]:
    """SQNR of each row's features in dB; rounding to codes is no error."""
    right, got = goldens.smashed, answers
    if codes is not None:
        right = codes.cut(goldens).smashed
        got = codes.without_rounding(right, codes.features(answers))
    return [sqnr_db(right[row], got[row]) for row in range(len(goldens.rows))]


def _telling_row(goldens: Goldens, sqnrs: list[float], precision: str, threshold: float) -> int:
    """Index of the row to look at: photos first, and images of one colour, which tell few layers apart, last."""
    least = threshold if precision == "fp32" else max(threshold, tolerance_of({}, precision))
    photos, hard = goldens.real(), [index for index in goldens.hard() if goldens.rows[index] not in _ONE_COLOUR]
    groups = (
        [index for index in photos if sqnrs[index] < threshold],
        # int8 rightly clips what it was not calibrated for
        [index for index in hard if sqnrs[index] < threshold and precision != "int8"],
        [index for index in photos if sqnrs[index] < least],
        list(range(len(sqnrs))),
    )
    return min(next(group for group in groups if group), key=lambda index: sqnrs[index])


def _compare(pair: Pair, threshold: float) -> LayerParity:
    right, got = pair.chain[-1].value, pair.got
    sqnr, worst = sqnr_db(right, got), max_abs(right, got)
    departs = sqnr < threshold and not worst < _SAME
    return LayerParity(
        module=pair.chain[0].module,
        operator=" + ".join(dict.fromkeys(part.operator for part in pair.chain)),
        eager_rms=_rms(right),
        target_rms=_rms(got),
        max_abs=worst,
        sqnr_db=sqnr,
        departs=departs,
        note=relation(right, got) if departs else "",
    )


def _rms(value: Array) -> float:
    return float((value.astype("float64") ** 2).mean() ** 0.5)


def _first(pairs: list[Pair], layers: list[LayerParity], best: float) -> str:
    overflow = next((layer for pair, layer in zip(pairs, layers, strict=True) if _overflows(pair, layer)), None)
    if overflow is not None:  # whatever departs before it is not why
        return f"{overflow.operator} at {overflow.module} overflows: {overflow.note}"
    departing = [layer for layer in layers if layer.departs]
    # one that is all alone heals: a logarithm near zero loses all its digits, and what is made of it agrees again
    broken = departing[0] if len(departing) > 1 or (layers and layers[-1].departs) else None
    if broken is not None:
        how = f": {broken.note}" if broken.note else ""
        text = f"the first layer that departs is {broken.operator} at {broken.module} ({broken.sqnr_db:.1f} dB){how}"
        return text + _greatest_loss(pairs, layers, layers.index(broken), broken, best)
    if not layers:
        return "no layer departs"
    worst = min(layers, key=lambda layer: layer.sqnr_db)
    text = f"no layer departs; least precise is {worst.operator} at {worst.module} ({worst.sqnr_db:.1f} dB)"
    return text + _greatest_loss(pairs, layers, len(layers) - 1, worst, best)


def _overflows(pair: Pair, layer: LayerParity) -> bool:
    """Whether the right values, not wrong ones from before, are more than half precision holds."""
    right = pair.chain[-1].value
    return math.isinf(layer.max_abs) and float(abs(right).max()) > HALF_PRECISION_ENDS


def _greatest_loss(pairs: list[Pair], layers: list[LayerParity], end: int, named: LayerParity, best: float) -> str:
    """Go back from a layer to where its error comes from, and name the step that lost most, unless it is `named`."""
    place = {pair.chain[-1].name: index for index, pair in enumerate(pairs)}
    here, lost, text = end, 0.0, ""
    while True:
        inputs = pairs[here].chain[0].inputs
        sources = [place[name] for name in inputs if place.get(name, here) < here]
        if not sources and not set(inputs).intersection(_INPUTS):
            break
        source = max(sources, key=lambda index: _blame(pairs[here], pairs[index]), default=here)
        before, after = (layers[source].sqnr_db if sources else math.inf), layers[here].sqnr_db
        if min(before, best) - after > lost:
            step = f"{layers[here].operator} at {layers[here].module}"
            start = f"{before:.1f}" if math.isfinite(before) else "exact"
            lost = min(before, best) - after
            text = "" if layers[here] is named else f"; most was lost by {step} ({start} to {after:.1f} dB)"
        if not sources:
            break
        here = source
    return text


def _blame(pair: Pair, source: Pair) -> float:
    """How much of a result's error comes from one of its inputs: sums take over the error, products the share."""
    right = source.chain[-1].value
    if pair.chain[0].operator in _SUMS:
        return max_abs(right, source.got)
    return -sqnr_db(right, source.got)
