"""Pieces of `pripro plan`: what a head, an upload and a tail cost at every cut."""
