"""Which part a photo is in: a function of its content's hash, the seed, and what the data set itself says."""

from __future__ import annotations

import hashlib

import numpy as np

from .base import TEST, UNSAID, VAL, Bytes, Chunk

VICTIM_TRAIN, VICTIM_VAL, ATTACKER_TRAIN, TESTED = range(4)
#: victim-train, victim-val, attacker-train; the rest is test
_SHARES = (0.45, 0.15, 0.20)
#: the same where the data set says what is for the test, and where it says what is for validation too
_SHARES_WITHOUT_TEST, _SHARES_OF_TRAIN = (0.55, 0.15, 0.30), (0.65, 0.0, 0.35)


def divide(digests: Bytes, said: Bytes, seed: int) -> tuple[Chunk, np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Put each photo into a part.

    A photo's part depends on no other photo, but for one thing: as soon as the data set says of any photo what it
    is for, its own division counts: the photos that it keeps for the test are the test part (its validation photos
    where it has no others), its validation photos are victim-val where it has both, and the rest is divided by hash.
    A network is nearly always right about photos that it has learned, so accuracy is best watched on others.

    Args:
        digests: [M,32], of the photos' content.
        said: [M], UNSAID, TRAIN, VAL or TEST.
        seed: another one gives another division.

    Returns:
        the part [M] of each, and a number in [0, 1) [M] that orders photos, independent of the part.
    """
    place, rank = _uniform(digests, seed)
    has_test = bool((said == TEST).any())
    held = said == (TEST if has_test else VAL)
    if not held.any() or (said == UNSAID).all():
        return np.searchsorted(np.cumsum(_SHARES), place, side="right").astype(np.int64), rank
    watched = (said == VAL) & ~held
    edges = np.cumsum(_SHARES_OF_TRAIN if watched.any() else _SHARES_WITHOUT_TEST)[:-1]
    part = np.searchsorted(edges, place, side="right").astype(np.int64)
    part[held], part[watched] = TESTED, VICTIM_VAL
    return part, rank


def _uniform(
    digests: Bytes, seed: int
) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], np.ndarray[tuple[int, ...], np.dtype[np.float64]]]:
    """Two independent numbers in [0, 1) from each hash: it is mixed with the seed, then cut in halves."""
    prefix = b"pripro division %d " % seed
    mixed = b"".join(hashlib.sha256(prefix + digest.tobytes()).digest()[:16] for digest in digests)
    halves = np.frombuffer(mixed, ">u8").reshape(-1, 2)
    both = (halves >> np.uint64(11)).astype(np.float64) / 2.0**53
    return both[:, 0], both[:, 1]
