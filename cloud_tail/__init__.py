"""The cloud's half: one archive, and every way to serve it. Needs no torch."""
