"""`pripro demo-app`: a bundle goes into an app as a whole, or not at all; and the app's own gradlew."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import typer
from require import require_tool
from typer.testing import CliRunner

from toolkit.bundle import Bundle
from toolkit.cli.demo_app import command
from toolkit.errors import BundleError, InputError
from toolkit.package.demo_app import copy_into_app
from toolkit.records.bundle import FileRef, Golden, Head, Manifest, Tail, TensorSpec

FULL = Path(__file__).parents[1] / "contract" / "manifest" / "full.json"
PACKAGE = "head/coreml/3/head.mlpackage"
PLACES = {"android": "app/src/main/assets/bundle", "ios": "App/Resources/bundle"}


def spec(name: str) -> TensorSpec:
    return TensorSpec(name=name, dtype="float32", shape=[-1, 2, 2, 2])


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    root = tmp_path / "bundle"

    def file(path: str) -> FileRef:
        data = path.encode() * 10
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
        return FileRef(path=path, sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))

    def head(target: str, backend: str, *paths: str) -> Head:
        return Head(
            target=target,
            precision="fp32",
            backend=backend,
            entry=paths[0].rsplit("/", 1)[0],
            files=[file(p) for p in paths],
            inputs=[spec("image")],
            outputs=[spec("smashed")],
            ops_delegated=None,
            ops_total=None,
            not_run=None,
            tools={},
        )

    base = Manifest.model_validate_json(FULL.read_bytes())
    manifest = base.model_copy(
        update={
            "heads": [
                head("executorch", "xnnpack", "head/executorch/1/head.pte"),
                head("executorch", "vulkan", "head/executorch/2/head.pte"),
                head("coreml", "mlprogram", f"{PACKAGE}/Manifest.json", f"{PACKAGE}/Data/w.bin"),
                head("tflite", "cpu", "head/tflite/4/head.tflite"),
                head("onnx", "cpu", "head/onnx/5/head.onnx"),
            ],
            "golden": Golden(
                n=1,
                seed=0,
                inputs=file("golden/6/inputs.safetensors"),
                expected=file("golden/6/expected.safetensors"),
                tolerances={},
            ),
            "tail": Tail(
                name="tail",
                archive=file("tail/7/tail.mar"),
                route="/predictions/tail",
                wire_version=1,
                inputs=[spec("smashed")],
                outputs=[spec("logits")],
            ),
        }
    )
    (root / "manifest.json").write_text(manifest.with_id().model_dump_json())
    return Bundle.open(root)


@pytest.fixture
def app(tmp_path: Path) -> Path:
    for folder in ("app/src/main", "App"):
        (tmp_path / "project" / folder).mkdir(parents=True)
    return tmp_path / "project"


def listing(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("platform", "heads"),
    [
        ("android", {"head/executorch/1/head.pte", "head/tflite/4/head.tflite"}),
        (
            "ios",
            {
                "head/executorch/1/head.pte",
                "head/coreml/3/head.mlpackage/Manifest.json",
                "head/coreml/3/head.mlpackage/Data/w.bin",
            },
        ),
    ],
)
def test_an_app_gets_its_heads_the_goldens_and_the_manifest(bundle, app, platform, heads):
    copied = copy_into_app(bundle, platform, app)
    expected = {"manifest.json", "golden/6/inputs.safetensors", "golden/6/expected.safetensors"} | heads
    assert set(copied) == listing(app / PLACES[platform]) == expected
    assert Bundle.open(app / PLACES[platform]).manifest == bundle.manifest


def test_an_app_gets_a_head_that_emits_codes(bundle, app):
    wire = TensorSpec(name="smashed", dtype="uint8", shape=[-1, 2, 2, 2], scale=[0.1], zero_point=[128])
    heads = [head.model_copy(update={"outputs": [wire]}) for head in bundle.manifest.heads]
    coded = Bundle(bundle.root, bundle.manifest.model_copy(update={"heads": heads}))
    assert {"head/executorch/1/head.pte", "head/tflite/4/head.tflite"} <= set(copy_into_app(coded, "android", app))


def test_a_second_bundle_replaces_the_first_as_a_whole(bundle, app):
    copy_into_app(bundle, "android", app)
    place = app / PLACES["android"]
    (place / "stale.txt").write_text("of another bundle")
    copy_into_app(bundle, "android", app)
    assert not (place / "stale.txt").exists()
    assert [path.name for path in place.parent.iterdir()] == ["bundle"]


@pytest.mark.parametrize("damage", ["change", "remove"])
def test_a_damaged_bundle_leaves_the_app_as_it_was(bundle, app, damage):
    copy_into_app(bundle, "android", app)
    before = listing(app)
    victim = bundle.root / "golden/6/expected.safetensors"
    victim.unlink() if damage == "remove" else victim.write_bytes(b"other")
    with pytest.raises(BundleError, match=r"expected.safetensors"):
        copy_into_app(bundle, "android", app)
    assert listing(app) == before


@pytest.mark.parametrize(("left_out", "sentence"), [("heads", "pripro convert"), ("golden", "pripro package")])
def test_a_bundle_that_is_not_ready_says_what_to_run(bundle, app, left_out, sentence):
    empty = [] if left_out == "heads" else None
    unready = Bundle(bundle.root, bundle.manifest.model_copy(update={left_out: empty}))
    with pytest.raises(BundleError, match=sentence):
        copy_into_app(unready, "android", app)
    assert listing(app) == set()


def test_a_folder_that_is_no_app_is_refused(bundle, tmp_path):
    with pytest.raises(InputError, match="--app"):
        copy_into_app(bundle, "android", tmp_path)


def test_the_command_says_what_to_run_next(bundle, app):
    typer_app = typer.Typer()
    typer_app.command()(command)
    done = CliRunner().invoke(typer_app, ["android", str(bundle.root), "--app", str(app), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["copied"][0] == "manifest.json"
    assert f"cd {app} && ./gradlew installDebug" in done.stderr


@pytest.fixture
def gradle(tmp_path: Path) -> Path:
    """The app's gradlew beside a properties file that names a distribution on this disk."""
    project, content = tmp_path / "project", b'#!/bin/sh\necho ran "$@"\n'
    (project / "gradle" / "wrapper").mkdir(parents=True)
    shutil.copy(Path(__file__).parents[2] / "android_demo" / "gradlew", project / "gradlew")
    entry = zipfile.ZipInfo("gradle-9.9/bin/gradle")
    entry.external_attr = 0o755 << 16
    with zipfile.ZipFile(tmp_path / "gradle-9.9-bin.zip", "w") as archive:
        archive.writestr(entry, content)
    digest = hashlib.sha256((tmp_path / "gradle-9.9-bin.zip").read_bytes()).hexdigest()
    (project / "gradle/wrapper/gradle-wrapper.properties").write_text(
        f"distributionUrl=file\\:{tmp_path}/gradle-9.9-bin.zip\ndistributionSha256Sum={digest}\n"
    )
    return project / "gradlew"


def run_gradlew(gradlew: Path) -> subprocess.CompletedProcess[str]:
    for tool in ("curl", "unzip", "sha256sum"):
        require_tool(tool, f"apt-get install {tool}")
    return subprocess.run(
        [gradlew, "assembleDebug"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "GRADLE_USER_HOME": str(gradlew.parent / "home")},
    )


def test_gradlew_runs_the_gradle_that_its_properties_name(gradle):
    for _ in range(2):  # got once, then kept
        done = run_gradlew(gradle)
        assert done.stdout == f"ran --project-dir {gradle.parent} assembleDebug\n", done.stderr
        (gradle.parents[1] / "gradle-9.9-bin.zip").unlink(missing_ok=True)


def test_gradlew_runs_nothing_whose_hash_differs(gradle):
    with (gradle.parents[1] / "gradle-9.9-bin.zip").open("ab") as archive:
        archive.write(b"x")
    done = run_gradlew(gradle)
    assert done.returncode == 1
    assert "SHA-256" in done.stderr
    assert done.stdout == ""
