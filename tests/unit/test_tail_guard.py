"""Tokens, rates and the bounded queue."""

import asyncio
import threading
import time

import numpy as np
import pytest
from tail_tools import SHAPE, tiny_signature

from cloud_tail.batcher import Batcher
from cloud_tail.calls import Call
from cloud_tail.errors import TailError
from cloud_tail.guard import RateLimit, read_token, token_fits

TOKEN = b"0123456789abcdef0123"


@pytest.mark.parametrize(
    ("given", "fits"),
    [
        (f"Bearer {TOKEN.decode()}", True),
        (f"bearer  {TOKEN.decode()} ", True),
        (f"Basic {TOKEN.decode()}", False),
        (TOKEN.decode(), False),
        (f"Bearer {TOKEN.decode()[:-1]}", False),
        (f"Bearer {TOKEN.decode()}4", False),
        ("Bearer é", False),
        ("", False),
        (None, False),
    ],
)
def test_token(given, fits):
    assert token_fits(given, TOKEN) is fits


@pytest.mark.parametrize(
    "content", [b"", b"short", b"has a space in the middle", b"caf\xc3\xa9" * 8, b"two\nlines of token here"]
)
def test_bad_token_files(tmp_path, content):
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(TailError, match="openssl rand"):
        read_token(path)


def test_token_file(tmp_path):
    (tmp_path / "token").write_bytes(TOKEN + b"\n")
    assert read_token(tmp_path / "token") == TOKEN
    with pytest.raises(TailError, match="cannot be read"):
        read_token(tmp_path / "none")


def test_rate_limit(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    limit = RateLimit(5)
    assert [limit.wait("a") for _ in range(10)] == [0.0] * 10  # the burst
    assert 0 < limit.wait("a") <= 0.2
    assert limit.wait("b") == 0.0  # others are not touched
    now[0] += 0.2
    assert limit.wait("a") == 0.0
    assert limit.wait("a") > 0
    for n in range(10_000):
        limit.wait(f"flood {n}")
    assert len(limit._clients) <= 4096


def call(n=1, value=1.0):
    signature = tiny_signature()
    return Call(np.full((n, *SHAPE), value, np.float32), signature.inputs[0], signature, None)


class Slow:
    """Answers each item's first value, and notes the batches it saw."""

    def __init__(self):
        self.gate = threading.Event()
        self.batches = []

    def run(self, features):
        self.gate.wait(10)
        self.batches.append(len(features))
        if features[0, 0, 0, 0] == -1:
            raise RuntimeError("engine")
        return np.repeat(features[:, 0, 0, :1], 10, axis=1)


def with_batcher(scenario, **settings):
    async def run():
        engine = Slow()
        batcher = Batcher(
            engine, **{"max_batch": 4, "max_wait_ms": 0, "limit": 6, "workers": 1, **settings},
            loop=asyncio.get_running_loop(), observe=lambda items, seconds: None,
        )  # fmt: skip
        try:
            await scenario(batcher, engine)
        finally:
            engine.gate.set()
            await asyncio.to_thread(batcher.stop)

    asyncio.run(run())


def test_queue_is_bounded_and_batches_merge():
    async def scenario(batcher, engine):
        answers = {}
        assert batcher.submit(call(value=0), lambda got: answers.update({0: got}))
        await asyncio.sleep(0.05)  # the thread has taken the first
        for n in range(1, 6):
            assert batcher.submit(call(value=n), lambda got, n=n: answers.update({n: got}))
        assert not batcher.has_room()
        assert not batcher.submit(call(value=9), lambda got: pytest.fail("a refused call was answered"))
        engine.gate.set()
        while len(answers) < 6:
            await asyncio.sleep(0.01)
        assert [float(answers[n][0, 0]) for n in range(6)] == [0, 1, 2, 3, 4, 5]  # each its own
        assert engine.batches == [1, 4, 1]
        assert batcher.pending == 0

    with_batcher(scenario)


def test_a_large_request_runs_alone_in_parts():
    async def scenario(batcher, engine):
        engine.gate.set()
        got = []
        assert batcher.submit(call(10, 3.0), got.append)
        while not got:
            await asyncio.sleep(0.01)
        assert got[0].shape == (10, 10)
        assert engine.batches == [4, 4, 2]

    with_batcher(scenario)


def test_a_failing_engine_answers_its_callers_and_goes_on():
    async def scenario(batcher, engine):
        engine.gate.set()
        got = []
        batcher.submit(call(value=-1), got.append)
        while len(got) < 1:
            await asyncio.sleep(0.01)
        batcher.submit(call(value=2), got.append)
        while len(got) < 2:
            await asyncio.sleep(0.01)
        assert got[0] is None
        assert float(got[1][0, 0]) == 2

    with_batcher(scenario)


def test_waiting_for_company():
    async def scenario(batcher, engine):
        engine.gate.set()
        got = []
        batcher.submit(call(), got.append)
        await asyncio.sleep(0.05)
        batcher.submit(call(), got.append)
        while len(got) < 2:
            await asyncio.sleep(0.01)
        assert engine.batches == [2]

    with_batcher(scenario, max_wait_ms=500, max_batch=2)
