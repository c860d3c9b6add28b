"""pripro's library: partition, protect, convert, package, verify, measure, evaluate, plan."""

import os

# onnxruntime, from 1.29 on, sends usage data and a device id to its maker unless told not to before it is loaded
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
