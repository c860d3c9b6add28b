"""pripro's library: partition, protect, convert, package, verify, measure, evaluate, plan."""

__version__ = "0.1.0"
