"""Cut a trained network into head and tail: network.py reads it, cuts.py finds the cut points, split.py cuts."""

from typing import TYPE_CHECKING

from .. import exports

if TYPE_CHECKING:
    from .begin import partition as partition
    from .network import load_network as load_network
    from .network import parse_shape as parse_shape
    from .split import Split as Split
    from .split import load_split as load_split

__getattr__ = exports(
    __name__,
    {
        "Split": "split",
        "load_network": "network",
        "load_split": "split",
        "parse_shape": "network",
        "partition": "begin",
    },
)
