"""Everything that can go wrong at the tail, as one tree.

    TailError                   one sentence: what is wrong, what was expected, what to do
    |-- ArchiveError            a .mar that is not from this project, damaged or hostile
    |-- WireError               bytes that are not a request or response of this protocol; HTTP 400
    |   `-- BundleMismatch      a head of another bundle; HTTP 409 with both ids
    `-- EngineError             an engine that cannot load or run this model

This file is one of those that `archive.py` packs into every archive for TorchServe to run; all of them
need only numpy and the standard library.
"""


class TailError(Exception):
    """Root of all errors whose message is meant for a person."""

    exit_code = 2


class ArchiveError(TailError):
    """An archive that is not from this project, damaged or hostile."""


class WireError(TailError):
    """Bytes that are not a request or response of this protocol."""


class BundleMismatch(WireError):
    """The head that sent this request belongs to a different bundle from the tail."""

    def __init__(self, expected: str, got: str) -> None:
        super().__init__(
            f"This tail serves bundle {expected}, the request comes from bundle {got}; "
            "update the head on the phone or serve the archive that it was made with."
        )
        self.expected = expected
        self.got = got


class EngineError(TailError):
    """An engine that cannot load or run this model."""
