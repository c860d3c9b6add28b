"""Extension folders: the file name is the registered name, one class per file, nothing to edit elsewhere."""

import hashlib
import importlib
import inspect
import pkgutil
import sys
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from .errors import InputError, UnknownNameError

T = TypeVar("T")
_NOT_PLUGINS = {"base"}


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
