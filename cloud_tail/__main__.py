"""`python -m cloud_tail serve x.mar`: the tail on HTTP, with nothing but this package installed."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields
from pathlib import Path

from .errors import TailError


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    del given["command"]
    archives = given.pop("archives")
    from .server import Options, serve

    known = {field.name for field in fields(Options)}
    try:
        serve(archives, Options(**{name: value for name, value in given.items() if name in known}))
    except TailError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m cloud_tail", description="The cloud's half of a split network.")
    commands = parser.add_subparsers(dest="command", required=True)
    serve = commands.add_parser(
        "serve", help="serve one or more archives", formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = serve.add_argument
    add("archives", nargs="+", type=Path, metavar="X.mar", help="two may share a name if their bundles differ")
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=int, default=8080, help="0 takes a free one")
    add("--grpc-port", type=int, default=None, help="serve gRPC as well; 0 takes a free one")
    add("--token-file", type=Path, default=None, help="require Authorization: Bearer with this file's token")
    add("--tls-cert", type=Path, default=None, help="certificate chain, PEM")
    add("--tls-key", type=Path, default=None, help="its private key, PEM")
    add("--max-body", type=int, default=16 << 20, help="most bytes of one request, also after inflating")
    add("--rate", type=float, default=0.0, help="requests a second from one address; 0: no limit")
    add("--queue", type=int, default=64, help="most items that wait; beyond it clients get 503")
    add("--max-batch", type=int, default=8, help="most items in one run")
    add("--max-wait-ms", type=float, default=0.0, help="how long a batch waits for company; 0 takes what is there")
    add("--workers", type=int, default=0, help="inference threads per tail; 0: one per usable core")
    add("--engine", default="onnxruntime", help="onnxruntime or openvino")
    add("--precision", default="f32", help="f32, bf16 (openvino) or int8 (if the archive holds an int8 tail)")
    add("--head-seconds", type=float, default=10.0, help="longest wait for a request's head")
    add("--body-seconds", type=float, default=30.0, help="longest wait for its body")
    add("--drain-seconds", type=float, default=30.0, help="longest wait for what is in flight after SIGTERM")
    add("--access-log", action="store_true", help="one JSON line per request: address, path, status, ms; no payload")
    add("--ready-file", type=Path, default=None, help="write the address as JSON here once it answers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
