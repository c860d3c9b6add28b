"""The cloud's half of a split network: the archive and the servers for it. Needs no torch."""

import os

# onnxruntime, from 1.29 on, sends usage data and a device id to its vendor unless this is set before it is loaded
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
