"""Evaluate a saved Core ML program with torch operators: no Mac, no Core ML, see README.md.

Read in this order: package.py (which file is what), weights.py (weight.bin), values.py (types and constants),
program.py (the evaluation), ops/ (one function per operator).
"""

from .program import Program, load_program

__all__ = ["Program", "load_program"]
