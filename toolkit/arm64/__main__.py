"""python -m toolkit.arm64: build the aarch64 system unless it is there."""

from ..subsystem import prepare_command
from .root import prepare

if __name__ == "__main__":
    prepare_command(prepare)
