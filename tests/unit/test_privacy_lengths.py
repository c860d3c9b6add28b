"""The length of a message that attackers are given is the one that the coder makes, within a byte."""

import hashlib
import json

import numpy as np
import torch

from cloud_tail.coder import Coder
from cloud_tail.coding import Coding as Tables
from toolkit.evaluate.lengths import length_of
from toolkit.records.bundle import Coding

TABLES = [[1000, 14384 - 2000, 3000], [16384 - 2 - 500, 2, 500], [5000, 5000, 6384]]


def _coding(pad: int | None) -> Coding:
    assert all(sum(table) == 1 << 14 for table in TABLES)
    digest = hashlib.sha256(json.dumps(TABLES, separators=(",", ":")).encode()).hexdigest()[:16]
    return Coding(
        coder="rans-1", table_id=digest, precision_bits=14, levels=[3, 3, 3], scale=[1.0, 0.5, 2.0],
        zero_point=[1, 1, 1], tables=TABLES, pad_bytes=pad,
    )  # fmt: skip


def test_lengths_are_the_coders_within_a_byte():
    generator = torch.Generator().manual_seed(0)
    coding = _coding(None)
    codes = torch.randint(0, 3, (20, 3, 6, 6), generator=generator)
    sent = (codes - 1) * torch.tensor(coding.scale)[:, None, None]
    coder = Coder(_plain(coding), (3, 6, 6))
    made = torch.tensor([float(len(coder.encode(photo.numpy().astype(np.uint8)))) for photo in codes])
    told = length_of(coding)((sent,))
    assert (made - told).abs().max() <= 1
    assert len(set(made.tolist())) > 1


def _plain(coding: Coding) -> Tables:
    return Tables(
        coding.table_id, tuple(coding.levels), tuple(coding.scale), tuple(coding.zero_point),
        tuple(map(tuple, coding.tables)),
    )  # fmt: skip


def test_a_padded_message_tells_nothing():
    sent = torch.randn(5, 3, 4, 4)
    assert length_of(_coding(500))((sent,)).tolist() == [500.0] * 5
