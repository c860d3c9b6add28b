"""Heads on the phone's instruction set, without a phone: aarch64 builds of the real runtimes under qemu-user.

    prepare()    once: a small aarch64 system with ExecuTorch, LiteRT and onnxruntime in a cache folder
                 (as a command: python -m toolkit.emulated.arm64; as root it also installs the Debian packages it needs)
    run_head()   a .pte, .tflite or .onnx head, on the aarch64 kernels that phones use

It shows whether those kernels compute the same. It never gives a time: an emulator's speed says nothing
about a phone's.
"""

from .debian import installable as installs_packages
from .root import default_root, is_ready, missing, prepare
from .run import run_head, targets

__all__ = ["default_root", "installs_packages", "is_ready", "missing", "prepare", "run_head", "targets"]
