"""python -m toolkit.emulated.arm64: build the aarch64 system unless it is there; as root, with its Debian packages."""

import functools

from ..subsystem import prepare_command
from .root import prepare

if __name__ == "__main__":
    prepare_command(functools.partial(prepare, install=True))
