"""Photos: where they come from (one file per kind), how they become the head's input, and which part they are in.

The file name is what stands before the colon in `--data KIND:PLACE`; `load_data` opens any of them.
"""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from ._augment import Augment as Augment
    from ._data import DataSplits as DataSplits
    from ._data import Part as Part
    from ._data import data_ref as data_ref
    from ._data import load_data as load_data
    from ._data import load_photos as load_photos
    from ._lazy import LazyImages as LazyImages
    from ._library import preprocess_of as preprocess_of
    from ._preprocess import apply as apply
    from ._preprocess import preprocess_for as preprocess_for

__getattr__ = exports(
    __name__,
    {
        "Augment": "_augment",
        "DataSplits": "_data",
        "LazyImages": "_lazy",
        "Part": "_data",
        "apply": "_preprocess",
        "data_ref": "_data",
        "load_data": "_data",
        "load_photos": "_data",
        "preprocess_for": "_preprocess",
        "preprocess_of": "_library",
    },
)
