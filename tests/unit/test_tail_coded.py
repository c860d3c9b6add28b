"""Entropy-coded requests: read as meant, refused in one sentence, and never in the way of version 1."""

import asyncio
import json
import random
import threading
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from tail_tools import BUNDLE_A, SHAPE, coded_features, tiny_archive, tiny_coding, tiny_features, tiny_signature

from cloud_tail.archive import open_archive
from cloud_tail.batcher import Batcher
from cloud_tail.calls import read_call
from cloud_tail.coder import Coder
from cloud_tail.errors import ArchiveError, WireError
from cloud_tail.signature import Signature
from cloud_tail.wire import encode_coded_request, encode_request

SIGNATURE = tiny_signature(coding=tiny_coding())
PLAIN = tiny_signature()


class Tail:
    def __init__(self, signature=SIGNATURE):
        self.signature = signature


def read(body, *, length=None, signature=SIGNATURE, raw=False, **headers):
    named = {name.lower().replace("_", "-"): value for name, value in headers.items()}
    if length is not None:
        named["inference-header-content-length"] = str(length)
    return read_call(named, body, [Tail(signature)], raw=raw)[0]


def request(messages, *, shape=None, table=SIGNATURE.coding.table_id, tail=b"", size=None, **tensor):
    """A version 2 request made by hand, so that every part of it can be wrong."""
    payload = b"".join(len(message).to_bytes(4, "little") + message for message in messages) + tail
    parameters = {"binary_data_size": len(payload) if size is None else size}
    if table is not None:
        parameters["table_id"] = table
    described = {
        "name": "smashed",
        "datatype": "BYTES",
        "shape": [len(messages)] if shape is None else shape,
        "parameters": parameters,
        **tensor,
    }
    header = json.dumps({"inputs": [described]}).encode()
    return header + payload, len(header)


def messages(count=1, seed=1):
    codes = SIGNATURE.coder.clip(np.random.default_rng(seed).integers(0, 40, (count, *SHAPE), dtype=np.uint8))
    return [SIGNATURE.coder.encode(item) for item in codes], codes


def test_round_trip():
    features = tiny_features(3)
    headers, body = encode_coded_request(features, SIGNATURE, BUNDLE_A)
    call = read_call({name.lower(): value for name, value in headers.items()}, body, [Tail()], raw=False)[0]
    assert call.encoding == "coded"
    assert len(call.array) == 3
    np.testing.assert_allclose(call.features(), coded_features(features, SIGNATURE.coding), atol=1e-6)


def test_one_message_as_the_whole_body():
    (message,), codes = messages()
    call = read(message, raw=True, Pripro_Table_Id=SIGNATURE.coding.table_id)
    np.testing.assert_array_equal(call.array.decode(), codes)
    assert call.request is None
    with pytest.raises(WireError, match="table_id"):
        read(message, raw=True, Pripro_Table_Id="0" * 16)
    with pytest.raises(WireError, match="raw body holds one item"):
        read(message, raw=True)


@pytest.mark.parametrize("encoding", ["float32", "float16", "uint8"])
def test_version_1_clients_keep_working(encoding):
    features = tiny_features(2)
    headers, body = encode_request(features, PLAIN.encoding(encoding), BUNDLE_A)
    lower = {name.lower(): value for name, value in headers.items()}
    old = read_call(lower, body, [Tail(PLAIN)], raw=False)[0]
    new = read_call(lower, body, [Tail()], raw=False)[0]
    np.testing.assert_array_equal(old.features(), new.features())


GOOD, CODES = messages(2)
REFUSED = {
    "no table": (request(GOOD, table=None), "table_id is missing"),
    "table is a number": (request(GOOD, table=7), "table_id is missing or not a string"),
    "other table": (request(GOOD, table="0123456789abcdef"), "decodes with"),
    "shape of the codes": (request(GOOD, shape=[2, *SHAPE]), r"shape of BYTES is \[n\]"),
    "shape says more": (request(GOOD, shape=[3]), "cut off"),
    "shape says fewer": (request(GOOD, shape=[1]), "follow the last"),
    "shape says far too many": (request(GOOD, shape=[1 << 30]), "may hold 1024 messages"),
    "shape zero": (request(GOOD, shape=[0]), "positive"),
    "trailing bytes": (request(GOOD, tail=b"abc"), "follow the last"),
    "length beyond the body": (request([], shape=[1], tail=b"\xff\xff\xff\xff" + GOOD[0]), "cut off"),
    "half a length": (request([], shape=[1], tail=b"\x05\x00"), "cut off"),
    "nothing at all": (request([], shape=[1]), "cut off"),
    "size lies": (request(GOOD, size=5), "binary_data_size"),
    "data in JSON": (
        request([], shape=[1], parameters={"table_id": SIGNATURE.coding.table_id}, data=["abcd"]),
        "BYTES",
    ),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_before_anything_is_decoded(kind):
    (body, length), sentence = REFUSED[kind]
    with pytest.raises(WireError, match=sentence):
        read(body, length=length)


def test_a_tail_without_a_waist_takes_no_bytes():
    body, length = request(GOOD)
    with pytest.raises(WireError, match="takes FP32, FP16, UINT8, not BYTES"):
        read(body, length=length, signature=PLAIN)
    with pytest.raises(WireError, match="not BYTES"):
        read(GOOD[0], raw=True, signature=PLAIN, Pripro_Table_Id=SIGNATURE.coding.table_id)
    with pytest.raises(WireError, match="not entropy-coded"):
        encode_coded_request(tiny_features(), PLAIN, None)


def test_few_bytes_cannot_stand_for_a_large_tensor():
    """Three bytes can mean any number of likely codes: what a request decodes to is limited, not its bytes."""
    wide = replace(SIGNATURE.inputs[0], shape=(-1, 4, 200, 200))
    signature = replace(SIGNATURE, inputs=(wide,))
    small = signature.coder.encode(
        np.zeros((4, 200, 200), np.uint8) + np.array([[[8]], [[2]], [[1]], [[20]]], np.uint8)
    )
    body, length = request([small] * 7)
    with pytest.raises(WireError, match="may hold 6 messages"):
        read(body, length=length, signature=signature)


def test_thousands_of_hostile_requests():
    """Mutated requests: refused, or decoded to codes whose request is the very same."""
    rng = random.Random(20261127)
    accepted = 0
    for _ in range(6000):
        body, length = request(GOOD)
        data = bytearray(body)
        for _ in range(rng.randrange(1, 4)):
            at = rng.randrange(length, len(data)) if rng.random() < 0.8 else rng.randrange(len(data))
            action = rng.randrange(3)
            if action == 0:
                data[at] ^= 1 << rng.randrange(8)
            elif action == 1:
                del data[at : at + rng.randrange(1, 5)]
            else:
                data[at:at] = rng.randbytes(rng.randrange(1, 5))
        try:
            call = read(bytes(data), length=length + rng.choice([0, 0, 0, 0, 1, -1]))
            codes = call.array.decode()
        except WireError:
            continue
        accepted += 1
        assert codes.shape == (2, *SHAPE)
        assert request([SIGNATURE.coder.encode(item) for item in codes])[0][length:] == bytes(data)[length:]
    assert accepted < 300  # those in which only the JSON's blanks or nothing changed


class OutOfMemory(Coder):
    def decode(self, message):
        raise MemoryError


UNLUCKY = tiny_signature(coding=tiny_coding())
vars(UNLUCKY)["coder"] = OutOfMemory(UNLUCKY.coding, SHAPE)
BROKEN = bytes([*GOOD[1][:-1], GOOD[1][-1] ^ 1])


@pytest.mark.parametrize(
    ("signature", "message", "answer"), [(SIGNATURE, BROKEN, WireError), (UNLUCKY, GOOD[0], type(None))]
)
def test_a_broken_message_does_not_spoil_its_batch(signature, message, answer):
    """Decoded where the tail runs: the broken one gets its error, its neighbours their logits."""
    batches = []

    class Engine:
        def run(self, features):
            batches.append(len(features))
            return np.repeat(features[:, 0, 0, :1], 10, axis=1)

    async def scenario():
        batcher = Batcher(
            Engine(), max_batch=8, max_wait_ms=200, limit=64, workers=1,
            loop=asyncio.get_running_loop(), observe=lambda items, seconds: None,
        )  # fmt: skip
        got = {}
        for index, (to, sent) in enumerate([(SIGNATURE, GOOD[0]), (signature, message), (SIGNATURE, GOOD[1])]):
            body, length = request([sent])
            asked = read(body, length=length, signature=to)
            batcher.submit(asked, lambda answer, index=index: got.update({index: answer}))
        async with asyncio.timeout(30):
            while len(got) < 3:
                await asyncio.sleep(0.01)
        await asyncio.to_thread(batcher.stop)
        return got, batcher.pending

    got, pending = asyncio.run(scenario())
    assert isinstance(got[1], answer)
    for index, item in ((0, 0), (2, 1)):
        expected = (float(CODES[item, 0, 0, 0]) - 8) * np.float32(0.3)
        np.testing.assert_allclose(got[index], expected, atol=1e-6)
    assert sum(batches) == 2
    assert pending == 0


def test_messages_are_decoded_off_the_event_loop():
    threads = []

    class Watched(Coder):
        def decode(self, message):
            threads.append(threading.current_thread().name)
            return super().decode(message)

    class Engine:
        def run(self, features):
            return np.zeros((len(features), 10), np.float32)

    signature = tiny_signature(coding=tiny_coding())
    vars(signature)["coder"] = Watched(signature.coding, SHAPE)

    async def scenario():
        batcher = Batcher(
            Engine(), max_batch=8, max_wait_ms=0, limit=64, workers=1,
            loop=asyncio.get_running_loop(), observe=lambda items, seconds: None,
        )  # fmt: skip
        answered = asyncio.get_running_loop().create_future()
        body, length = request(GOOD)
        assert batcher.submit(read(body, length=length, signature=signature), answered.set_result)
        assert not threads
        assert (await answered).shape == (2, 10)
        await asyncio.to_thread(batcher.stop)

    asyncio.run(scenario())
    assert threads == ["tail-0", "tail-0"]


def test_signature_round_trip():
    for pad in (None, 48):
        signature = tiny_signature(coding=tiny_coding(pad))
        again = Signature.from_json(signature.to_json())
        assert again == signature
        assert (again.wire_version, json.loads(again.to_json())["schema_version"]) == (2, 2)
        assert again.encodings == ["float32", "float16", "uint8", "coded"]


def test_a_signature_without_coding_is_version_1_to_the_byte():
    raw = json.loads(PLAIN.to_json())
    assert (raw["schema_version"], raw["wire_version"]) == (1, 1)
    assert "coding" not in raw
    assert Signature.from_json(PLAIN.to_json()) == PLAIN


@pytest.mark.parametrize(
    "change",
    [
        {"schema_version": 1},
        {"schema_version": 3},
        {"wire_version": 1},
        {"coding": None},
        {"coding": {}},
        {"coding": []},
        {"coding": {**SIGNATURE.coding.to_dict(), "more": 1}},
        {"coding": {**SIGNATURE.coding.to_dict(), "tables": "x"}},
        {"coding": {**SIGNATURE.coding.to_dict(), "tables": [1, 2, 3, 4]}},
        {"coding": {**SIGNATURE.coding.to_dict(), "tables": [["a"]] * 4}},
        {"coding": {**SIGNATURE.coding.to_dict(), "levels": ["x"] * 4}},
        {"coding": {**SIGNATURE.coding.to_dict(), "scale": [True] * 4}},
        {"coding": {**SIGNATURE.coding.to_dict(), "table_id": 5}},
        {"coding": {**SIGNATURE.coding.to_dict(), "pad_bytes": 3.5}},
        {"coding": {**SIGNATURE.coding.to_dict(), "pad_bytes": 3}},
        {"inputs": [{"name": "smashed", "dtype": "float32", "shape": [-1, 5, 3, 3]}]},
        {"inputs": [{"name": "smashed", "dtype": "float32", "shape": [-1, 4, 1024, 1024]}]},
    ],
)
def test_bad_signatures(change):
    raw = json.loads(SIGNATURE.to_json()) | change
    with pytest.raises(ArchiveError) as caught:
        Signature.from_json(json.dumps(raw))
    assert "\n" not in str(caught.value)


def test_the_archive_carries_the_coding(tmp_path):
    opened = open_archive(tiny_archive(tmp_path, coding=tiny_coding()))
    assert opened.signature == SIGNATURE
    with zipfile.ZipFile(tmp_path / "tail.mar") as zipped:
        assert {"pripro_tail/coder.py", "pripro_tail/coding.py", "pripro_tail/messages.py"} <= set(zipped.namelist())


def test_archives_of_an_older_version_are_read(tmp_path):
    """Their modules for TorchServe differ in name; our servers do not run them, so an update can serve old and new."""
    import hashlib

    path = tiny_archive(tmp_path)
    with zipfile.ZipFile(path) as zipped:
        members = {name: zipped.read(name) for name in zipped.namelist()}
    members["pripro_tail/claims.py"] = members.pop("pripro_tail/server_codec.py")
    del members["pripro_tail/coder.py"]
    sums = (
        f"{hashlib.sha256(members[name]).hexdigest()}  {name}\n" for name in sorted(members) if name != "SHA256SUMS"
    )
    members["SHA256SUMS"] = "".join(sums).encode()
    with zipfile.ZipFile(path, "w") as zipped:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr = 3, 0o100644 << 16
            zipped.writestr(info, members[name])
    assert open_archive(path).signature == PLAIN
