"""The Open Inference Protocol's gRPC messages, built at run time from the table below.

Generated code would tie us to one generation of protobuf (its runtime refuses files of another one);
a descriptor made here works with each. Field numbers are the protocol's (open_inference_grpc.proto).
The messages live in a pool of their own, so that a client library in the same process may define them, too.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE, SERVICE = "inference", "inference.GRPCInferenceService"

_TENSOR = (
    "string name=1; string datatype=2; repeated int64 shape=3; map InferParameter parameters=4; "
    "InferTensorContents contents=5"
)
_MESSAGES = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "bool live=1",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "bool ready=1",
    "ModelReadyRequest": "string name=1; string version=2",
    "ModelReadyResponse": "bool ready=1",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "string name=1; string version=2; repeated string extensions=3",
    "ModelMetadataRequest": "string name=1; string version=2",
    "TensorMetadata": "string name=1; string datatype=2; repeated int64 shape=3",
    "ModelMetadataResponse": "string name=1; repeated string versions=2; string platform=3; "
    "repeated TensorMetadata inputs=4; repeated TensorMetadata outputs=5",
    "InferParameter": "bool bool_param=1; int64 int64_param=2; string string_param=3; double double_param=4; "
    "uint64 uint64_param=5",
    "InferTensorContents": "repeated bool bool_contents=1; repeated int32 int_contents=2; "
    "repeated int64 int64_contents=3; repeated uint32 uint_contents=4; repeated uint64 uint64_contents=5; "
    "repeated float fp32_contents=6; "
    "repeated double fp64_contents=7; repeated bytes bytes_contents=8",
    "InferInputTensor": _TENSOR,
    "InferRequestedOutputTensor": "string name=1; map InferParameter parameters=2",
    "InferOutputTensor": _TENSOR,
    "ModelInferRequest": "string model_name=1; string model_version=2; string id=3; "
    "map InferParameter parameters=4; repeated InferInputTensor inputs=5; "
    "repeated InferRequestedOutputTensor outputs=6; repeated bytes raw_input_contents=7",
    "ModelInferResponse": "string model_name=1; string model_version=2; string id=3; map InferParameter parameters=4; "
    "repeated InferOutputTensor outputs=5; repeated bytes raw_output_contents=6",
}
_ONE_OF = {"InferParameter": "parameter_choice"}
_Field = descriptor_pb2.FieldDescriptorProto
_KINDS = {
    "bool": _Field.TYPE_BOOL, "int32": _Field.TYPE_INT32, "int64": _Field.TYPE_INT64, "uint32": _Field.TYPE_UINT32,
    "uint64": _Field.TYPE_UINT64, "float": _Field.TYPE_FLOAT, "double": _Field.TYPE_DOUBLE,
    "string": _Field.TYPE_STRING, "bytes": _Field.TYPE_BYTES,
}  # fmt: skip


def _add_field(message: descriptor_pb2.DescriptorProto, text: str) -> None:
    words = text.split()
    label = words.pop(0) if words[0] in ("repeated", "map") else ""
    kind, (name, number) = words[0], words[1].split("=")
    if label == "map":
        entry = message.nested_type.add(name="".join(part.title() for part in name.split("_")) + "Entry")
        entry.options.map_entry = True
        _add_field(entry, "string key=1")
        _add_field(entry, f"{kind} value=2")
        kind = f"{message.name}.{entry.name}"
    field = message.field.add(name=name, number=int(number))
    field.label = _Field.LABEL_REPEATED if label else _Field.LABEL_OPTIONAL
    if kind in _KINDS:
        field.type = _KINDS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{kind}"
    if message.name in _ONE_OF:
        field.oneof_index = 0


def _build() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="open_inference_grpc.proto", package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        if name in _ONE_OF:
            message.oneof_decl.add(name=_ONE_OF[name])
        for text in filter(None, fields.split("; ")):
            _add_field(message, text)
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


#: message classes by their name in the protocol
MESSAGES: dict[str, Any] = _build()
