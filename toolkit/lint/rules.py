"""Rule files: one TOML per backend under backends/, its name is the backend's; five lines add a rule."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Literal

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field, ValidationError

from ..errors import InputError, UnknownNameError
from ..records.lint import Consequence
from ..records.settings import Settings, complaints

FOLDER = Path(__file__).parent / "backends"


def _check_versions(text: str) -> str:
    try:
        SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"{text!r} is no version range; write >=2.1.5 or >=1,<2.") from None
    return text


class When(Settings):
    """Conditions on one operator; all that are given must hold.

    Attributes:
        ranks: rank of its first input.
        least_rank: at least this rank, of any of its tensors.
        least_batch: at least this size of the first input's first axis.
        types: element type of any of its inputs or outputs.
        attributes: setting -> values of which it has one.
        any_attribute: the same, one of them is enough: for bugs that each of two switches triggers.
        outside_of: setting -> numbers; one of the setting's is none of them.
        variable: this input is computed, not a constant of the file.
        constant: this input is a constant of the file.
        mixed_ranks: its computed inputs have different ranks.
        broadcasts: its inputs have different shapes.
        made_by: one of its inputs comes from such an operator.
    """

    ranks: tuple[int, ...] = ()
    least_rank: int = 0
    least_batch: int = 0
    types: tuple[str, ...] = ()
    attributes: dict[str, tuple[str | int | float | bool, ...]] = Field(default_factory=dict)
    any_attribute: dict[str, tuple[str | int | float | bool, ...]] = Field(default_factory=dict)
    outside_of: dict[str, tuple[int | float, ...]] = Field(default_factory=dict)
    variable: int | None = None
    constant: int | None = None
    mixed_ranks: bool = False
    broadcasts: bool = False
    made_by: tuple[str, ...] = ()


class Rule(Settings):
    """One thing that is known of a backend."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    #: kinds as the format calls them; "*" for every one
    operators: Annotated[tuple[str, ...], Field(min_length=1)]
    when: When = When()
    versions: Annotated[str, AfterValidator(_check_versions)] = ""
    consequence: Consequence
    sentence: Annotated[str, Field(min_length=20)]
    source: Annotated[str, Field(min_length=10)]

    def holds_for(self, version: str) -> bool:
        """Whether a runtime's version is in the range; an unknown version is."""
        try:
            return not version or SpecifierSet(self.versions).contains(Version(version), prereleases=True)
        except InvalidVersion:
            return True


class Taken(Settings):
    """Operators that a backend takes, where nothing here can be asked; others fall back."""

    operators: tuple[str, ...]
    source: Annotated[str, Field(min_length=10)]


class Backend(Settings):
    """One rule file.

    Attributes:
        name: the file's.
        title: for people.
        target: which converted files it runs.
        accelerator: how the target's converter calls it.
        runtime: distribution whose version the rules' ranges are about.
        how: what says which operators it takes: the "partitioner", the vendor's "checker", this file's "rules";
            "none": nothing here can, `note` says why.
        source: documentation of how operators are left out.
    """

    name: str
    title: str
    target: str
    accelerator: str
    runtime: str
    how: Literal["partitioner", "checker", "rules", "none"]
    source: Annotated[str, Field(min_length=10)]
    note: str = ""
    taken: Taken | None = None
    rule: tuple[Rule, ...] = ()


def load_backends(names: tuple[str, ...] | None = None, folder: Path = FOLDER) -> list[Backend]:
    """Read rule files, all or those named, in the order of their names.

    Raises:
        UnknownNameError: no such backend; the message lists those that exist.
        InputError: a rule file that is not TOML or does not fit.
    """
    known = {path.stem: path for path in sorted(folder.glob("*.toml"))}
    for name in names or ():
        if name not in known:
            raise UnknownNameError("backend to lint for", name, known)
    return [_read(path) for name, path in known.items() if names is None or name in names]


def _read(path: Path) -> Backend:
    try:
        return Backend.model_validate({"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))})
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"The rules in {path.name} are not TOML ({error}); correct them.") from None
    except ValidationError as error:
        raise InputError(f"The rules in {path.name} do not fit: {complaints(error)}.") from None
