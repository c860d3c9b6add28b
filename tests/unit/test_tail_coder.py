"""The entropy coder: the contract's bytes, canonical messages, and nothing but a refusal for what is no message."""

import json
import runpy
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from cloud_tail.coder import Coder
from cloud_tail.coding import TOTAL, Coding, frequencies, table_id
from cloud_tail.errors import ArchiveError, WireError

HERE = Path(__file__).parents[1] / "contract" / "coder"
CASES = json.loads((HERE / "cases.json").read_text())


def by_name(kind):
    return pytest.mark.parametrize("case", CASES[kind], ids=lambda case: case["name"])


def coder_of(case):
    return Coder(Coding.from_dict(case["coding"]), tuple(case["shape"]), case["layout"])


def codes_of(text, case):
    return np.frombuffer(bytes.fromhex(text), np.uint8).reshape(case["shape"])


def drawn(rng, channels=5, places=36, pad=None):
    """Random tables, a coder for them, and codes drawn from them."""
    tables = [frequencies(rng.exponential(1, int(rng.integers(2, 40))) ** 2) for _ in range(channels)]
    levels = tuple(len(table) for table in tables)
    coding = Coding(table_id(tables), levels, (0.1,) * channels, (0,) * channels, tuple(tables), pad)
    rows = [rng.choice(len(table), places, p=np.asarray(table) / TOTAL) for table in tables]
    return Coder(coding, (channels, places)), np.stack(rows).astype(np.uint8)


@by_name("messages")
def test_message_bytes(case):
    assert coder_of(case).encode(codes_of(case["codes"], case)).hex() == case["message"]


@by_name("messages")
def test_decoded_codes(case):
    np.testing.assert_array_equal(
        coder_of(case).decode(bytes.fromhex(case["message"])), codes_of(case["decoded"], case)
    )


@by_name("refused")
def test_message_that_must_be_refused(case):
    with pytest.raises(WireError) as caught:
        coder_of(case).decode(bytes.fromhex(case["message"]))
    assert str(caught.value).endswith(".")


@by_name("refused_codings")
def test_coding_that_must_be_refused(case):
    with pytest.raises(ArchiveError, match="coding is not valid"):
        Coding.from_dict(case["coding"])


def test_cases_are_what_the_generator_writes(tmp_path):
    generate = runpy.run_path(str(HERE / "generate.py"))
    generate["main"].__globals__["HERE"] = tmp_path
    generate["main"]()
    assert (tmp_path / "cases.json").read_bytes() == (HERE / "cases.json").read_bytes()


def test_the_cases_reach_what_they_are_for():
    named = {case["name"]: case for case in CASES["messages"]}
    assert len(named["only-likely-codes-three-bytes"]["message"]) == 6
    replaced = named["padded-some-codes-replaced"]
    kept = [a == b for a, b in zip(replaced["codes"], replaced["decoded"], strict=True)]
    assert not all(kept)
    assert all(kept[: len(kept) // 4])


def test_random_codes_come_back_and_cost_what_information_theory_says():
    rng = np.random.default_rng(1)
    for _ in range(200):
        coder, codes = drawn(rng, channels=int(rng.integers(1, 9)), places=int(rng.integers(1, 100)))
        message = coder.encode(codes)
        np.testing.assert_array_equal(coder.decode(message), codes)
        tables = [np.asarray(table) / TOTAL for table in coder.coding.tables]
        ideal = -sum(np.log2(table[row]).sum() for table, row in zip(tables, codes, strict=True)) / 8
        assert ideal + 1.5 < len(message) < ideal * 1.01 + 4


def test_every_accepted_message_is_canonical():
    """All messages of three bytes that start with 2, for one code of two: the only two that are messages pass."""
    tables = [(8192, 8192)]
    coder = Coder(Coding(table_id(tables), (2,), (1.0,), (0,), tuple(tables)), (1, 1))
    accepted = []
    for number in range(1 << 16):
        message = bytes([2]) + number.to_bytes(2, "big")
        try:
            found = coder.decode(message)
        except WireError:
            continue
        accepted.append(int(found[0, 0]))
        assert coder.encode(found) == message
    assert accepted == [0, 1]


@pytest.mark.parametrize("pad", [None, 160])
def test_damaged_messages_are_refused_or_canonical(pad):
    rng = np.random.default_rng(3)
    coder, codes = drawn(rng, pad=pad)
    message = coder.encode(codes)
    passed = 0
    for _ in range(4000):
        kind = int(rng.integers(4))
        if kind == 0:
            hostile = rng.bytes(int(rng.integers(0, 2 * len(message))))
        elif kind == 1:
            hostile = message[: int(rng.integers(len(message)))]
        elif kind == 2:
            hostile = message + rng.bytes(int(rng.integers(1, 9)))
        else:
            changed = bytearray(message)
            for at in rng.integers(0, len(changed), int(rng.integers(1, 4))):
                changed[at] ^= int(rng.integers(1, 256))
            hostile = bytes(changed)
        try:
            found = coder.decode(hostile)
        except WireError:
            continue
        passed += 1
        assert coder.encode(found) == hostile
    assert passed < 10


def test_a_message_of_other_tables_is_refused():
    rng = np.random.default_rng(4)
    refused = 0
    for _ in range(100):
        coder, codes = drawn(rng)
        other = drawn(rng)[0]
        try:
            other.decode(coder.encode(codes))
        except WireError:
            refused += 1
    assert refused >= 99


def test_memory_is_bounded_by_the_shape():
    """A long hostile message must not make the decoder keep more than the codes of its shape."""
    coder, _ = drawn(np.random.default_rng(5), places=2000)
    hostile = b"\xff" * 5_000_000
    tracemalloc.start()
    with pytest.raises(WireError):
        coder.decode(hostile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * coder.values


def test_codes_that_do_not_fit_are_refused():
    coder, codes = drawn(np.random.default_rng(6))
    with pytest.raises(WireError, match="levels"):
        coder.encode(np.full_like(codes, 200))
    with pytest.raises(WireError, match="expected uint8"):
        coder.encode(codes[:2])
    with pytest.raises(WireError, match="expected uint8"):
        coder.encode(codes.astype(np.int64))


def test_all_padded_messages_have_one_length():
    rng = np.random.default_rng(7)
    coder, codes = drawn(rng, pad=60)
    lengths = {len(coder.encode(rng.permuted(codes, axis=1))) for _ in range(50)}
    assert lengths == {60}
    hardest = np.stack([np.full(36, int(np.argmin(table))) for table in coder.coding.tables]).astype(np.uint8)
    message = coder.encode(hardest)
    assert len(message) == 60
    found = coder.decode(message).ravel()
    replaced = int((found != hardest.ravel()).argmax())
    assert 0 < replaced < found.size
    likely = np.repeat([int(np.argmax(table)) for table in coder.coding.tables], 36)
    np.testing.assert_array_equal(found[replaced:], likely[replaced:])


def test_a_padded_length_that_no_message_has_is_refused():
    with pytest.raises(ArchiveError, match="greater length"):
        Coder(Coding(table_id([(8192, 8192)]), (2,), (1.0,), (0,), ((8192, 8192),), pad_bytes=4), (1, 10, 10))


def test_tables_must_fit_the_channels():
    coding = Coding.from_dict(CASES["messages"][0]["coding"])
    with pytest.raises(ArchiveError, match="3 channels"):
        Coder(coding, (3, 5, 5))


@pytest.mark.parametrize(
    "weights", [[1, 1], [1, 0], [0.0, 1e-9], [5, 3, 0, 0, 1000], [1] * 256, [1e9] + [0] * 255, list(range(1, 100))]
)
def test_frequencies(weights):
    table = frequencies(weights)
    assert sum(table) == TOTAL
    assert min(table) >= 1
    assert len(table) == len(weights)
    order = np.argsort(weights, kind="stable")
    assert (np.diff(np.asarray(table)[order]) >= -1).all()


def test_frequencies_lose_little():
    """The table's expected length is within 0.1 % of the entropy."""
    rng = np.random.default_rng(8)
    for levels in (2, 16, 64):
        share = rng.dirichlet(np.ones(levels))
        table = np.asarray(frequencies(share)) / TOTAL
        entropy = -(share * np.log2(share)).sum()
        assert -(share * np.log2(table)).sum() < entropy * 1.001


@pytest.mark.parametrize("weights", [[1], [1] * 257, [0, 0], [-1, 2], [float("nan"), 1], [float("inf"), 1]])
def test_weights_that_give_no_table(weights):
    with pytest.raises(ArchiveError, match="table"):
        frequencies(weights)
