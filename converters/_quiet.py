"""Keeps a conversion silent: known lines of libraries, by name, and what their compiled parts print.

Libraries' warnings are silenced one by one where they are known to be harmless; any other warning
passes. Compiled parts write to the process's file descriptors, past Python, so those are turned aside
for as long as a library works.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

#: (category, regular expression at the start of the message), each seen from the versions in constraints/cpu.txt
KNOWN_WARNINGS: tuple[tuple[type[Warning], str], ...] = (
    # torch copies its own graph modules through a class that it has itself deprecated
    (FutureWarning, r"`isinstance\(treespec, LeafSpec\)` is deprecated"),
    # executorch reads its own schemas and tables through importlib's old interface
    (DeprecationWarning, r"read_(binary|text) is deprecated"),
    # a warning about executorch's Python runtime as a whole, on first use
    (DeprecationWarning, r"This API is experimental and subject to change without notice"),
    # ai-edge-quantizer calibrates through LiteRT's debugging mode
    (UserWarning, r"Warning: Enabling `experimental_preserve_all_tensors`"),
    # a layer with fewer distinct weights than a palette has room for
    (UserWarning, r"Number of distinct clusters"),
    # a channel whose weights are all zero has no scale; its codes are zero too
    (RuntimeWarning, r"invalid value encountered in (divide|cast)"),
    # coremltools leaves the removal of its scratch folders to their finaliser
    (ResourceWarning, r"Implicitly cleaning up <TemporaryDirectory"),
    # coremltools' own frontend queries its operator registry in a way that it has itself deprecated
    (DeprecationWarning, r"Function _TORCH_OPS_REGISTRY\.\w+ is deprecated"),
    # coremltools imports executorch and torchao to look at their versions; these two use what is deprecated
    (DeprecationWarning, r"(read|open)_text is deprecated"),
    (DeprecationWarning, r"`torch\.jit\.\w+` is deprecated"),
    # coreai-torch takes the CPU build's 2.13.0+cpu for a later version than 2.13.0
    (UserWarning, r"coreai-torch has only been validated with torch<=2\.13\.0; found torch 2\.13\.0\+"),
)

#: loggers that warn of what does not concern a conversion: an optional compiled part of torchao for GPUs, a
#: constant that torchao registers twice, coremltools' lists of tested versions and its macOS-only parts
KNOWN_LOGGERS = ("torchao", "torch.utils._pytree", "coremltools")


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence the known warnings, loggers below errors, and everything that compiled code prints.

    Frames that a progress bar draws meanwhile are turned aside too; its next frame repaints all of it.
    """
    levels = [(logger := logging.getLogger(name), logger.level) for name in KNOWN_LOGGERS]
    for logger, _ in levels:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), _captured():
            for category, pattern in KNOWN_WARNINGS:
                warnings.filterwarnings("ignore", message=pattern, category=category)
            yield
    finally:
        for logger, level in levels:
            logger.setLevel(level)


@contextlib.contextmanager
def _captured() -> Iterator[None]:
    with tempfile.TemporaryFile("w+") as aside:
        sys.stdout.flush()
        sys.stderr.flush()
        saved = os.dup(1), os.dup(2)
        os.dup2(aside.fileno(), 1)
        os.dup2(aside.fileno(), 2)
        try:
            with contextlib.redirect_stdout(aside), contextlib.redirect_stderr(aside):
                yield
        finally:
            for copy, descriptor in zip(saved, (1, 2), strict=True):
                os.dup2(copy, descriptor)
                os.close(copy)
