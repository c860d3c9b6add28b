"""Run by tests/e2e/test_tail_clients.py in the environment of the real tritonclient; prints what it saw as JSON.

python tail_triton_client.py HTTP_PORT GRPC_PORT FEATURES.npy CODES.npy MESSAGES.json BUNDLE OTHER_BUNDLE [TOKEN]
"""

import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.grpc as over_grpc
import tritonclient.http as over_http
from tritonclient.utils import InferenceServerException


def main():
    http_port, grpc_port, features, codes, coded, bundle, other = sys.argv[1:8]
    headers = {"authorization": f"Bearer {sys.argv[8]}"} if len(sys.argv) > 8 else None
    arrays = {"FP32": np.load(features), "UINT8": np.load(codes)}
    arrays["FP16"] = arrays["FP32"].astype(np.float16)
    seen = {}
    for name, kind, port in (("http", over_http, http_port), ("grpc", over_grpc, grpc_port)):
        client = kind.InferenceServerClient(f"127.0.0.1:{port}")
        seen[name] = exercise(kind, client, arrays, bundle, other, headers)
        seen[name]["coded"] = infer_coded(kind, client, json.loads(Path(coded).read_text()), headers)
        client.close()
    seen["http"]["extra"] = http_only(over_http.InferenceServerClient(f"127.0.0.1:{http_port}"), arrays, headers)
    print(json.dumps(seen))


def tensor(kind, array, **how):
    names = {"float32": "FP32", "float16": "FP16", "uint8": "UINT8"}
    made = kind.InferInput("smashed", list(array.shape), names[str(array.dtype)])
    made.set_data_from_numpy(array, **how)
    return made


def infer_coded(kind, client, coded, headers):
    """Entropy-coded messages as the protocol's BYTES; the tables' name is a parameter of the input."""
    messages = np.array([bytes.fromhex(message) for message in coded["messages"]], dtype=np.object_)
    made = kind.InferInput("smashed", [len(messages)], "BYTES")
    made.set_data_from_numpy(messages)
    if kind is over_http:
        made._parameters["table_id"] = coded["table_id"]
    else:
        made._input.parameters["table_id"].string_param = coded["table_id"]
    return client.infer("tail", [made], headers=copied(headers)).as_numpy("logits").tolist()


def copied(headers):
    """The http client writes its own headers into the dict that it is given."""
    return None if headers is None else dict(headers)


def error_of(call):
    try:
        call()
    except InferenceServerException as error:
        return {"status": error.status(), "message": error.message()}
    return None


def exercise(kind, client, arrays, bundle, other, headers):
    def infer(array, **more):
        return client.infer("tail", [tensor(kind, array)], headers=copied(headers), **more).as_numpy("logits").tolist()

    broken = tensor(kind, arrays["FP32"])
    broken.set_shape([1, 4, 3, 2])
    wrong = kind.InferInput("other", [1, 4, 3, 3], "FP32")
    wrong.set_data_from_numpy(arrays["FP32"][:1])
    nan = np.full((1, 4, 3, 3), np.nan, np.float32)
    metadata = client.get_model_metadata("tail", headers=copied(headers))
    return {
        "live": client.is_server_live(),
        "ready": client.is_server_ready(),
        "model_ready": client.is_model_ready("tail", headers=copied(headers)),
        "version_ready": client.is_model_ready("tail", "1.0", headers=copied(headers)),
        "none_ready": client.is_model_ready("none", headers=copied(headers)),
        "server": metadata_name(client.get_server_metadata(headers=copied(headers))),
        "model": metadata_name(metadata),
        "logits": {datatype: infer(array) for datatype, array in arrays.items()},
        "named_output": infer(arrays["FP32"], outputs=[kind.InferRequestedOutput("logits")], request_id="r-1"),
        "with_bundle": infer(arrays["FP32"], parameters={"bundle_id": bundle}),
        "errors": {
            "bundle": error_of(lambda: infer(arrays["FP32"], parameters={"bundle_id": other})),
            "shape": error_of(lambda: client.infer("tail", [broken], headers=copied(headers))),
            "name": error_of(lambda: client.infer("tail", [wrong], headers=copied(headers))),
            "nan": error_of(lambda: infer(nan)),
            "model": error_of(lambda: client.infer("none", [tensor(kind, arrays["FP32"])], headers=copied(headers))),
            "output": error_of(lambda: infer(arrays["FP32"], outputs=[kind.InferRequestedOutput("x")])),
            "classes": error_of(
                lambda: infer(arrays["FP32"], outputs=[kind.InferRequestedOutput("logits", class_count=2)])
            ),
            "token": error_of(lambda: client.infer("tail", [tensor(kind, arrays["FP32"])])) if headers else None,
        },
    }


def metadata_name(told):
    return told["name"] if isinstance(told, dict) else told.name


def http_only(client, arrays, headers):
    wide = np.repeat(arrays["FP32"][:1], 100, axis=0)
    seen = {}
    for packing in ("gzip", "deflate"):
        answer = client.infer(
            "tail", [tensor(over_http, wide)], headers=copied(headers),
            request_compression_algorithm=packing, response_compression_algorithm=packing,
        )  # fmt: skip
        seen[packing] = answer.as_numpy("logits")[[0, 99]].tolist()
    answer = client.infer(
        "tail", [tensor(over_http, arrays["FP32"], binary_data=False)], headers=copied(headers),
        outputs=[over_http.InferRequestedOutput("logits", binary_data=False)], request_id="mine",
    )  # fmt: skip
    seen["json"], seen["id"] = answer.as_numpy("logits").tolist(), answer.get_response()["id"]
    seen["config"] = client.get_model_config("tail", headers=copied(headers))["name"]
    seen["stats"] = client.get_inference_statistics(headers=copied(headers))["model_stats"][0]["inference_count"]
    seen["index"] = client.get_model_repository_index(headers=copied(headers))[0]["state"]
    return seen


if __name__ == "__main__":
    main()
