"""Nothing that we start tells anyone that it ran: onnxruntime's and OpenVINO's telemetry is off, no id is ever made."""

import os
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import pytest
from require import require_package
from tail_tools import ROOT, tiny_archive

pytestmark = pytest.mark.slow

LOADS = {
    "the server's engine": """
        from cloud_tail.archive import open_archive
        from cloud_tail.engine import load_engine
        load_engine(open_archive(folder / "tail.mar"))
    """,
    "the server's engine, OpenVINO": """
        from cloud_tail.archive import open_archive
        from cloud_tail.engine import load_engine
        load_engine(open_archive(folder / "tail.mar"), engine="openvino")
    """,
    "TorchServe's handler": """
        sys.path.insert(0, str(folder))
        import pripro_handler
        pripro_handler.Tail(folder)
    """,
    "the ONNX converter": """
        from converters.to_onnx import ToOnnx
        ToOnnx().load(folder / "tail.onnx")
    """,
    "the command line": """
        import toolkit, onnxruntime
        onnxruntime.InferenceSession(folder / "tail.onnx")
    """,
}
ALONE = {
    "deviceid": """
        import onnxruntime
        onnxruntime.InferenceSession(folder / "tail.onnx")
    """,
    "openvino_ga_cid": """
        import openvino
    """,
}


def left_by(code: str, folder: Path, home: Path) -> list[str]:
    """Files that a process with a home of its own leaves there; `folder` holds an archive and its members."""
    home.mkdir()
    # onnxruntime is silent in what looks like a test, so nothing may look like one
    known = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "XDG_CACHE_HOME"}
    kept = {name: value for name, value in os.environ.items() if name not in known and not name.startswith("PYTEST")}
    environment = {**kept, "HOME": str(home), "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    code = f"import sys\nfrom pathlib import Path\nfolder = Path({str(folder)!r})\n" + textwrap.dedent(code)
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True, cwd=home)
    return [path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    made = tiny_archive(tmp_path_factory.mktemp("telemetry"))
    with zipfile.ZipFile(made) as archive:
        archive.extractall(made.parent)
    return made.rename(made.with_name("tail.mar")).parent


@pytest.mark.parametrize("what", LOADS)
def test_nothing_is_kept_to_be_sent(what, folder, tmp_path):
    require_openvino(what)
    assert left_by(LOADS[what], folder, tmp_path / "home") == []


@pytest.mark.parametrize("kept", ALONE)
def test_left_alone_they_would_keep_an_id(kept, folder, tmp_path):
    """So that the test above notices if a switch changes its name."""
    require_openvino(kept)
    assert any(path.endswith(kept) for path in left_by(ALONE[kept], folder, tmp_path / "home"))


def require_openvino(what: str) -> None:
    if "openvino" in what.lower():
        require_package("openvino", "tail-openvino")
