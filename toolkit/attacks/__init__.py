"""Attacks on smashed features: one file each, the file name is the attack's name; see base.py."""
