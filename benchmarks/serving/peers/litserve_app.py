"""LitServe with the same onnxruntime model: python litserve_app.py PORT TAIL.onnx."""

import sys

import litserve
import numpy as np
import onnxruntime
from fastapi import Request, Response

SHAPE = (128, 28, 28)


class Tail(litserve.LitAPI):
    def setup(self, device: str) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])

    def decode_request(self, request: Request) -> np.ndarray:
        body = request["tensor"].file.read()
        if len(body) == int(np.prod(SHAPE)):
            return (np.frombuffer(body, np.uint8).reshape(SHAPE).astype(np.float32) - 64) * np.float32(6.0 / 255)
        return np.frombuffer(body, np.float32).reshape(SHAPE)

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return self.session.run(["logits"], {"smashed": batch if batch.ndim == 4 else batch[None]})[0]

    def unbatch(self, output: np.ndarray) -> list[np.ndarray]:
        return list(output)

    def encode_response(self, output: np.ndarray) -> Response:
        return Response(np.ascontiguousarray(output).tobytes(), media_type="application/octet-stream")


if __name__ == "__main__":
    api = Tail(max_batch_size=8, batch_timeout=0.0)
    litserve.LitServer(api, accelerator="cpu").run(
        port=int(sys.argv[1]), host="127.0.0.1", log_level="error", generate_client_file=False
    )
