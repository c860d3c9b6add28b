"""deploy.toml: everything that `pripro run` does, as typed data. All mistakes in a file are told at once."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import InputError
from ..records.wire import HeadWire


class Section(BaseModel):
    """Base of every table: an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NetworkTable(Section):
    """[network]: what `pripro partition` is given."""

    source: str
    input: str
    cut: str
    weights: Path | None = None
    classes: int | None = None
    labels: Path | None = None
    mean: list[float] | None = None
    std: list[float] | None = None
    resize: str = "stretch"


class ProtectTable(Section):
    """[protect]: `max_accuracy_drop` and `min_pi` as "1%" or a share."""

    method: str = "pripro"
    data: str | None = None
    max_accuracy_drop: str | None = None
    min_pi: str | None = None
    epochs: Annotated[int, Field(ge=1)] = 16
    batch_size: Annotated[int, Field(ge=1)] = 64
    seed: int = 0
    options: dict[str, float] = {}


class ConvertTable(Section):
    """[convert]: target -> precisions, such as onnx = ["fp32", "int8"]; what heads hand out, float32 or uint8."""

    wire: HeadWire = "float32"

    targets: dict[str, list[str]] = {
        "executorch": ["fp32"],
        "coreml": ["fp16"],
        "tflite": ["fp32"],
        "onnx": ["fp32"],
    }


class PackageTable(Section):
    """[package]: `max_tail_drop` is what an int8 tail may lose, as "0.5%" or a share."""

    name: str = "tail"
    goldens: Annotated[int, Field(ge=1)] = 16
    photos: Path | None = None
    seed: int = 7
    tail_precision: str = "fp32"
    max_tail_drop: str = "0.5%"


class MeasureTable(Section):
    """[measure]."""

    threads: list[int] = [1]
    quick: bool = False


class Deploy(Section):
    """A whole deploy.toml. Paths are relative to the file's own folder."""

    bundle: Path
    network: NetworkTable
    protect: ProtectTable = ProtectTable()
    convert: ConvertTable = ConvertTable()
    package: PackageTable = PackageTable()
    measure: MeasureTable = MeasureTable()


def read_config(path: Path) -> Deploy:
    """Read a deploy.toml.

    Raises:
        InputError: not there, not TOML, or keys or values that do not fit; all of them in one message.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"There is no file {path}; give a deploy.toml (README shows one).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML ({error}); correct it.") from None
    try:
        config = Deploy.model_validate(raw)
    except ValidationError as error:
        complaints = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise InputError(f"{path} does not fit: {complaints}.") from None
    return _rooted(config, path.parent)


def _rooted(config: Deploy, folder: Path) -> Deploy:
    def place(path: Path | None) -> Path | None:
        # relative to where the user is, which is how messages should name it
        return None if path is None else Path(os.path.relpath(folder / path))

    network = config.network.model_copy(
        update={"weights": place(config.network.weights), "labels": place(config.network.labels)}
    )
    package = config.package.model_copy(update={"photos": place(config.package.photos)})
    return config.model_copy(update={"bundle": place(config.bundle), "network": network, "package": package})


def parse_share(text: str | None) -> float | None:
    """Read "1%" or "0.01" as 0.01.

    Raises:
        InputError: not a share between 0 and 1.
    """
    if text is None:
        return None
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise InputError(f"{text!r} is no share; give a percentage such as 1%, or a number from 0 to 1.")
    return value
