"""Export targets: one file each, `to_<name>.py`; see base.py for what a target is."""

import os

# onnxruntime, from 1.29 on, sends usage data and a device id to its maker unless told not to before it is loaded
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
