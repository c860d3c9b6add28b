"""The entropy coder: how fast it is, and what it does with hostile messages; prints one JSON object.

    python benchmarks/serving/coder.py --hostile 200000 --out benchmarks/results/coder.json

Speed: milliseconds for 1,000 codes on waists of several sizes. The best round stands beside the median, because
other work on the machine only ever adds. Hostile: random bytes, damaged, truncated, overlong and doubled messages and
those of other tables go to the decoder, and one tenth as many to a real server over HTTP, with good messages
between them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from cloud_tail.coder import Coder
from cloud_tail.coding import TOTAL, Coding, frequencies, table_id
from cloud_tail.errors import WireError

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from tail_tools import CLASSES, SHAPE, TailServer, expected_logits, post, read_all, tiny_archive, tiny_coding


def drawn(rng: np.random.Generator, shape: tuple[int, int, int], pad: int | None = None) -> tuple[Coder, np.ndarray]:
    """A coder with bell-shaped tables of 4 to 64 codes, and one photo's codes drawn from them."""
    tables = []
    for levels in rng.integers(4, 65, shape[0]).tolist():
        places = np.arange(levels) - levels / 2
        tables.append(frequencies(np.exp(-0.5 * (places / (levels / 7)) ** 2).tolist()))
    levels = tuple(len(table) for table in tables)
    coding = Coding(table_id(tables), levels, (0.25,) * len(tables), (0,) * len(tables), tuple(tables), pad)
    rows = [rng.choice(len(table), shape[1:], p=np.asarray(table) / TOTAL) for table in tables]
    return Coder(coding, shape), np.stack(rows).astype(np.uint8)


def seconds(call: Callable[[], object], rounds: int) -> list[float]:
    """Wall seconds of each of several calls."""
    found = []
    for _ in range(rounds):
        started = time.perf_counter()
        call()
        found.append(time.perf_counter() - started)
    return found


def speed(rounds: int) -> list[dict[str, object]]:
    """Encode and decode for waists of several sizes; both alternate, so that a busy machine slows both."""
    rng = np.random.default_rng(1)
    found = []
    for shape in ((4, 8, 8), (16, 8, 8), (8, 28, 28), (32, 28, 28)):
        coder, codes = drawn(rng, shape)
        message = coder.encode(codes)
        if (coder.decode(message) != codes).any():
            raise RuntimeError("the coder does not give back what it was given")
        encoding, decoding = [], []
        for _ in range(rounds):
            encoding += seconds(lambda coder=coder, codes=codes: coder.encode(codes), 1)
            decoding += seconds(lambda coder=coder, message=message: coder.decode(message), 1)
        shares = [np.asarray(table) / TOTAL for table in coder.coding.tables]
        bits = -sum(np.log2(share[row]).sum() for share, row in zip(shares, codes, strict=True))
        found.append(
            {
                "shape": list(shape),
                "codes": coder.values,
                "message_bytes": len(message),
                "information_bytes": round(float(bits) / 8, 1),
                "encode_ms_per_1000": round(statistics.median(encoding) / coder.values * 1e6, 3),
                "decode_ms_per_1000": round(statistics.median(decoding) / coder.values * 1e6, 3),
                "encode_ms_per_1000_best": round(min(encoding) / coder.values * 1e6, 3),
                "decode_ms_per_1000_best": round(min(decoding) / coder.values * 1e6, 3),
            }
        )
    return found


def hostile_message(rng: random.Random, good: bytes, other: bytes) -> bytes:
    """One message that is not what a coder sent."""
    kind = rng.randrange(7)
    if kind == 0:
        return rng.randbytes(rng.randrange(3 * len(good)))
    if kind == 1:
        return good[: rng.randrange(len(good))]
    if kind == 2:
        return good + (bytes(rng.randrange(1, 5)) if rng.random() < 0.5 else rng.randbytes(rng.randrange(1, 400)))
    if kind == 3:
        return other
    if kind == 4:
        at = rng.randrange(len(good))
        return good[:at] + rng.randbytes(rng.randrange(1, 4)) + good[at:]
    if kind == 5:
        return bytes([rng.choice((0, 1, 255))]) * rng.randrange(2 * len(good))
    changed = bytearray(good)
    for _ in range(rng.randrange(1, 5)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def hostile(count: int, seed: int) -> dict[str, object]:
    """Hostile messages to the decoder: how many were refused, passed as another photo's codes, or did neither."""
    rng, draw = random.Random(seed), np.random.default_rng(seed)
    pairs = [(drawn(draw, (6, 5, 5), pad), drawn(draw, (6, 5, 5), pad)) for pad in (None, None, 160)]
    told: Counter[str] = Counter()
    largest = 0
    tracemalloc.start()
    sent = [(coder, coder.encode(codes), other.encode(foreign)) for (coder, codes), (other, foreign) in pairs]
    for number in range(count):
        coder, good, foreign_message = sent[number % len(sent)]
        message = hostile_message(rng, good, foreign_message)
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        try:
            found = coder.decode(message)
        except WireError:
            told["refused"] += 1
        except Exception as error:  # whatever it is, it must not be
            told[f"wrong: {type(error).__name__}"] += 1
        else:
            same = coder.encode(found) == message
            told["another photo's codes" if same else "wrong: not canonical"] += 1
        largest = max(largest, tracemalloc.get_traced_memory()[1] - before)
    tracemalloc.stop()
    return {"messages": count, **told, "codes_of_each": pairs[0][0][0].values, "peak_bytes_of_one_decode": largest}


def over_http(count: int, seed: int) -> dict[str, object]:
    """Hostile messages to a real server, every tenth a good one whose logits are checked."""
    rng, draw = random.Random(seed), np.random.default_rng(seed)
    coding = tiny_coding()
    coder = Coder(coding, SHAPE)
    codes = coder.clip(draw.integers(0, 40, SHAPE, dtype=np.uint8)[None])[0]
    good = coder.encode(codes)
    other = drawn(draw, SHAPE)[0]
    foreign = other.encode(other.clip(codes[None])[0])
    features = (codes - np.float32(coding.zero_point).reshape(-1, 1, 1)) * np.float32(coding.scale).reshape(-1, 1, 1)
    statuses: Counter[str] = Counter()
    right = wrong = 0
    with tempfile.TemporaryDirectory() as folder:
        archive = tiny_archive(Path(folder), coding=coding)
        wanted = expected_logits(archive, features[None])[0]
        with TailServer(Path(folder), archive) as server:
            resident = []
            for _ in range(-(-count // 90)):
                sent = [hostile_message(rng, good, foreign) for _ in range(100)]
                sent[9::10] = [good] * 10
                requests = [
                    post("/predictions/tail", message, Pripro_Table_Id=coding.table_id, Connection=keep)
                    for message, keep in zip(sent, ["keep-alive"] * 99 + ["close"], strict=True)
                ]
                with server.connect() as link:
                    link.sendall(b"".join(requests))
                    answers = read_all(link).split(b"HTTP/1.1 ")[1:]
                statuses.update(answer[:3].decode() for answer in answers)
                for answer in answers[9::10]:
                    logits = json.loads(answer.split(b"\r\n\r\n", 1)[1])["logits"]
                    close = len(logits) == CLASSES and bool(np.abs(np.subtract(logits, wanted)).max() < 1e-5)
                    right, wrong = right + close, wrong + (not close)
                pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
                resident.append(pages * os.sysconf("SC_PAGE_SIZE") / 1e6)
    half = len(resident) // 2
    return {
        "answers": dict(statuses),
        "good_right": right,
        "good_wrong": wrong,
        "rss_mb_halfway": round(resident[half], 1),
        "rss_mb_at_end": round(resident[-1], 1),
    }


def main() -> None:
    """Run all parts."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--hostile", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    told = {
        "speed": speed(given.rounds),
        "hostile": hostile(given.hostile, given.seed),
        "hostile_over_http": over_http(given.hostile // 10, given.seed),
        "command": f"python benchmarks/serving/coder.py --hostile {given.hostile} --rounds {given.rounds}",
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}",
        "versions": {"python": platform.python_version(), "numpy": version("numpy")},
        "date": datetime.now(UTC).date().isoformat(),
    }
    text = json.dumps(told, indent=1)
    if given.out:
        given.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    main()
