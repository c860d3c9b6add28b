"""Export targets: one file each, `to_<name>.py`; see base.py for what a target is."""
