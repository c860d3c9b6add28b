"""`python -m cloud_tail serve x.mar`: serve the tail over HTTP; only this package's `tail` extra is needed."""

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
    add("--port", type=int, default=8080, help="0 picks a free one")
    add("--grpc-port", type=int, default=None, help="serve gRPC as well; 0 picks a free one")
    add("--token-file", type=Path, default=None, help="require Authorization: Bearer with the token in this file")
    add("--tls-cert", type=Path, default=None, help="certificate chain, PEM")
    add("--tls-key", type=Path, default=None, help="its private key, PEM")
    add("--max-body", type=int, default=16 << 20, help="largest request body in bytes, also after decompression")
    add("--rate", type=float, default=0.0, help="requests per second from one address; 0: no limit")
    add("--queue", type=int, default=64, help="most items that wait; further requests get 503")
    add("--max-batch", type=int, default=8, help="most items in one run")
    add("--max-wait-ms", type=float, default=0.0, help="how long a batch waits for more items; 0 takes what is queued")
    add("--workers", type=int, default=0, help="inference threads per tail; 0: one per usable core")
    add("--engine", default="onnxruntime", help="onnxruntime or openvino")
    add("--precision", default="f32", help="f32, bf16 (openvino) or int8 (if the archive has an int8 tail)")
    add("--header-seconds", type=float, default=10.0, help="longest wait for the request headers")
    add("--body-seconds", type=float, default=30.0, help="longest wait for the body")
    add("--drain-seconds", type=float, default=30.0, help="longest wait for requests in flight after SIGTERM")
    add(
        "--access-log",
        action="store_true",
        help="log each request as a line of JSON: address, method, path, status, ms",
    )
    add("--ready-file", type=Path, default=None, help="write the address to this file as JSON once the server answers")
    return parser


if __name__ == "__main__":
    sys.exit(main())
