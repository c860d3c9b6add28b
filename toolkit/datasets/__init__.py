"""Photos: where they come from, how they become the head's input, and which part of a data set they are in."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from ._data import DataSplits as DataSplits
    from ._data import Part as Part
    from ._data import load_data as load_data
    from ._data import load_photos as load_photos
    from ._preprocess import apply as apply
    from ._preprocess import preprocess_for as preprocess_for

__getattr__ = exports(
    __name__,
    {
        "DataSplits": "_data",
        "Part": "_data",
        "apply": "_preprocess",
        "load_data": "_data",
        "load_photos": "_data",
        "preprocess_for": "_preprocess",
    },
)
