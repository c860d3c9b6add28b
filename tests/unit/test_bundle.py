"""The bundle: what a manifest must be, and that an extension is there as a whole or not at all."""

import json
import shutil

import pytest

from toolkit.bundle import Bundle, create, creating, parse_manifest, sha256_of, write_atomically
from toolkit.errors import BundleError
from toolkit.records.bundle import FileRef, Manifest, Model, Preprocess, Split, TensorSpec


def small_manifest(program: FileRef) -> Manifest:
    def spec(name, shape):
        return TensorSpec(name=name, dtype="float32", shape=shape)

    return Manifest(
        bundle_id="0" * 64,
        created_utc="2026-01-01T00:00:00Z",
        tools={},
        model=Model(source="test", parameters=1, weights_sha256=None, program=program),
        preprocess=Preprocess(channels=1, height=8, width=8, mean=[0.5], std=[0.5]),
        labels=["a", "b"],
        split=Split(
            cut="conv",
            image=spec("image", [-1, 1, 8, 8]),
            crossing=[spec("smashed", [-1, 2, 4, 4])],
            outputs=[spec("logits", [-1, 2])],
            head_macs=1,
            tail_macs=1,
            head_parameters=1,
            tail_parameters=0,
        ),
    )


@pytest.fixture
def bundle(tmp_path):
    root = tmp_path / "bundle"
    with creating(root) as stage:
        made = stage.scratch("model")
        (made / "program.pt2").write_bytes(b"program")
        (program,) = stage.keep(made, "model")
        return create(root, small_manifest(program))


def files_of(root):
    return {path.relative_to(root): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_new_bundle_opens_and_is_whole(bundle):
    again = Bundle.open(bundle.root)
    again.check_files()
    assert again.manifest == bundle.manifest
    assert set(files_of(bundle.root)) == {
        bundle.path(bundle.manifest.model.program).relative_to(bundle.root),
        (bundle.root / "manifest.json").relative_to(bundle.root),
    }


def failing_stage(bundle):
    with bundle.extending() as stage:
        made = stage.scratch("tail")
        (made / "tail.mar").write_bytes(b"half")
        stage.keep(made, "tail")
        raise RuntimeError


def test_a_stage_that_fails_leaves_the_bundle_as_it_was(bundle):
    before = files_of(bundle.root)
    with pytest.raises(RuntimeError):
        failing_stage(bundle)
    assert files_of(bundle.root) == before


def test_files_kept_but_not_committed_are_swept_by_the_next_commit(bundle):
    with bundle.extending() as stage:
        made = stage.scratch("golden")
        (made / "x.safetensors").write_bytes(b"orphan")
        stage.keep(made, "golden")
    assert list((bundle.root / "golden").rglob("*.safetensors"))
    with bundle.extending():
        bundle.commit(bundle.manifest)
    assert not (bundle.root / "golden").exists()


def test_the_same_content_has_the_same_id_and_other_content_another(bundle):
    manifest = bundle.manifest
    assert manifest.with_id().bundle_id == manifest.bundle_id
    other = manifest.model_copy(update={"labels": ["a", "c"]}).with_id()
    assert other.bundle_id != manifest.bundle_id
    assert manifest.model_copy(update={"created_utc": "x"}).with_id().bundle_id == manifest.bundle_id


def test_only_one_writer_at_a_time(bundle):
    with bundle.extending(), pytest.raises(BundleError, match="Another pripro"), bundle.extending():
        pass


def test_what_was_read_before_another_wrote_is_not_built_upon(bundle):
    """Once package's goldens of an old protection were committed after protect had finished: its work was gone."""
    slow, quick = Bundle.open(bundle.root), Bundle.open(bundle.root)
    with quick.extending():
        quick.commit(quick.manifest.model_copy(update={"stages": {"protect": "new"}}))
    with pytest.raises(BundleError, match="run the command again"), slow.extending():
        pytest.fail("it was given a place to write")
    assert Bundle.open(bundle.root).manifest.stages == {"protect": "new"}


def test_nor_what_another_started_anew(bundle):
    slow = Bundle.open(bundle.root)
    with creating(bundle.root) as stage:
        made = stage.scratch("model")
        (made / "program.pt2").write_bytes(b"another program")
        (program,) = stage.keep(made, "model")
        create(bundle.root, small_manifest(program))
    with pytest.raises(BundleError, match="run the command again"):
        slow.note_stage("verify", "of the old one")
    Bundle.open(bundle.root).check_files()


def test_a_writer_that_is_refused_changes_nothing_of_the_one_at_work(bundle):
    other = Bundle.open(bundle.root)
    with bundle.extending() as stage:
        made = stage.scratch("tail")
        with pytest.raises(BundleError, match="wait for it to end"), other.extending():
            pytest.fail("it was given a place to write")
        with pytest.raises(BundleError, match="wait for it to end"), creating(bundle.root):
            pytest.fail("it was given a place to write")
        assert made.is_dir(), "the work of the one at work was swept"
    with other.extending():  # the lock is let go
        pass


def test_files_can_be_read_by_other_accounts_as_the_manifest_can(bundle):
    """Libraries write some files for their owner alone: another account could then neither serve nor verify."""
    with bundle.extending() as stage:
        made = stage.scratch("protection")
        (made / "weights.safetensors").write_bytes(b"weights")
        (made / "weights.safetensors").chmod(0o600)
        (kept,) = stage.keep(made, "protection")
        assert (bundle.root / kept.path).stat().st_mode & 0o777 == 0o644


def test_a_file_that_cannot_be_written_is_named_as_people_know_it(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        write_atomically(tmp_path / "gone" / "report.html", b"")
    assert caught.value.filename == str(tmp_path / "gone" / "report.html")


def test_a_changed_or_missing_file_is_found(bundle):
    path = bundle.path(bundle.manifest.model.program)
    path.write_bytes(b"changed")
    with pytest.raises(BundleError, match="was changed"):
        bundle.check_files()
    path.unlink()
    with pytest.raises(BundleError, match="is missing"):
        bundle.check_files()


def edited(bundle, change):
    raw = json.loads((bundle.root / "manifest.json").read_text())
    change(raw)
    return json.dumps(raw).encode()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda raw: raw.update(surprise=1), "surprise"),
        (lambda raw: raw.update(schema_version=3), "schema_version 3"),
        (lambda raw: raw["labels"].append("c"), "was edited"),
        (lambda raw: raw["model"]["program"].update(path="../../etc/passwd"), "path"),
        (lambda raw: raw["model"]["program"].update(path="/etc/passwd"), "path"),
        (lambda raw: raw.pop("split"), "split"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused_in_one_sentence(bundle, change, sentence):
    with pytest.raises(BundleError, match=sentence) as caught:
        parse_manifest(edited(bundle, change), "manifest.json")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff\xfe"])
def test_bytes_that_are_no_manifest_are_refused(data):
    with pytest.raises(BundleError):
        parse_manifest(data, "manifest.json")


def test_a_folder_of_something_else_is_not_overwritten(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(BundleError, match="not empty"), creating(tmp_path):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_moved_bundle_still_opens(bundle, tmp_path):
    shutil.move(bundle.root, tmp_path / "elsewhere")
    Bundle.open(tmp_path / "elsewhere").check_files()


def test_sha256(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
