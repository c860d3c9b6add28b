"""The cloud's half: one archive, and every way to serve it. Needs no torch."""

import os

# onnxruntime, from 1.29 on, sends usage data and a device id to its maker unless told not to before it is loaded
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
