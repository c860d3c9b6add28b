"""Coverage-guided fuzzing of the parsers behind every server: signature.json, requests, responses.

    benchmarks/serving/setup.sh fuzz
    PYTHONPATH=. build/venvs/fuzz/bin/python benchmarks/serving/fuzz_wire.py -runs=3000000 -max_len=1200

atheris mutates the inputs towards new branches of cloud_tail; anything but the documented errors is a crash,
and an accepted request must say exactly what its bytes say.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["cloud_tail"]):
    import numpy as np

    from cloud_tail.calls import read_call
    from cloud_tail.coding import Coding, table_id
    from cloud_tail.errors import ArchiveError, WireError
    from cloud_tail.signature import Signature, TensorSpec
    from cloud_tail.wire import decode_response, encode_coded_request, encode_request

SHAPE = (-1, 2, 2, 2)
CODES = TensorSpec("smashed", "uint8", SHAPE, "NCHW", (0.1, 0.2), (128, 3))
TABLES = ((4096, 8192, 4096), (16000, 384))
CODING = Coding(table_id(TABLES), (3, 2), (0.5, 1.0), (1, 0), TABLES)
SIGNATURE = Signature(
    "tail",
    "1.0",
    "ab" * 32,
    (),
    (TensorSpec("smashed", "float32", SHAPE), TensorSpec("smashed", "float16", SHAPE), CODES),
    (TensorSpec("logits", "float32", (-1, 2), "NC"),),
    CODING,
)


class _Tail:
    signature = SIGNATURE


def one_input(data: bytes) -> None:
    """Feed one input to one parser; its first byte chooses which."""
    if not data:
        return
    kind, body = data[0] % 4, data[1:]
    try:
        if kind == 0:
            Signature.from_json(body)
        elif kind == 1:
            decode_response({"Inference-Header-Content-Length": str(body[0] if body else 0)}, body[1:])
        else:
            length = str(int.from_bytes(body[:2], "big")) if kind == 2 else None
            headers = {} if length is None else {"inference-header-content-length": length}
            call, _ = read_call(headers, body[2:], [_Tail()], raw=kind == 3)
            features = call.features()
            if features.shape[1:] != SHAPE[1:] or not np.isfinite(features).all():
                raise RuntimeError("an accepted request does not fit its signature")
    except (ArchiveError, WireError):
        return


def seeds(folder: Path) -> None:
    """Well-formed inputs of every kind to start from."""
    for number, spec in enumerate(SIGNATURE.inputs):
        body = encode_request(np.ones((1, 2, 2, 2), np.float32), spec, "ab" * 32)[1]
        (folder / f"request{number}").write_bytes(b"\x02" + (body.rindex(b"}]}") + 3).to_bytes(2, "big") + body)
    body = encode_coded_request(np.ones((2, 2, 2, 2), np.float32), SIGNATURE, "ab" * 32)[1]
    (folder / "coded").write_bytes(b"\x02" + (body.rindex(b"}]}") + 3).to_bytes(2, "big") + body)
    (folder / "signature").write_bytes(b"\x04" + SIGNATURE.to_json())
    tensor = b'{"name":"smashed","datatype":"FP32","shape":[1,2,2,2],"data":[1,2,3,4,5,6,7,8]}'
    (folder / "json").write_bytes(b"\x03\x00\x00" + b'{"inputs":[%s]}' % tensor)
    answer = b'{"outputs":[{"name":"logits","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}}]}'
    (folder / "response").write_bytes(b"\x01" + bytes([len(answer)]) + answer + bytes(8))


def main() -> None:
    """Start from well-formed inputs, then let libFuzzer go on."""
    with tempfile.TemporaryDirectory() as folder:
        seeds(Path(folder))
        atheris.Setup([*sys.argv, folder], one_input)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
