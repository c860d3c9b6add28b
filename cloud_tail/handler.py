"""What TorchServe runs: onnxruntime on tail.onnx, behind the same wire parser as our own server.

TorchServe unpacks the archive, puts its folder on the import path, imports this file under the name
`pripro_handler` and calls `handle`: once with no data to load, then with batches.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from pripro_tail.calls import Call, bundle_of, read_call, refusal
from pripro_tail.errors import WireError
from pripro_tail.signature import Signature


class Tail:
    """The loaded model: its signature and its session."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime  # after pripro_tail, which turns its telemetry off

        self.signature = Signature.from_json((folder / "signature.json").read_bytes())
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(folder / "tail.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def forward(self, features: np.ndarray) -> np.ndarray:
        """Run features float32 [n,C,h,w] to logits [n,K]."""
        logits: np.ndarray = self.session.run(["logits"], {"smashed": features})[0]
        return logits


_tail: Tail | None = None


def handle(rows: list[dict[str, Any]] | None, context: Any) -> list[bytes] | None:  # noqa: ANN401
    """Load on the first call, then answer batches; a bad request does not affect the others in its batch."""
    global _tail
    if _tail is None:
        _tail = Tail(Path(context.system_properties["model_dir"]))
    if rows is None:
        return None
    answers: list[bytes] = [b""] * len(rows)
    calls: dict[int, Call] = {}
    parts = []
    for index, row in enumerate(rows):
        headers = {name.lower(): value for name, value in context.get_all_request_header(index).items()}
        body = row.get("body", row.get("data", b""))
        try:
            bundle_of(headers)
            call, _ = read_call(headers, body.encode() if isinstance(body, str) else body, [_tail], raw=True)
            parts.append(call.features())
            calls[index] = call
        except WireError as error:
            answers[index] = _refuse(context, index, error)
    if calls:
        logits = np.split(_tail.forward(np.concatenate(parts)), np.cumsum([len(part) for part in parts])[:-1])
        for (index, call), part in zip(calls.items(), logits, strict=True):
            try:
                headers, answers[index] = call.answer(part)
            except WireError as error:
                answers[index] = _refuse(context, index, error)
                continue
            for name, value in headers.items():
                context.set_response_header(index, name, value)
            context.set_response_content_type(index, headers["Content-Type"])
    return answers


def _refuse(context: Any, index: int, error: WireError) -> bytes:  # noqa: ANN401
    status: int
    body: bytes
    status, body = refusal(error)
    context.set_response_status(status, "Refused", index)
    context.set_response_content_type(index, "application/json")
    return body
