"""Extension folders: the file name is the registered name, one class per file, nothing to edit elsewhere.

An export target may also come from another distribution: an entry point of the group `pripro.converters`, whose name
is the target's and whose value is `module:Class`. `target` and `targets` know both kinds.
"""

import hashlib
import importlib
import inspect
import pkgutil
import sys
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import converters
from converters.base import Converter

from .errors import InputError, MissingExtraError, UnknownNameError

T = TypeVar("T")
_NOT_PLUGINS = {"base"}
#: where another distribution registers a target
TARGET_GROUP = "pripro.converters"
_TARGET_FILE = "to_"


def names(package: ModuleType, prefix: str = "") -> list[str]:
    """List what an extension folder offers, without importing any of it.

    A file whose name starts with ``_`` is a helper shared inside the folder, not a plug-in.
    """
    found = (module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg)
    return sorted(
        name.removeprefix(prefix)
        for name in found
        if name.startswith(prefix) and name not in _NOT_PLUGINS and not name.startswith("_")
    )


def load(package: ModuleType, kind: str, name: str, base: type[T], prefix: str = "") -> type[T]:
    """Import one plug-in's file and return the one class in it.

    Raises:
        UnknownNameError: no file of that name; the message lists those that exist.
    """
    known = names(package, prefix)
    if name not in known:
        raise UnknownNameError(kind, name, known)
    module = importlib.import_module(f"{package.__name__}.{prefix}{name}")
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__name__} must define exactly one public {base.__name__}, found {len(classes)}")
    return classes[0]


def targets() -> list[str]:
    """List the export targets: files of converters/, and what other installed distributions register."""
    return sorted({*names(converters, _TARGET_FILE), *(point.name for point in _registered())})


def target(name: str) -> type[Converter]:
    """Find an export target by name.

    Raises:
        UnknownNameError: lists the targets that exist.
        InputError: two distributions register it, or what is registered cannot be imported or is no converter.
    """
    own = name in names(converters, _TARGET_FILE)
    points = [point for point in _registered() if point.name == name]
    if len(points) + own > 1:
        owners = [*(["pripro-toolkit"] if own else []), *(_owner(point) for point in points)]
        raise InputError(f"The target {name} is registered by {' and '.join(owners)}; uninstall all but one of them.")
    if not points:
        if not own:
            raise UnknownNameError("target", name, targets())
        return load(converters, "target", name, Converter, prefix=_TARGET_FILE)  # type: ignore[type-abstract]
    (point,) = points
    try:
        found = point.load()
    except Exception as error:  # whatever a foreign module does as it is imported
        raise InputError(
            f"The target {name} of {_owner(point)} cannot be imported ({error}); update or uninstall {_owner(point)}."
        ) from error
    if not (inspect.isclass(found) and issubclass(found, Converter) and getattr(found, "name", None) == name):
        raise InputError(
            f"{point.value}, which {_owner(point)} registers as the target {name}, is no converter of that name; "
            f"it must be a subclass of converters.base.Converter; update or uninstall {_owner(point)}."
        )
    return found


def targets_or_faults() -> dict[str, type[Converter] | InputError]:
    """Every export target, or what is wrong with it: one bad distribution hides no other's."""
    found: dict[str, type[Converter] | InputError] = {}
    for name in targets():
        try:
            found[name] = target(name)
        except InputError as error:
            found[name] = error
    return found


def known_targets() -> dict[str, type[Converter]]:
    """Every export target that can be used; `doctor` reports the others."""
    return {name: found for name, found in targets_or_faults().items() if isinstance(found, type)}


def check_installed(made_by: Converter, purpose: str) -> None:
    """Refuse a target that lacks a package.

    Raises:
        MissingExtraError: names the package and the command that brings it.
    """
    lacking = made_by.missing()
    if lacking is not None:
        raise MissingExtraError(lacking, made_by.extra or "", purpose, requirement=made_by.requirement())


def _registered() -> list[metadata.EntryPoint]:
    """Entry points of targets, each distribution's once: a folder may stand twice in the module path."""
    found = {(point.name, point.value, _owner(point)): point for point in metadata.entry_points(group=TARGET_GROUP)}
    return list(found.values())


def _owner(point: metadata.EntryPoint) -> str:
    return point.dist.name if point.dist is not None else point.value


def load_foreign(kind: str, spec: str, base: type[T]) -> type[T]:
    """Import module:Class from the folder that the user is in, or from what is installed.

    Raises:
        InputError: no such module or class, or a class of another kind.
    """
    place, _, name = spec.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        found = getattr(importlib.import_module(place), name)
    except (ImportError, AttributeError) as error:
        raise InputError(
            f"The {kind} {spec} cannot be loaded ({error}); give module:Class of a file in this folder, or installed."
        ) from None
    if not (inspect.isclass(found) and issubclass(found, base)):
        raise InputError(f"{spec} is no {base.__name__}; see CONTRIBUTING for what a {kind} must be.")
    return found


def source_digest(spec: str) -> str:
    """SHA-256 of the file that module:Class comes from; empty for names of this project's own."""
    if ":" not in spec:
        return ""
    path = importlib.import_module(spec.partition(":")[0]).__file__
    return hashlib.sha256(Path(path).read_bytes()).hexdigest() if path else ""
