"""TorchServe as its users have it: eager torch, one float32 or uint8 tensor a request, raw bytes back."""

import numpy as np
import torch
from net import SHAPE, make

torch.set_num_threads(1)
_model = None


def handle(rows: list[dict[str, bytes]] | None, context: object) -> list[bytes] | None:
    global _model
    if _model is None:
        _model = make()
        _model.load_state_dict(torch.load(context.system_properties["model_dir"] + "/weights.pt", weights_only=True))
    if rows is None:
        return None
    with torch.inference_mode():
        logits = _model(torch.stack([_decode(row["body"]) for row in rows]))
    return [row.numpy().tobytes() for row in logits]


def _decode(body: bytes) -> torch.Tensor:
    if len(body) == int(np.prod(SHAPE)):
        return (torch.from_numpy(np.frombuffer(body, np.uint8).reshape(SHAPE).astype(np.float32)) - 64) * (6.0 / 255)
    return torch.from_numpy(np.frombuffer(body, np.float32).reshape(SHAPE).copy())
