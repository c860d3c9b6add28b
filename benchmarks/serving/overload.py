"""A crowd of clients in one thread: whoever is refused comes back after a moment, whoever is answered asks again.

One thread with a selector, because eighty threads of Python wait for each other longer than for the server.
"""

from __future__ import annotations

import heapq
import selectors
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count

from load import Client

_BACK_OFF_SECONDS = 0.02


@dataclass
class Seen:
    """What a crowd saw: answers by status, and how long the accepted ones took, in seconds."""

    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    wrong: int = 0


def crowd(
    address: tuple[str, int], request: bytes, clients: int, seconds: float, right: Callable[[bytes], bool]
) -> Seen:
    """Ask with so many clients for so long, then take in what is still on its way.

    Args:
        address: host and port.
        request: what each of them sends.
        clients: how many, each on a connection of its own.
        seconds: how long new requests are sent.
        right: whether an answer of status 200 holds the logits that it should.
    """
    seen, selector, waiting, order = Seen(), selectors.DefaultSelector(), [], count()
    open_requests = 0
    for _ in range(clients):
        client = Client(address, request)
        selector.register(client.socket, selectors.EVENT_READ, client)
        client.send()
        open_requests += 1
    end = time.perf_counter() + seconds
    while open_requests:
        now = time.perf_counter()
        while waiting and waiting[0][0] <= now and now < end:
            heapq.heappop(waiting)[2].send()
            open_requests += 1
        for key, _ in selector.select(0.005):
            client: Client = key.data
            try:
                status = client.receive()
            except OSError:
                status = 0
            if status is None:
                continue
            now = time.perf_counter()
            open_requests -= 1
            seen.statuses[str(status or "lost")] += 1
            if status == 200:
                seen.times.append(now - client.sent)
                seen.wrong += not right(client.data)
            if client.socket is not key.fileobj or not status:
                selector.unregister(key.fileobj)
                if not status:
                    client.reconnect()
                selector.register(client.socket, selectors.EVENT_READ, client)
            if status == 200 and now < end:
                client.send()
                open_requests += 1
            else:
                heapq.heappush(waiting, (now + _BACK_OFF_SECONDS, next(order), client))
    for key in list(selector.get_map().values()):
        key.fileobj.close()
    selector.close()
    return seen
