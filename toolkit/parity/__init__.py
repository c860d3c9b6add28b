"""Parity: is a converted head what eager torch says, in numbers, in noise and for the task?

Read in this order: cases.py and replay.py (the goldens), limits.py (how far apart is too far, and why), judging.py
with numeric.py and privacy.py (the verdicts), task.py (through the tail), diagnose.py and relation.py (naming a
fault by experiment), explain.py (the first layer that departs; eager.py and tensors_*.py find the layers), device.py
and elsewhere.py (phones, aarch64, old runtimes).
"""
