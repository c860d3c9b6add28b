"""Parity: what is compared, and how far apart it may be."""
