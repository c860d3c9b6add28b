"""Head, real link, tail: does the predicted total hold end to end?

    sudo python benchmarks/latency/netem.py BUNDLE --out benchmarks/results/latency_netem.json

Two network namespaces of its own are joined and shaped: by a veth pair and `tc netem` where the kernel has netem,
else by a program that carries the packets between two TUN devices, late and at a limited rate (real TCP stacks of
the kernel at both ends either way; the result says which). The bundle's tail is served in one namespace; in the
other the head runs and the features are sent.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import functools
import heapq
import json
import os
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from record import provenance, write
from safetensors.numpy import load_file

from toolkit.bundle import Bundle
from toolkit.convert.heads import converter
from toolkit.measure.heads import choose_heads, write_inputs
from toolkit.plan.network import Link

PHONE, CLOUD = f"pripro-p{os.getpid()}", f"pripro-c{os.getpid()}"
PHONE_ADDRESS, CLOUD_ADDRESS = "10.77.0.1", "10.77.0.2"
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
#: as between two photos; Linux halves an idle connection's window once per retransmission timeout (here 0.25 s), so
#: that it is the initial one again (RFC 5681) only after several
PAUSE_S = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--rates", default="1,5,20,100")
    parser.add_argument("--rtt", type=float, default=40.0)
    parser.add_argument("--requests", type=int, default=8)
    parser.add_argument("--target", default="onnx")
    parser.add_argument("--encoding", default="uint8", choices=["uint8", "float32"])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--role", default="", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle)
    if arguments.role:
        print(json.dumps(phone(bundle, arguments.role, arguments.target, arguments.requests, arguments.encoding)))
        return
    width = 1 if arguments.encoding == "uint8" else 4
    size = int(np.prod(bundle.manifest.split.smashed.shape[1:])) * width
    lines = []
    link_kind = "tc netem" if has_netem() else "user space, between two TUN devices"
    asked = [arguments.bundle, "--role", CLOUD_ADDRESS, "--target", arguments.target,
             "--requests", arguments.requests, "--encoding", arguments.encoding]  # fmt: skip
    with namespaces(), unshaped(), tail_in_cloud(bundle):
        bare = in_phone(asked)
    for mbps in [float(text) for text in arguments.rates.split(",")]:
        with namespaces(), shaped(mbps, arguments.rtt), tail_in_cloud(bundle):
            told = in_phone(asked)
        # head, tail, HTTP and codec were measured without the link; the link is what is predicted
        predicted = bare["total_ms"] + Link(mbps, arguments.rtt).request_ms(size)
        lines.append(
            {
                "mbps": mbps,
                "rtt_ms": arguments.rtt,
                "bytes_sent": size,
                "head_ms": told["head_ms"],
                "measured_total_ms": told["total_ms"],
                "without_link_ms": bare["total_ms"],
                "predicted_total_ms": predicted,
                "error_share": predicted / told["total_ms"] - 1,
            }
        )
        print(json.dumps(lines[-1]), file=sys.stderr, flush=True)
    about = {"network": bundle.manifest.model.source, "cut": bundle.manifest.split.cut}
    run = {"head": f"{arguments.target} fp32", "encoding": arguments.encoding, "requests": arguments.requests}
    write(arguments.out, provenance() | {"bundle": about, **run, "link": link_kind, "lines": lines})


def phone(bundle: Bundle, address: str, target: str, requests: int, encoding: str) -> dict[str, float]:
    """Run the head and ask the tail at `address`, with pauses; medians in ms."""
    from cloud_tail.client import TailClient

    head = choose_heads(bundle, [target], ["fp32"])[0]
    with tempfile.TemporaryDirectory() as folder:
        inputs = dict(load_file(write_inputs(bundle, Path(folder))[head.takes_eps]))
    runner = converter(target).load(head.entry, threads=1)
    heads, totals = [], []
    with TailClient(f"http://{address}:8080", bundle_id=bundle.manifest.bundle_id) as client:
        client.infer(runner.run(inputs).astype(np.float32), encoding)
        for _ in range(requests):
            time.sleep(PAUSE_S)
            begin = time.perf_counter()
            smashed = runner.run(inputs).astype(np.float32)
            made = time.perf_counter()
            client.infer(smashed, encoding)
            totals.append(1e3 * (time.perf_counter() - begin))
            heads.append(1e3 * (made - begin))
    return {"head_ms": statistics.median(heads), "total_ms": statistics.median(totals)}


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


@functools.cache
def has_netem() -> bool:
    """Ask the kernel, in a namespace of its own."""
    name = f"{PHONE}-probe"
    ip("netns", "add", name)
    try:
        asked = ["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", "lo", "root", "netem", "delay", "1ms"]
        return subprocess.run(asked, capture_output=True, check=False).returncode == 0
    finally:
        ip("netns", "del", name)


@contextlib.contextmanager
def namespaces() -> Iterator[None]:
    for name in (PHONE, CLOUD):
        ip("netns", "add", name)
    try:
        for name in (PHONE, CLOUD):
            ip("-n", name, "link", "set", "lo", "up")
            # starts slowly after a pause, as phones do (RFC 5681); this host has BBR, which does not
            subprocess.run(
                ["ip", "netns", "exec", name, "sysctl", "-qw", "net.ipv4.tcp_congestion_control=reno"], check=True
            )
        yield
    finally:
        for name in (PHONE, CLOUD):
            ip("netns", "del", name)


@contextlib.contextmanager
def unshaped() -> Iterator[None]:
    """A veth pair as it is."""
    ip("link", "add", "name", "pp0", "netns", PHONE, "type", "veth", "peer", "name", "pc0", "netns", CLOUD)
    for name, device, address in ((PHONE, "pp0", PHONE_ADDRESS), (CLOUD, "pc0", CLOUD_ADDRESS)):
        ip("-n", name, "address", "add", f"{address}/24", "dev", device)
        ip("-n", name, "link", "set", device, "up")
    yield


@contextlib.contextmanager
def shaped(mbps: float, rtt_ms: float) -> Iterator[None]:
    if has_netem():
        with unshaped():
            for name, device in ((PHONE, "pp0"), (CLOUD, "pc0")):
                shape = ["netem", "delay", f"{rtt_ms / 2}ms", "rate", f"{mbps}mbit", "limit", "5000"]
                subprocess.run(
                    ["ip", "netns", "exec", name, "tc", "qdisc", "add", "dev", device, "root", *shape], check=True
                )
            yield
        return
    ends = [open_tun(name, device) for name, device in ((PHONE, "pp0"), (CLOUD, "pc0"))]
    for name, device, address in ((PHONE, "pp0", PHONE_ADDRESS), (CLOUD, "pc0", CLOUD_ADDRESS)):
        ip("-n", name, "address", "add", f"{address}/24", "dev", device)
        ip("-n", name, "link", "set", device, "up")
    pid = os.fork()
    if pid == 0:
        carry(ends[0], ends[1], mbps, rtt_ms)
    try:
        yield
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
        for end in ends:
            os.close(end)


def open_tun(namespace: str, device: str) -> int:
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, _TUNSETIFF, struct.pack("16sH14x", device.encode(), _IFF_TUN | _IFF_NO_PI))
    ip("link", "set", device, "netns", namespace)
    return end


def carry(one: int, other: int, mbps: float, rtt_ms: float) -> None:
    """Carry packets both ways: serialised at `mbps`, then half the round trip late; never returns."""
    across = {one: other, other: one}
    free_at = {one: 0.0, other: 0.0}
    waiting: list[tuple[float, int, int, bytes]] = []
    count = 0
    while True:
        now = time.monotonic()
        while waiting and waiting[0][0] <= now:
            _, _, to, packet = heapq.heappop(waiting)
            with contextlib.suppress(OSError):
                os.write(to, packet)
        wait = max(0.0, waiting[0][0] - now) if waiting else 1.0
        for end in select.select([one, other], [], [], wait)[0]:
            while True:
                try:
                    packet = os.read(end, 65535)
                except BlockingIOError:
                    break
                now = time.monotonic()
                # 14 bytes of Ethernet, which a TUN device does not carry
                free_at[end] = max(now, free_at[end]) + 8 * (len(packet) + 14) / (mbps * 1e6)
                count += 1
                heapq.heappush(waiting, (free_at[end] + rtt_ms / 2e3, count, across[end], packet))


@contextlib.contextmanager
def tail_in_cloud(bundle: Bundle) -> Iterator[None]:
    tail = bundle.manifest.tail
    if tail is None:
        raise SystemExit(f"{bundle.root} has no packaged tail; run: pripro package {bundle.root}")
    with tempfile.TemporaryDirectory() as folder:
        ready = Path(folder) / "ready.json"
        serve = [sys.executable, "-m", "cloud_tail", "serve", str(bundle.path(tail.archive)), "--workers", "1"]
        where = ["--host", CLOUD_ADDRESS, "--port", "8080", "--ready-file", str(ready)]
        command = ["ip", "netns", "exec", CLOUD, *serve, *where]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            deadline = time.monotonic() + 60
            while not ready.exists() and time.monotonic() < deadline and process.poll() is None:
                time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def in_phone(arguments: list[object]) -> dict[str, float]:
    command = ["ip", "netns", "exec", PHONE, sys.executable, __file__, *map(str, arguments)]
    answer: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return answer


if __name__ == "__main__":
    main()
