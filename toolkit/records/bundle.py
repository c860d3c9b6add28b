"""manifest.json as typed data: the one truth about a bundle. Unknown keys are errors.

The JSON Schema that phones and third parties read (bundle.schema.json) is generated from here.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1
#: of every report under reports/; a report of another one is refused
REPORT_VERSION: Literal[1] = 1

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
#: relative, forward slashes, no empty, '.' or '..' part: it stays inside the bundle (no look-around: not every engine)
BundlePath = Annotated[str, Field(pattern=r"^\.?[A-Za-z0-9_@-][A-Za-z0-9._@-]*(/\.?[A-Za-z0-9_@-][A-Za-z0-9._@-]*)*$")]


class Record(BaseModel):
    """Base of every part: immutable, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Report(Record):
    """Base of every report: what it is and which bundle it is about (null: a network that has no bundle yet)."""

    schema_version: Literal[1] = REPORT_VERSION
    kind: str
    bundle_id: Sha256 | None
    created_utc: str


class FileRef(Record):
    """One file of the bundle."""

    path: BundlePath
    sha256: Sha256
    bytes: Annotated[int, Field(ge=0)]


class TensorSpec(Record):
    """One tensor at a border: -1 in the shape is the batch; one scale per channel, or one for all, or none."""

    name: str
    dtype: Literal["float32", "float16", "uint8", "int8"]
    shape: list[int]
    layout: Literal["NCHW", "NHWC", "NC", "N"] = "NCHW"
    scale: list[float] | None = None
    zero_point: list[int] | None = None


class Model(Record):
    """The trained network: where it came from and its exported program (no code, no pickle)."""

    source: str
    parameters: int
    weights_sha256: Sha256 | None
    program: FileRef
    accuracy: float | None = None


class Preprocess(Record):
    """From a photo to the head's input: resize, convert, scale to [0, 1], subtract mean, divide by std."""

    channels: Literal[1, 3]
    height: int
    width: int
    resize: Literal["stretch", "center-crop"] = "stretch"
    interpolation: Literal["bilinear"] = "bilinear"
    mean: list[float]
    std: list[float]


class Split(Record):
    """Where the network is cut and what crosses."""

    cut: str
    image: TensorSpec
    smashed: TensorSpec
    logits: TensorSpec
    head_macs: int
    tail_macs: int
    head_parameters: int
    tail_parameters: int


class AccuracyReport(Record):
    """The user's accuracy on the test images, shares in [0, 1]; `draws` of eps per image."""

    images: int
    draws: int
    unprotected: float
    protected: float


class Protection(Record):
    """What is fused behind the head. `eps` is the second head input, standard normal, or null."""

    method: str
    settings: dict[str, float | str | None]
    seed: int
    data: str | None
    eps: TensorSpec | None
    weights: FileRef
    trains_head: bool
    statistics: dict[str, float]
    accuracy: AccuracyReport | None
    #: affine codes for the uint8 wire, per channel, calibrated on protected features
    wire_uint8: TensorSpec


class Head(Record):
    """One converted head. `entry` is what a runtime opens: a file, or the .mlpackage folder."""

    target: str
    precision: str
    backend: str
    entry: BundlePath
    files: list[FileRef]
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    ops_delegated: int | None
    ops_total: int | None
    not_run: str | None
    tools: dict[str, str]


class Tail(Record):
    """The cloud's half. `inputs` lists every accepted encoding of the smashed features."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]
    archive: FileRef
    route: str
    wire_version: int
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]


class Golden(Record):
    """Real inputs with fixed eps and what eager torch answers.

    `inputs` holds image [n,C,H,W], eps [n,...] and eps_other [n,...] (absent without noise), float32;
    `expected` holds smashed [n,c,h,w], logits [n,K], float32, and label [n], int64, -1 where unknown.
    """

    n: int
    seed: int
    inputs: FileRef
    expected: FileRef
    #: largest absolute difference (fp32) or least SQNR in dB (fp16, int8, w8) that a head may show
    tolerances: dict[str, float]


class Manifest(Record):
    """A bundle's manifest.json. Later stages are null or empty until they have run."""

    schema_version: Literal[1] = 1
    bundle_id: Sha256
    created_utc: str
    tools: dict[str, str]
    model: Model
    preprocess: Preprocess
    labels: list[str]
    split: Split
    protection: Protection | None = None
    heads: list[Head] = []
    tail: Tail | None = None
    golden: Golden | None = None
    #: stage name -> fingerprint of everything that the stage's result depends on
    stages: dict[str, str] = {}

    def with_id(self) -> Manifest:
        """Return a copy whose bundle_id fits its content."""
        return self.model_copy(update={"bundle_id": self.compute_id()})

    def compute_id(self) -> str:
        """Hash what a head and a tail must agree on.

        That is the program, the cut, the preprocessing, the labels, the protection and the wire's codes,
        each through its own hash. Converted heads and reports are left out on purpose: converting one
        more head must not orphan the tails that already serve this bundle; each head file has its own hash.
        """
        protection = None
        if self.protection is not None:
            protection = [
                self.protection.method,
                self.protection.weights.sha256,
                None if self.protection.eps is None else self.protection.eps.model_dump(),
                self.protection.wire_uint8.model_dump(),
            ]
        agreed = [
            self.schema_version,
            self.model.program.sha256,
            self.split.cut,
            self.preprocess.model_dump(),
            self.labels,
            protection,
        ]
        text = json.dumps(agreed, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    def files(self) -> list[FileRef]:
        """Every file that this manifest names."""
        found = [self.model.program]
        if self.protection is not None:
            found.append(self.protection.weights)
        for head in self.heads:
            found.extend(head.files)
        if self.tail is not None:
            found.append(self.tail.archive)
        if self.golden is not None:
            found.extend([self.golden.inputs, self.golden.expected])
        return found
