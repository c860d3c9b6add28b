"""A tail behind a path prefix: clients keep the prefix, and a token goes to that address and nowhere else."""

import http.client
import http.server
import threading

import numpy as np
import pytest
from parity_bundle import shared
from tail_tools import TailServer, expected_logits, tiny_archive, tiny_features, tiny_signature
from typer.testing import CliRunner

from cloud_tail.client import TailClient, read_address
from cloud_tail.errors import TailError

TOKEN = "0123456789abcdef0123456789abcdef"


class Proxy:
    """A reverse proxy as in front of many services: PREFIX/... goes to the tail, all else belongs to somebody else."""

    def __init__(self, prefix, port):
        self.elsewhere = []
        self.seen = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.seen.append(self.path)
                if not self.path.startswith(prefix + "/"):
                    outer.elsewhere.append((self.path, self.headers.get("Authorization")))
                    return self.give(200, b"somebody else's service", {"Content-Type": "text/html"})
                link = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                link.request(self.command, self.path[len(prefix) :], body or None, headers)
                reply = link.getresponse()
                told = reply.read()
                keep = {k: v for k, v in reply.getheaders() if k.lower() not in ("content-length", "connection")}
                link.close()
                return self.give(reply.status, told, keep)

            do_GET = do_POST = answer

            def give(self, status, body, headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture(scope="module")
def tail(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tail")
    (folder / "token").write_text(TOKEN)
    archive = tiny_archive(folder)
    with TailServer(folder, archive, "--token-file", folder / "token") as server:
        yield server, archive


@pytest.mark.slow
@pytest.mark.parametrize("end", ["", "/", "/v2/models/tail", "/predictions/tail", "/models/tail/"])
@pytest.mark.parametrize("prefix", ["/ml", "/a/b-c"])
def test_the_prefix_is_kept(tail, prefix, end):
    server, archive = tail
    features = tiny_features()
    with Proxy(prefix, server.port) as proxy, TailClient(proxy.url + prefix + end, TOKEN) as client:
        np.testing.assert_allclose(client.infer(features), expected_logits(archive, features), atol=1e-5)
        client.alive()
        assert not proxy.elsewhere
        assert all(path.startswith(prefix) for path in proxy.seen)
        assert proxy.seen[-2:] == [f"{prefix}/predictions/tail", f"{prefix}/ping"]


@pytest.mark.slow
def test_a_wrong_prefix_is_told(tail):
    server, _ = tail
    with (
        Proxy("/ml", server.port) as proxy,
        TailClient(proxy.url + "/mi", TOKEN) as client,
        pytest.raises(TailError, match="/mi does not list its tails"),
    ):
        client.signature()


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_not_followed(status):
    """The token would go to whatever address the answer names."""
    thief = []

    class Redirects(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            thief.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Redirects) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/ml"
        with TailClient(url, TOKEN) as client, pytest.raises(TailError, match=r"redirects to .*/elsewhere.*final"):
            client.signature()
        server.shutdown()
    assert thief == [("/ml/signatures", f"Bearer {TOKEN}")]


@pytest.mark.slow
def test_verify_behind_a_prefix(tmp_path):
    from toolkit.cli.main import app

    bundle = shared()
    archive = bundle.path(bundle.manifest.tail.archive)
    (tmp_path / "token").write_text(TOKEN)
    with (
        TailServer(tmp_path, archive, "--token-file", tmp_path / "token") as server,
        Proxy("/ml", server.port) as proxy,
    ):
        done = CliRunner().invoke(app, ["verify", str(bundle.root), "--tail", proxy.url + "/ml", "--token", TOKEN])
        assert done.exit_code == 0, done.output
        assert not proxy.elsewhere
        assert "/ml/predictions/" in " ".join(proxy.seen)


def test_addresses():
    told = {
        "http://h": (False, "h", 80, "", None),
        "https://h": (True, "h", 443, "", None),
        "https://h:8443/a/b/": (True, "h", 8443, "/a/b", None),
        "http://h/predictions/x": (False, "h", 80, "", "x"),
        "http://h/ml/v2/models/x": (False, "h", 80, "/ml", "x"),
        "http://h/v2/ml": (False, "h", 80, "/v2/ml", None),
        "http://[::1]:80/ml": (False, "::1", 80, "/ml", None),
        "http://h//ml": (False, "h", 80, "/ml", None),
    }
    for url, expected in told.items():
        assert tuple(read_address(url))[:5] == expected, url
    assert read_address("http://[::1]:80/ml").shown == "http://[::1]:80/ml"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://h", "not a tail's URL"),
        ("h:8080", "not a tail's URL"),
        ("http://", "not a tail's URL"),
        ("http://h:port", "not a tail's URL"),
        ("http://h:99999", "not a tail's URL"),
        ("http://[::1", "not a tail's URL"),
        ("http://me:secret@h", "no user name"),
        ("http://h/?token=secret", "nothing behind"),
        ("http://h/#x", "nothing behind"),
        ("http://h/ml/../root", "plain address"),
        ("http://h/mł", "plain address"),
    ],
)
def test_addresses_that_are_none(url, sentence):
    with pytest.raises(TailError, match=sentence) as caught:
        TailClient(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("token", ["two\nlines", "ends with a break\n", "ü", "\tx"])
def test_tokens_that_are_none(token):
    with pytest.raises(TailError, match="token"):
        TailClient("http://h", token, signature=tiny_signature())
