"""manifest.json as typed data: the single source of truth about a bundle. Unknown keys are errors.

The JSON Schema that phones and third parties read (bundle.schema.json) is generated from here.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ..errors import BundleError

SCHEMA_VERSION = 2
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
    """One tensor at a boundary: -1 in the shape is the batch; one scale per channel, or one for all, or none."""

    name: str
    dtype: Literal["float32", "float16", "uint8", "int8"]
    shape: list[int]
    layout: Literal["NCHW", "NHWC", "NTC", "NC", "N"] = "NCHW"
    scale: list[float] | None = None
    zero_point: list[int] | None = None
    #: NTC: [h, w] of the grid that the tokens lie on, or null
    grid: Annotated[list[int], Field(min_length=2, max_length=2)] | None = None
    #: NTC: class tokens in front of the grid, not on it
    prefix_tokens: Annotated[int, Field(ge=0)] = 0


class DataRef(Record):
    """Photos, known by their content: `spec` says where they were, `digest` which they were."""

    spec: str
    #: SHA-256 over the sorted SHA-256s of the photos, one a line
    digest: Sha256
    photos: Annotated[int, Field(ge=1)]


class Model(Record):
    """The trained network: where it came from and its exported program (no code, no pickle)."""

    source: str
    parameters: int
    weights_sha256: Sha256 | None
    program: FileRef
    accuracy: float | None = None
    data: DataRef | None = None


class Task(Record):
    """What the user's network is for: `name` is a file in toolkit/tasks/, `metric` what "accuracy" means."""

    name: str
    metric: str
    guessed: bool
    settings: dict[str, float] = {}


class Preprocess(Record):
    """From a photo to the head's input: resize, convert, scale to [0, value_range], subtract mean, divide by std."""

    channels: Literal[1, 3]
    height: int
    width: int
    resize: Literal["stretch", "center-crop", "shorter-side", "pad"] = "stretch"
    shorter_side: int | None = None
    interpolation: Literal["bilinear", "bicubic", "nearest"] = "bilinear"
    antialias: bool = True
    order: Literal["RGB", "BGR"] = "RGB"
    #: a pixel is its byte / 255 * value_range before the mean is subtracted
    value_range: Literal[1, 255] = 1
    mean: list[float]
    std: list[float]


class Split(Record):
    """Where the network is cut and what crosses."""

    cut: str
    image: TensorSpec
    crossing: Annotated[list[TensorSpec], Field(min_length=1, max_length=4)]
    outputs: Annotated[list[TensorSpec], Field(min_length=1)]
    head_macs: int
    tail_macs: int
    head_parameters: int
    tail_parameters: int

    @property
    def smashed(self) -> TensorSpec:
        """The one tensor that crosses.

        Raises:
            BundleError: several do, and the caller knows one only.
        """
        if len(self.crossing) != 1:
            raise BundleError(
                f"{len(self.crossing)} tensors cross at {self.cut} and this stage knows one; choose a cut point "
                "where one tensor crosses (pripro cuts lists them)."
            )
        return self.crossing[0]

    @property
    def logits(self) -> TensorSpec:
        """What the tail hands out: every output, one behind the other."""
        values = sum(math.prod(output.shape[1:]) for output in self.outputs)
        return TensorSpec(name="logits", dtype="float32", shape=[-1, values], layout="NC")


class AccuracyReport(Record):
    """The user's accuracy on the test images, shares in [0, 1]; `draws` of eps per image.

    `metric` is what is counted; `labelled` is False where the unprotected network's own answers are the truth.
    """

    images: int
    draws: int
    unprotected: float
    protected: float
    metric: str = "top-1"
    labelled: bool = True


class Coding(Record):
    """How the waist's values become bytes: code = round(z / scale) + zero_point, clipped to 0..levels-1, then coded.

    Everything but `pad_bytes` is per channel of the waist. `table_id` is the first 8 bytes of the SHA-256 over the
    tables' canonical JSON, in hex; a message names it, so that codes of other tables are never decoded.
    """

    #: name of the frozen byte format
    coder: Literal["rans-1"]
    table_id: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    #: a table's frequencies sum to 2^precision_bits
    precision_bits: Annotated[int, Field(ge=1, le=16)]
    levels: list[Annotated[int, Field(ge=2, le=256)]]
    scale: list[float]
    zero_point: list[int]
    tables: list[list[Annotated[int, Field(ge=1)]]]
    #: every message has this length, or null: as long as its content needs
    pad_bytes: int | None = None


class Waist(Record):
    """The narrow waist: an encoder in the head, a decoder in the tail; `shape` [c, h, w] is what crosses."""

    shape: Annotated[list[int], Field(min_length=3, max_length=3)]
    encoder_macs: int
    decoder_macs: int
    decoder_parameters: int
    coding: Coding


class Certificate(Record):
    """What no attacker can exceed, whatever it knows and computes; toolkit/protect/certificate.py derives it.

    Bits per photo. `prior_mse` is the variance of the photos, the stated prior; a bound is null where none is known.
    """

    message_bits_mean: float
    message_bits_p99: float
    message_bits_max: float
    capacity_bits: float | None
    prior_mse: float
    mse_bound: float | None
    note: str


class Protection(Record):
    """What is fused behind the head. `eps`: the head's further inputs, standard normal; one per protected tensor."""

    method: str
    settings: dict[str, float | str | None]
    seed: int
    data: DataRef | None
    #: what is trained: the injector alone (the paper's setting), encoder and decoder too, or head and tail as well
    train: Literal["injector", "waist", "all"] = "injector"
    eps: Annotated[list[TensorSpec], Field(max_length=4)]
    #: memoised: the same photo on the same device always draws the same eps
    noise: Literal["memoised", "fresh"] = "memoised"
    weights: FileRef
    trains_head: bool
    statistics: dict[str, float]
    accuracy: AccuracyReport | None
    #: affine codes for the uint8 wire, per channel, calibrated on protected features; one per crossing tensor
    wire_uint8: Annotated[list[TensorSpec], Field(min_length=1, max_length=4)]
    waist: Waist | None = None
    certificate: Certificate | None = None


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
    wire_version: Literal[1, 2]
    inputs: list[TensorSpec]
    outputs: list[TensorSpec]
    coding: Coding | None = None


class Golden(Record):
    """Real inputs with fixed eps and what eager torch answers.

    `inputs` holds image [n,C,H,W], eps [n,...] and eps_other [n,...] (absent without noise), float32;
    `expected` holds smashed [n,c,h,w], logits [n,K], float32, and label [n], int64, -1 where unknown.
    `messages`: the entropy-coded bytes of each row, message_0 ..., uint8 [length]; `secret_hex` is the device secret
    that memoised noise was drawn with.
    """

    n: int
    seed: int
    inputs: FileRef
    expected: FileRef
    #: largest absolute difference (fp32) or least SQNR in dB (fp16, int8, w8) that a head may show
    tolerances: dict[str, float]
    secret_hex: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    messages: FileRef | None = None


#: of networks whose task nobody has named
CLASSIFY = Task(name="classify", metric="top-1", guessed=True)


class Manifest(Record):
    """A bundle's manifest.json. Later stages are null or empty until they have run."""

    schema_version: Literal[2] = 2
    bundle_id: Sha256
    created_utc: str
    tools: dict[str, str]
    model: Model
    task: Task = CLASSIFY
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

    def unprotected_id(self) -> str:
        """The id that this bundle had before it was protected."""
        return self.model_copy(update={"protection": None}).compute_id()

    def compute_id(self) -> str:
        """Hash what a head and a tail must agree on.

        That is the program, the cut, the preprocessing, the labels, the task, the protection and the wire's codes,
        each through its own hash. Converted heads and reports are left out on purpose: converting one
        more head must not orphan the tails that already serve this bundle; each head file has its own hash.
        """
        protection = None
        if self.protection is not None:
            protection = [
                self.protection.method,
                self.protection.weights.sha256,
                [spec.model_dump() for spec in self.protection.eps],
                self.protection.train,
                self.protection.noise,
                [spec.model_dump() for spec in self.protection.wire_uint8],
                None if self.protection.waist is None else self.protection.waist.model_dump(),
            ]
        agreed = [
            self.schema_version,
            self.model.program.sha256,
            self.split.cut,
            self.preprocess.model_dump(),
            self.labels,
            self.task.model_dump(),
            protection,
        ]
        text = json.dumps(agreed, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def smashed(self) -> TensorSpec:
        """The one tensor that crosses, as float32: behind a waist its values, else the cut's own.

        Raises:
            BundleError: several do, and the caller knows one only.
        """
        waist = None if self.protection is None else self.protection.waist
        if waist is None:
            return self.split.smashed
        return TensorSpec(name="smashed", dtype="float32", shape=[-1, *waist.shape])

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
            found.extend([self.golden.messages] if self.golden.messages is not None else [])
        return found
