"""The archive: same content, same bytes; whatever is not exactly that is refused before anything is unpacked."""

import struct
import subprocess
import sys
import warnings
import zipfile

import pytest
from tail_tools import tiny_archive, tiny_onnx, tiny_signature

from cloud_tail.archive import open_archive, write_archive
from cloud_tail.errors import ArchiveError


@pytest.fixture
def archive(tmp_path):
    return tiny_archive(tmp_path)


def members_of(path):
    with zipfile.ZipFile(path) as zipped:
        return {info.filename: zipped.read(info) for info in zipped.infolist()}


def pack(path, members, *, change=lambda info: None, compress=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compress) as zipped:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system, info.external_attr, info.compress_type = 3, 0o100644 << 16, compress
            change(info)
            zipped.writestr(info, data)
    return path


def test_read_back(archive, tmp_path):
    opened = open_archive(archive)
    assert opened.signature == tiny_signature()
    assert opened.model == (tmp_path / "tail.mar.onnx").read_bytes()
    assert opened.int8_model is None
    assert len(opened.digest) == 64


def test_int8_model(tmp_path):
    model, small = tiny_onnx(tmp_path / "a.onnx"), tiny_onnx(tmp_path / "b.onnx", 1)
    write_archive(tmp_path / "x.mar", signature=tiny_signature(), model=model, int8_model=small)
    assert open_archive(tmp_path / "x.mar").int8_model == small.read_bytes()


def test_same_bytes_from_another_process(archive, tmp_path):
    (tmp_path / "again").mkdir()
    code = "import sys; sys.path.insert(0, 'tests'); from pathlib import Path; from tail_tools import tiny_archive; "
    code += f"tiny_archive(Path({str(tmp_path / 'again')!r}))"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "again" / "tail.mar").read_bytes() == archive.read_bytes()


def test_sums_are_checked_by_coreutils(archive, tmp_path):
    with zipfile.ZipFile(archive) as zipped:
        zipped.extractall(tmp_path / "out")
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    listed = set(members_of(archive)) - {"SHA256SUMS"}
    assert {line.split(": ")[0] for line in done.stdout.splitlines()} == listed


def test_nothing_is_pickled_and_the_code_is_short(archive):
    members = members_of(archive)
    assert not [name for name in members if name.endswith((".pt", ".pth", ".pkl", ".bin", ".pyc"))]
    assert len(members["pripro_handler.py"].splitlines()) < 100


def repack_with(name, data=b"x"):
    return lambda archive: pack(archive, {**members_of(archive), name: data})


def changed(name, data):
    def make(archive):
        members = members_of(archive)
        members[name] = data(members[name]) if callable(data) else data
        return pack(archive, members)

    return make


def without(name):
    return lambda archive: pack(archive, {key: value for key, value in members_of(archive).items() if key != name})


def link(archive):
    def change(info):
        if info.filename == "signature.json":
            info.external_attr = 0o120777 << 16

    return pack(archive, members_of(archive), change=change)


def raw_bytes(edit):
    def make(archive):
        archive.write_bytes(edit(archive.read_bytes()))
        return archive

    return make


def doubled(archive):
    members = [*members_of(archive).items(), ("tail.onnx", b"other")]
    with zipfile.ZipFile(archive, "w") as zipped, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Duplicate name")
        for name, data in members:
            zipped.writestr(name, data)
    return archive


def bomb(archive):
    """One small deflated member that inflates a thousandfold."""
    return pack(archive, {**members_of(archive), "tail.onnx": bytes(20_000_000)}, compress=zipfile.ZIP_DEFLATED)


def claimed_size(archive):
    """The directory says 3 GB, the file has a few KB."""
    data = bytearray(archive.read_bytes())
    at = data.rindex(b"PK\x01\x02", 0, data.rindex(b"tail.onnx"))
    data[at + 20 : at + 28] = struct.pack("<II", 3_000_000_000, 3_000_000_000)
    archive.write_bytes(data)
    return archive


def local_name_differs(archive):
    """Python reads the directory, TorchServe the local headers: they must not disagree."""
    data = archive.read_bytes()
    archive.write_bytes(
        data.replace(b"signature.json", b"signature.jsom", 1) if data.index(b"signature.json") else data
    )
    return archive


def comment(archive):
    with zipfile.ZipFile(archive, "a") as zipped:
        zipped.comment = b"hello"
    return archive


HOSTILE = {
    "not a zip": (raw_bytes(lambda data: b"hello"), "not a readable"),
    "empty": (raw_bytes(lambda data: b""), "not a readable"),
    "cut off": (raw_bytes(lambda data: data[:-200]), "not a readable"),
    "one bit": (raw_bytes(lambda data: data[:2000] + bytes([data[2000] ^ 1]) + data[2001:]), "[;.]"),
    "bytes in front": (raw_bytes(lambda data: b"#!/bin/sh\n" + data), "[;.]"),
    "bytes behind": (raw_bytes(lambda data: data + b"more"), "[;.]"),
    "comment": (comment, "more than its members"),
    "dot dot": (repack_with("../escaped.py"), "leave its folder"),
    "dot dot inside": (repack_with("pripro_tail/../../escaped.py"), "leave its folder"),
    "absolute": (repack_with("/tmp/escaped.py"), "leave its folder"),
    "backslash": (repack_with("..\\escaped.py"), "leave its folder"),
    "drive": (repack_with("C:escaped.py"), "leave its folder"),
    "link": (link, "link"),
    "unknown member": (repack_with("extra.py"), "unknown member"),
    "pickle": (repack_with("model.pt"), "unknown member"),
    "twice": (doubled, "twice"),
    "bomb": (bomb, "compressed"),
    "claimed size": (claimed_size, "[;.]"),
    "local header differs": (local_name_differs, "[;.]"),
    "no signature": (without("signature.json"), "lacks signature.json"),
    "no model": (without("tail.onnx"), "lacks tail.onnx"),
    "no sums": (without("SHA256SUMS"), "lacks SHA256SUMS"),
    "model changed": (changed("tail.onnx", lambda data: data[:-1] + b"\0"), "was changed"),
    "handler changed": (changed("pripro_handler.py", b"import os"), "was changed"),
    "sums changed": (changed("SHA256SUMS", b""), "was changed"),
    "signature changed": (changed("signature.json", b"{}"), "was changed"),
    "large text": (changed("pripro_handler.py", bytes(2 << 20)), "claims"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile(kind, archive, tmp_path):
    make, sentence = HOSTILE[kind]
    make(archive)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(ArchiveError, match=sentence) as caught:
        open_archive(archive)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.rglob("*")) == before
    assert not (tmp_path.parent / "escaped.py").exists()


def resigned(archive, name, data):
    """An attacker who also fixes the sums."""
    import hashlib

    members = members_of(archive)
    members[name] = data
    lines = [
        f"{hashlib.sha256(value).hexdigest()}  {key}\n" for key, value in sorted(members.items()) if key != "SHA256SUMS"
    ]
    members["SHA256SUMS"] = "".join(lines).encode()
    return pack(archive, dict(sorted(members.items())))


@pytest.mark.parametrize(
    ("name", "data", "sentence"),
    [
        ("signature.json", b"not json", "not JSON"),
        ("signature.json", b"[" * 5000, "not JSON"),
        ("signature.json", b"{}", "schema_version"),
        ("signature.json", tiny_signature().to_json().replace(b'"tail"', b'"../x"'), "name must be"),
        ("MAR-INF/MANIFEST.json", b"{}", "TorchServe's"),
        (
            "MAR-INF/MANIFEST.json",
            b'{"model":{"modelName":"tail","modelVersion":"1.0","handler":"evil.py"}}',
            "disagree",
        ),
        ("tail.onnx", b"\x12\x0a\x08location\x12\x0b/etc/passwd", "another file"),
    ],
)
def test_hostile_with_right_sums(archive, name, data, sentence):
    with pytest.raises(ArchiveError, match=sentence):
        open_archive(resigned(archive, name, data))


def test_missing_and_unreadable(tmp_path):
    with pytest.raises(ArchiveError, match="not a file"):
        open_archive(tmp_path / "none.mar")
    with pytest.raises(ArchiveError, match="not a file"):
        open_archive(tmp_path)


def test_external_weights_are_refused(tmp_path):
    import onnx

    model = onnx.load(tiny_onnx(tmp_path / "m.onnx", layers=2))
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="w.data", size_threshold=0)
    with pytest.raises(ArchiveError, match="another file"):
        write_archive(tmp_path / "x.mar", signature=tiny_signature(), model=tmp_path / "split.onnx")
    assert not (tmp_path / "x.mar").exists()


def test_nothing_half_written(tmp_path):
    with pytest.raises(ArchiveError, match="cannot be written"):
        write_archive(tmp_path / "no" / "x.mar", signature=tiny_signature(), model=tiny_onnx(tmp_path / "m.onnx"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.onnx"]


def test_mutated_archives_never_raise_anything_else(archive):
    """Every 7th byte of the zip's own structures flipped, one at a time."""
    data = archive.read_bytes()
    directory = data.index(b"PK\x01\x02")
    places = [*range(0, 120), *range(directory, len(data), 7)]
    for place in places:
        for mask in (0xFF, 0x01):
            archive.write_bytes(data[:place] + bytes([data[place] ^ mask]) + data[place + 1 :])
            with pytest.raises(ArchiveError):
                open_archive(archive)
