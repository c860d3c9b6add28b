"""deploy.toml: the settings of every verb in one file. All mistakes in a file are reported at once."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

from pydantic import Field, ValidationError

from ..convert.settings import ConvertSettings
from ..errors import InputError
from ..lint.settings import LintSettings
from ..measure.settings import MeasureSettings
from ..package.settings import PackageSettings
from ..partition.settings import PartitionSettings
from ..protect.settings import ProtectSettings
from ..records.settings import Settings, complaints


class Deploy(Settings):
    """A whole deploy.toml. Paths are relative to the file's own folder."""

    bundle: Path
    network: PartitionSettings
    protect: ProtectSettings = ProtectSettings()
    convert: ConvertSettings = Field(default_factory=ConvertSettings)
    package: PackageSettings = PackageSettings()
    lint: LintSettings = LintSettings()
    measure: MeasureSettings = MeasureSettings()


def read_config(path: Path) -> Deploy:
    """Read a deploy.toml.

    Raises:
        InputError: not there, not TOML, or keys or values that do not fit; all of them in one message.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise InputError(f"There is no file {path}; give a deploy.toml (docs/tutorial.md shows one).") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML ({error}); correct it.") from None
    try:
        config = Deploy.model_validate(raw)
    except ValidationError as error:
        raise InputError(f"{path} does not fit: {complaints(error)}.") from None
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
