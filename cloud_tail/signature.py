"""signature.json: what a tail takes and gives, and which bundle it belongs to.

    {"schema_version":1,"name":...,"version":...,"bundle_id":<64 hex>,"wire_version":1,
     "labels":[...],"inputs":[TensorSpec,...],"outputs":[TensorSpec]}

A tail behind a waist has schema_version 2, wire_version 2 and the further key "coding" (see `coding.py`); without
one both stay 1, so that whoever reads version 1 can go on reading it.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Literal

from .coder import Coder
from .coding import Coding
from .errors import ArchiveError

PLAIN_VERSION: Literal[1] = 1
CODED_VERSION: Literal[2] = 2

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z._-]{0,31}")
BUNDLE_ID = re.compile(r"[0-9a-f]{64}")

#: the encoding of entropy-coded features beside the dtypes
CODED = "coded"
#: bytes per value of each dtype on the wire
ITEM_BYTES = {"float32": 4, "float16": 2, "uint8": 1}
_MAX_VALUES = 1 << 28
_MAX_CODED_VALUES = 1 << 20
_KEYS = ("schema_version", "name", "version", "bundle_id", "wire_version", "labels", "inputs", "outputs")


@dataclass(frozen=True)
class TensorSpec:
    """One tensor between head and tail, in the same JSON as in the bundle's manifest.

    Attributes:
        name: `smashed` or `logits`.
        dtype: float32, float16 or uint8.
        shape: batch first, written -1.
        layout: NCHW for features, NC for logits.
        scale: step of the affine codes, one per channel or one for all; None if not quantised.
        zero_point: the code that stands for 0.0, as many as `scale`.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    layout: str = "NCHW"
    scale: tuple[float, ...] | None = None
    zero_point: tuple[int, ...] | None = None

    @property
    def values(self) -> int:
        """How many values one item of the batch has."""
        return math.prod(self.shape[1:])

    @property
    def channels(self) -> int:
        """How many channels it has: the second dimension of NCHW and NC, the last of other layouts."""
        return self.shape[1 if self.layout in ("NCHW", "NC") else -1]

    @property
    def item_bytes(self) -> int:
        """How many bytes one item of the batch takes on the wire."""
        return self.values * ITEM_BYTES[self.dtype]


@dataclass(frozen=True)
class Signature:
    """What the archive's model takes and gives.

    Attributes:
        name: the name in the URL.
        version: the archive's version, as TorchServe shows it.
        bundle_id: SHA-256 that head and tail must agree on.
        labels: class names, one per logit, or empty.
        inputs: every accepted encoding of `smashed`, float32 first.
        outputs: `logits`, float32 [-1, K].
        coding: how entropy-coded features are decoded; None: this tail does not accept them.
    """

    name: str
    version: str
    bundle_id: str
    labels: tuple[str, ...]
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    coding: Coding | None = None

    def __post_init__(self) -> None:
        """Refuse a signature that no tail can serve."""
        _check(self)

    @property
    def logits(self) -> TensorSpec:
        """The one output."""
        return self.outputs[0]

    def encoding(self, dtype: str) -> TensorSpec | None:
        """Return the accepted encoding of that dtype, or None."""
        return next((spec for spec in self.inputs if spec.dtype == dtype), None)

    @property
    def wire_version(self) -> Literal[1, 2]:
        """2 where entropy-coded features are accepted, else 1; the schema's version is the same."""
        return PLAIN_VERSION if self.coding is None else CODED_VERSION

    @cached_property
    def coder(self) -> Coder | None:
        """The coder of one item's codes, or None if this tail does not accept entropy-coded features."""
        first = self.inputs[0]
        return None if self.coding is None else Coder(self.coding, first.shape[1:], first.layout)

    @cached_property
    def codes(self) -> TensorSpec | None:
        """The affine codes that are entropy-coded, or None as for `coder`."""
        if self.coding is None:
            return None
        first = self.inputs[0]
        return TensorSpec(first.name, "uint8", first.shape, first.layout, self.coding.scale, self.coding.zero_point)

    @property
    def encodings(self) -> list[str]:
        """The names of all accepted encodings, as `TailClient.infer` takes them."""
        return [*(spec.dtype for spec in self.inputs), *([] if self.coding is None else [CODED])]

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON object, keys in the documented order."""
        fields = asdict(self) | {"schema_version": self.wire_version, "wire_version": self.wire_version}
        told = {key: fields[key] for key in _KEYS}
        return told if self.coding is None else {**told, "coding": self.coding.to_dict()}

    def to_json(self) -> bytes:
        """Write signature.json; equal content gives equal bytes."""
        return json.dumps(self.to_dict(), indent=1).encode() + b"\n"

    @classmethod
    def from_json(cls, data: bytes | str) -> Signature:
        """Read signature.json.

        Raises:
            ArchiveError: it is not JSON, or it does not follow this schema.
        """
        try:
            raw = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise ArchiveError(f"signature.json is not JSON ({error}); pack the archive again.") from None
        _need(isinstance(raw, dict), "it must be an object")
        version = raw.get("schema_version")
        _need(version in (PLAIN_VERSION, CODED_VERSION), f"schema_version must be {PLAIN_VERSION} or {CODED_VERSION}")
        known = {*_KEYS} if version == PLAIN_VERSION else {*_KEYS, "coding"}
        _need(set(raw) == known, f"its keys must be {', '.join(sorted(known))}")
        _need(raw["wire_version"] == version, f"wire_version must be {version} as the schema_version is")
        _need(_all(raw["labels"], str), "labels must be a list of strings")
        return cls(
            name=raw["name"],
            version=raw["version"],
            bundle_id=raw["bundle_id"],
            labels=tuple(raw["labels"]),
            inputs=_specs(raw["inputs"]),
            outputs=_specs(raw["outputs"]),
            coding=None if version == PLAIN_VERSION else Coding.from_dict(raw["coding"]),
        )


def _need(holds: bool, sentence: str) -> None:
    if not holds:
        raise ArchiveError(f"signature.json is not valid: {sentence}; pack the archive again with pripro package.")


def _all(value: Any, kind: type | tuple[type, ...]) -> bool:  # noqa: ANN401  # anything that JSON can hold
    return isinstance(value, (list, tuple)) and all(
        isinstance(item, kind) and not isinstance(item, bool) for item in value
    )


def _specs(raw: Any) -> tuple[TensorSpec, ...]:  # noqa: ANN401
    _need(isinstance(raw, list), "inputs and outputs must be lists")
    found = []
    for item in raw:
        _need(
            isinstance(item, dict) and {"name", "dtype", "shape"} <= set(item), "a tensor needs name, dtype and shape"
        )
        _need(set(item) <= set(TensorSpec.__dataclass_fields__), f"a tensor has an unknown key among {sorted(item)}")
        texts = (item["name"], item["dtype"], item.get("layout", ""))
        _need(_all(texts, str), "a tensor's name, dtype and layout must be strings")
        _need(_all(item["shape"], int), "a shape must be a list of integers")
        scale, zero = item.get("scale"), item.get("zero_point")
        small = scale is None or (_all(scale, (int, float)) and all(abs(step) < 1e30 for step in scale))
        _need(small, "a scale must be a list of numbers")
        _need(zero is None or _all(zero, int), "a zero_point must be a list of integers")
        found.append(
            TensorSpec(
                name=item["name"],
                dtype=item["dtype"],
                shape=tuple(item["shape"]),
                layout=item.get("layout", "NCHW"),
                scale=None if scale is None else tuple(float(value) for value in scale),
                zero_point=None if zero is None else tuple(zero),
            )
        )
    return tuple(found)


def _check(signature: Signature) -> None:
    for value, pattern, what in (
        (signature.name, NAME, "name must be a letter and at most 63 letters, digits, '_' or '-'"),
        (signature.version, VERSION, "version must be like 1.0"),
        (signature.bundle_id, BUNDLE_ID, "bundle_id must be 64 lower-case hex digits"),
    ):
        _need(isinstance(value, str) and pattern.fullmatch(value) is not None, what)
    _need(bool(signature.inputs), "it lists no input")
    _need(len(signature.outputs) == 1, "it must list exactly one output")
    output = signature.outputs[0]
    _need(output.name == "logits" and output.dtype == "float32", "its output must be logits, float32")
    _need(len(output.shape) == 2, "logits must have the shape [-1, K]")
    _need(len(signature.labels) in (0, output.shape[1]), "there must be one label per logit, or none at all")
    _need(len({spec.dtype for spec in signature.inputs}) == len(signature.inputs), "it lists an encoding twice")
    _need(len({spec.shape for spec in signature.inputs}) == 1, "all encodings must have one shape")
    for spec in (*signature.inputs, output):
        _check_spec(spec)
    _need(all(spec.name == "smashed" for spec in signature.inputs), "every input must be named smashed")
    if signature.coding is not None:
        small = signature.inputs[0].values <= _MAX_CODED_VALUES
        _need(small, f"entropy-coded features may have at most {_MAX_CODED_VALUES} values")
        _need(signature.coder is not None, "its coding must fit its inputs")  # made here, so that it fails here


def _check_spec(spec: TensorSpec) -> None:
    _need(isinstance(spec.dtype, str) and spec.dtype in ITEM_BYTES, f"a dtype must be one of {', '.join(ITEM_BYTES)}")
    _need(isinstance(spec.layout, str), "a layout must be a string such as NCHW")
    _need(2 <= len(spec.shape) <= 6 and spec.shape[0] == -1, "a shape must start with -1, the batch")
    _need(all(size > 0 for size in spec.shape[1:]) and spec.values <= _MAX_VALUES, "a shape must have sizes above 0")
    if spec.dtype != "uint8":
        _need(spec.scale is None and spec.zero_point is None, "only uint8 has a scale and a zero_point")
        return
    _need(spec.scale is not None and spec.zero_point is not None, "uint8 needs a scale and a zero_point")
    scale, zero = spec.scale or (), spec.zero_point or ()
    _need(
        len(scale) in (1, spec.channels) and len(zero) == len(scale),
        "one scale and zero_point per channel, or one for all",
    )
    _need(all(math.isfinite(step) and 1e-30 < step < 1e30 for step in scale), "a scale must be a positive number")
    _need(all(0 <= code <= 255 for code in zero), "a zero_point must lie in 0..255")
