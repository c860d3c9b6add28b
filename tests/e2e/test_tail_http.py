"""HTTP/1.1 as the server speaks it, over real sockets: refusals, chunks, pipelines, compression, packets."""

import gzip
import socket
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from tail_tools import (
    BUNDLE_B,
    TailServer,
    expected_logits,
    header_of,
    json_of,
    post,
    read_all,
    status_of,
    tiny_archive,
    tiny_features,
    tiny_signature,
)

from cloud_tail.wire import decode_response, encode_request

pytestmark = pytest.mark.slow
CLOSE = {"Connection": "close"}
RAW = {**CLOSE, "Content_Type": "application/octet-stream"}
GOOD = tiny_features().tobytes()
CHUNKED = b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"
FULL = "Content-Length: 144\r\nContent-Type: application/octet-stream\r\n"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return tiny_archive(tmp_path_factory.mktemp("archive"))


@pytest.fixture(scope="module")
def server(archive, tmp_path_factory):
    with TailServer(tmp_path_factory.mktemp("server"), archive, "--max-body", 65536) as running:
        yield running


@pytest.mark.parametrize(("packer", "name"), [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
def test_compressed_request_and_response(server, archive, packer, name):
    features = tiny_features(60)
    headers, body = encode_request(features, tiny_signature().inputs[0], None)
    answer = server.raw(
        post("/v2/models/tail/infer", packer(body), **CLOSE, Content_Encoding=name, Accept_Encoding=name,
             Inference_Header_Content_Length=headers["Inference-Header-Content-Length"])
    )  # fmt: skip
    assert header_of(answer, "Content-Encoding") == name
    plain = (gzip.decompress if name == "gzip" else zlib.decompress)(answer.split(b"\r\n\r\n", 1)[1])
    logits = np.frombuffer(plain[int(header_of(answer, "Inference-Header-Content-Length")) :], "<f4").reshape(60, 10)
    np.testing.assert_allclose(logits, expected_logits(archive, features), atol=1e-5)


def test_compression_bomb(server):
    answer = server.raw(
        post("/v2/models/tail/infer", gzip.compress(bytes(60_000_000)), **CLOSE, Content_Encoding="gzip")
    )
    assert status_of(answer) == 413


@pytest.mark.parametrize("tail", [b"", b"trailing"])
def test_cut_or_padded_gzip(server, tail):
    packed = gzip.compress(bytes(144))
    body = packed + tail if tail else packed[:-9]
    assert status_of(server.raw(post("/predictions/tail", body, **RAW, Content_Encoding="gzip"))) == 400


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\nHost: t\n\n\r\n\r\n", 400),
        (b"GET /ping HTTP/2.0\r\nHost: t\r\n\r\n", (400, 505)),
        (b"GET /ping HTTP/1.1\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /ping HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 20000 + b"\r\n\r\n", 431),
        (b"GET /ping HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nContent-Length: -5\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nContent-Length: +5\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nContent-Length: 5, 5\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nContent-Length: 65537\r\n\r\n", 413),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff1\r\n", 400),
        (CHUNKED + b"4000\r\n" + (bytes(0x4000) + b"\r\n4000\r\n") * 5, 413),
        (b"PUT /ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 405),
        (b"GET /predictions/tail HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 405),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 404),
        (b"GET /models/%2e%2e HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n", 404),
        (post("/predictions/none", GOOD, **RAW), 404),
        (post("/predictions/tail/9.9", GOOD, **RAW), 404),
        (post("/predictions/tail/1.0", GOOD, **RAW), 200),
        (post("/v2/models/tail/versions/1.0/infer", GOOD, **RAW), 400),
        (post("/predictions/tail", GOOD[:-1], **RAW), 400),
        (post("/predictions/tail", b"", **RAW), 400),
        (post("/predictions/tail", np.full(36, np.nan, "<f4").tobytes(), **RAW), 400),
        (post("/predictions/tail", np.full(36, np.inf, "<f4").tobytes(), **RAW), 400),
        (post("/predictions/tail", GOOD, **RAW, Content_Encoding="br"), 400),
        (post("/predictions/tail", GOOD, **RAW, Pripro_Bundle_Id=BUNDLE_B), 409),
        (post("/predictions/tail", GOOD, **RAW, Pripro_Bundle_Id="x"), 400),
        (post("/predictions/tail", GOOD, **RAW, Inference_Header_Content_Length="9" * 30), 400),
        (post("/predictions/tail", GOOD, **RAW, Inference_Header_Content_Length="-1"), 400),
    ],
)  # fmt: skip
def test_refusals(server, request_bytes, status):
    answer = server.raw(request_bytes)
    assert status_of(answer) in (status if isinstance(status, tuple) else (status,)), answer[:300]
    if status != 200:
        assert json_of(answer)["error"]


def test_chunked_body(server):
    chunks = (
        b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (GOOD[:50], GOOD[50:51], GOOD[51:]))
        + b"0\r\nAuthorization: late\r\n\r\n"
    )
    head = CHUNKED.replace(b"Host: t", b"Host: t\r\nContent-Type: application/octet-stream")
    for step in (1, 7, 10_000):
        with server.connect() as link:
            for at in range(0, len(head + chunks), step):
                link.sendall((head + chunks)[at : at + step])
            assert status_of(read_all(link)) == 200


def test_byte_by_byte_and_pipelined(server):
    whole = (
        post("/predictions/tail", GOOD, Content_Type="application/octet-stream") * 5
        + b"GET /ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
    )
    answers = server.raw(whole)
    assert answers.count(b"HTTP/1.1 200 OK") == 6
    with server.connect() as link:
        for byte in post("/predictions/tail", GOOD, **RAW):
            link.send(bytes([byte]))
        assert status_of(read_all(link)) == 200


def test_thousands_pipelined_without_reading(server):
    """A client that never reads must not make the server hold its answers."""
    with server.connect(timeout=2) as link:
        try:
            for _ in range(100):  # 52 MB of requests: more than any socket buffers hold
                link.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n" * 13000)
        except TimeoutError:
            pass
        else:
            pytest.fail("the server read everything although nobody took its answers")
        memory = rss(server)
        assert memory < 300 << 20
    assert status_of(server.raw(post("/predictions/tail", GOOD, **RAW))) == 200


def rss(server):
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096


def test_half_closed_client_gets_its_answer(server):
    assert (
        status_of(server.raw(post("/predictions/tail", GOOD, Content_Type="application/octet-stream"), half_close=True))
        == 200
    )
    assert server.raw(post("/predictions/tail", GOOD)[:-10], half_close=True) == b""


def test_expect_continue(server):
    with server.connect() as link:
        link.sendall(
            b"POST /predictions/tail HTTP/1.1\r\nHost: t\r\nExpect: 100-continue\r\nConnection: close\r\n"
            + FULL.encode()
            + b"\r\n"
        )
        assert link.recv(100).startswith(b"HTTP/1.1 100 Continue\r\n\r\n")
        link.sendall(GOOD)
        assert status_of(read_all(link)) == 200


def test_refusal_before_the_body_keeps_the_connection(server):
    answers = server.raw(
        post("/predictions/none", bytes(60000)) + b"GET /ping HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"
    )
    assert status_of(answers) == 404
    assert b"Healthy" in answers


# packets: what a phone's link delivers


def v2(features, encoding="float32"):
    headers, body = encode_request(features, tiny_signature().encoding(encoding), None)
    return post("/v2/models/tail/infer", body, **{name.replace("-", "_"): text for name, text in headers.items()})


def answer_on(link):
    """One answer's headers and body from a kept connection."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += link.recv(65536)
    head, _, body = got.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    while len(body) < int(headers["Content-Length"]):
        body += link.recv(65536)
    return status_of(got), headers, body


def send_in_packets(link, data, size):
    link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(0, len(data), size):
        link.sendall(data[at : at + size])
        time.sleep(0.001)


@pytest.mark.parametrize("size", [700, 1448, 9000, 33_000, 40_000])
def test_a_body_in_packets_and_what_follows_it(server, archive, size):
    features = tiny_features(440)
    with server.connect() as link:
        for _ in range(3):
            send_in_packets(link, v2(features), size)
            status, headers, body = answer_on(link)
            assert status == 200
            np.testing.assert_allclose(decode_response(headers, body), expected_logits(archive, features), atol=1e-5)
        link.sendall(b"GET /ping HTTP/1.1\r\nHost: t\r\n\r\n")  # far less than a piece
        assert answer_on(link)[0] == 200


def test_packets_do_not_wake_the_server_one_by_one(server):
    request = v2(tiny_features(440))
    with server.connect() as link:
        before = switches(server)
        send_in_packets(link, request, 700)
        assert answer_on(link)[0] == 200
        assert switches(server) - before < len(request) / 700 / 3


def switches(server):
    """How often the thread of the event loop has gone to sleep."""
    lines = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("voluntary_ctxt_switches")))


@pytest.mark.parametrize("sent", [2_000, 20_000, 50_000, 63_000])
def test_a_body_that_ends_early_in_packets_ends_the_connection_at_once(server, sent):
    begin = time.monotonic()
    with server.connect() as link:
        send_in_packets(link, v2(tiny_features(440))[:sent], 1448)
        link.shutdown(socket.SHUT_WR)
        assert read_all(link) == b""
    assert time.monotonic() - begin < 10  # its deadline for a body is 30 s


# a head that comes again


def test_heads_that_alternate_on_one_connection(server, archive):
    few, many = tiny_features(1), tiny_features(3)
    with server.connect() as link:
        for features in (few, few, many, few, many, many):
            link.sendall(v2(features))
            status, headers, body = answer_on(link)
            assert status == 200
            np.testing.assert_allclose(decode_response(headers, body), expected_logits(archive, features), atol=1e-5)


def test_the_same_head_with_another_body_is_read_anew(server):
    good, nan = (values.tobytes() for values in (tiny_features(), np.full_like(tiny_features(), np.nan)))
    with server.connect() as link:
        for body, status in ((good, 200), (nan, 400), (good, 200), (b"\0" * 144, 200)):
            link.sendall(post("/predictions/tail", body, Content_Type="application/octet-stream"))
            assert answer_on(link)[0] == status


def test_the_same_json_header_with_a_wrong_length_behind_it_is_refused(server):
    headers, body = encode_request(tiny_features(), tiny_signature().inputs[0], None)
    names = {name.replace("-", "_"): text for name, text in headers.items()}
    with server.connect() as link:
        for cut, status in ((0, 200), (4, 400), (0, 200)):
            link.sendall(post("/v2/models/tail/infer", body[: len(body) - cut], **names))
            assert answer_on(link)[0] == status
