"""The HTTP interface as an OpenAPI 3.1 document, for API tools and fuzzers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .wire import V2_NAMES

if TYPE_CHECKING:
    from .signature import Signature

_ERROR = {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}}
_MISMATCH = {
    "type": "object",
    "required": ["error", "expected", "got"],
    "properties": {"error": {"type": "string"}, "expected": {"type": "string"}, "got": {"type": "string"}},
}
_REFUSALS = {
    "400": ("The body or a header is malformed.", _ERROR),
    "401": ("A token is required.", _ERROR),
    "404": ("There is no such model.", _ERROR),
    "405": ("The path needs another method.", _ERROR),
    "408": ("The request took too long to arrive.", _ERROR),
    "409": ("The sender's bundle is not this tail's.", _MISMATCH),
    "413": ("The body is too long.", _ERROR),
    "429": ("Too many requests from this address; see Retry-After.", _ERROR),
    "431": ("The request headers are too long.", _ERROR),
    "503": ("The queue is full or the server is draining; see Retry-After.", _ERROR),
}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _responses(description: str, content: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {"200": {"description": description, "content": content}}
    told.update({code: {"description": text, "content": _json(schema)} for code, (text, schema) in _REFUSALS.items()})
    return told


def _get(summary: str, schema: dict[str, Any], *parameters: dict[str, Any]) -> dict[str, Any]:
    return {
        "get": {"summary": summary, "parameters": list(parameters), "responses": _responses(summary, _json(schema))}
    }


def document(signatures: list[Signature], version: str, *, token: bool) -> dict[str, Any]:
    """Describe every path, with the loaded models' own shapes."""
    name = {
        "name": "name",
        "in": "path",
        "required": True,
        "schema": {"enum": sorted({item.name for item in signatures})},
    }
    bundle = {
        "name": "Pripro-Bundle-Id",
        "in": "header",
        "required": False,
        "description": "the bundle of the network's head; if absent, the newest tail of this name answers",
        "schema": {"type": "string", "enum": sorted({item.bundle_id for item in signatures})},
    }
    length = {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "required": False,
        "description": "length of the JSON header in bytes, if the body is JSON followed by the tensor's bytes",
        "schema": {"type": "integer", "minimum": 1},
    }
    table = {
        "name": "Pripro-Table-Id",
        "in": "header",
        "required": False,
        "description": "the body is one entropy-coded item and nothing else, coded with these tables",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
    }
    anything, listed = {"type": "object"}, {"type": "array", "items": {"type": "object"}}
    answer = {
        **_json(anything),
        "application/octet-stream": {"schema": {"type": "string", "contentEncoding": "binary"}},
    }
    body = {"required": True, "content": {**_json(_request(signatures)), "application/octet-stream": {}}}
    infer = {
        "post": {
            "summary": "Logits for smashed features, v2 JSON or v2 binary (entropy-coded ones: binary BYTES)",
            "parameters": [name, bundle, length],
            "requestBody": body,
            "responses": _responses("The logits, in the form that the request asked for.", answer),
        }
    }
    predict = {
        "post": {
            **infer["post"],
            "parameters": [name, bundle, length, table],
            "summary": "Like v2; or the tensor's bytes alone, answered with label, logits and probabilities",
        }
    }
    paths: dict[str, Any] = {
        "/ping": _get("Is the process alive?", anything),
        "/predictions/{name}": predict,
        "/models": _get("Loaded models, as TorchServe's management lists them", anything),
        "/models/{name}": _get("One model, as TorchServe's management shows it", listed, name),
        "/signatures": _get("Every tail's signature.json", listed),
        "/signatures/{name}": _get("The signatures under one name, newest last", listed, name),
        "/v2": _get("Server metadata", anything),
        "/v2/health/live": _get("Is the process alive?", anything),
        "/v2/health/ready": _get("Is it ready for requests?", anything),
        "/v2/models/stats": _get("Inference statistics", anything),
        "/v2/models/{name}": _get("Model metadata", anything, name),
        "/v2/models/{name}/ready": _get("Is it ready for requests?", anything, name),
        "/v2/models/{name}/config": _get("Model configuration", anything, name),
        "/v2/models/{name}/stats": _get("Inference statistics", anything, name),
        "/v2/models/{name}/infer": infer,
    }
    told: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "pripro tail", "version": version, "description": "The cloud's half of a split network."},
        "paths": paths,
    }
    if token:
        told["components"] = {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}}
        told["security"] = [{"token": []}]
    return told


def _request(signatures: list[Signature]) -> dict[str, Any]:
    datatypes = sorted({V2_NAMES[spec.dtype] for item in signatures for spec in item.inputs})
    shapes = {item.inputs[0].shape[1:] for item in signatures}
    dimensions = [sorted(set(sizes)) for sizes in zip(*shapes, strict=False)]
    tensor = {
        "type": "object",
        "required": ["name", "datatype", "shape", "data"],
        "properties": {
            "name": {"const": "smashed"},
            "datatype": {"enum": datatypes},
            "shape": {
                "type": "array",
                "prefixItems": [{"type": "integer", "minimum": 1}, *({"enum": sizes} for sizes in dimensions)],
                "minItems": 1 + len(dimensions),
                "maxItems": 1 + len(dimensions),
            },
            "data": {"type": "array", "description": "flat or nested; exactly as many numbers as the shape holds"},
        },
    }
    output = {"type": "object", "required": ["name"], "properties": {"name": {"const": "logits"}}}
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string", "maxLength": 256},
            "parameters": {
                "type": "object",
                "properties": {"bundle_id": {"type": "string", "pattern": "^[0-9a-f]{64}$"}},
            },
            "inputs": {"type": "array", "minItems": 1, "maxItems": 1, "items": tensor},
            "outputs": {"type": "array", "maxItems": 1, "items": output},
        },
    }
