"""Every method behind a waist: the same encoder, the same budget; and a bundle with one, from training to the tail."""

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import parity_bundle
import pytest
import torch
from privacy_case import FEATURES, PREPROCESS, case
from safetensors.numpy import load_file
from torch.export import ExportedProgram
from torch.nn import functional

from toolkit import plugins, protections
from toolkit.bundle import Bundle
from toolkit.convert.heads import convert, plan_heads
from toolkit.datasets._preprocess import preprocess_for
from toolkit.errors import InputError
from toolkit.inference import in_batches
from toolkit.package.noise import memoised_eps
from toolkit.package.settings import PackageSettings
from toolkit.package.tail import package
from toolkit.partition.begin import partition
from toolkit.partition.cuts import Crosser, Cut
from toolkit.partition.layouts import Layout
from toolkit.partition.network import Network, export
from toolkit.partition.split import Split
from toolkit.protect.certificate import certify, most_often_right
from toolkit.protect.describe import in_unit
from toolkit.protect.fitting import Fitting, fit_and_calibrate
from toolkit.protect.fuse import protect
from toolkit.protect.protected import load_protected
from toolkit.protect.settings import ProtectSettings
from toolkit.protect.waist import phases
from toolkit.protect.waist.decoder import Decoder
from toolkit.protect.waist.encoder import SPREAD, TrainingEncoder, geometry_of
from toolkit.protect.waist.geometry import Geometry
from toolkit.protect.waist.start import linear_waist, patches, slopes_of
from toolkit.protect.waist.symbols import Rounding
from toolkit.protect.waist.tables import codes_of, coding_for, to_codes
from toolkit.protections.pripro import PriPro
from toolkit.tasks.embed import Embed
from toolkit.verify.coarse import coarse_rows
from toolkit.verify.codes import Codes
from toolkit.verify.replay import load_goldens
from toolkit.verify.report import verify_bundle
from toolkit.verify.rows import Subject

#: heads of the deep encoder's bundle: every target; in int8 the codes stay float
DEEP_HEADS = {"executorch": ["fp32", "int8"], "coreml": ["fp32"], "tflite": ["int8"], "onnx": ["int8"]}
SHAPE = (3, parity_bundle.SIDE, parity_bundle.SIDE)
METHODS = plugins.names(protections)
pytestmark = pytest.mark.slow


def halves() -> Split:
    one = case()
    crosser = Crosser("head", FEATURES, Layout("NCHW"))
    cut = Cut("head", (), FEATURES, 4 * 512, 20_000, 300_000, 80, 5_000, "head", (crosser,))
    return Split(one.head, one.tail, cut, (1, 16, 16), 10)


def fitted(method: str, train: str = "waist", epochs: int = 2, **more: object):
    wanted = Fitting(method, epochs=epochs, train=train, max_drop=0.5, draws=1, **more)  # type: ignore[arg-type]
    states: list[dict[str, object]] = []
    return fit_and_calibrate(halves(), case().data, wanted, checkpoint=states.append), states


@pytest.mark.parametrize("method", ["cloak", "pripro"])
def test_a_training_that_leaves_the_numbers_is_refused(method):
    with pytest.raises(InputError, match=f"training of {method} left the finite numbers .*learning_rate=1e[+]30"):
        fitted(method, "injector", epochs=1, options={"learning_rate": 1e30})


@pytest.mark.parametrize("method", METHODS)
def test_every_method_stands_behind_the_same_encoder(method):
    before = [value.clone() for value in case().tail.state_dict().values()]
    found, _ = fitted(method)
    assert found.waist is not None
    geometry = found.waist.geometry
    codes = codes_of(found.head, found.protection, case().setting.test[:64], 0)
    assert codes.shape[1:] == geometry.shape == (32, 2, 2)
    assert len(np.unique(codes)) > 2, "a waist that says nothing"
    answers = found.split.tail(found.head(case().setting.test[:8]))
    assert answers.shape == (8, 10)
    assert all(torch.equal(a, b) for a, b in zip(before, case().tail.state_dict().values(), strict=True))
    size = geometry.inner * (8 * 16 + 1) + 32 * (geometry.inner + 1)
    assert sum(parameter.numel() for parameter in found.waist.encoder.parameters()) == size


def test_a_linear_start_keeps_most_of_the_accuracy_where_a_random_one_keeps_chance():
    split, photos = halves(), case().data.victim_train.images[:400]
    geometry = Geometry(FEATURES, 24, 4, 48)
    features = in_batches(split.head, photos)
    linear = linear_waist(features, slopes_of(split.tail, features, 0, split.task), geometry, 0)
    test = case().data.test
    answers = split.tail(split.head(test.images)).argmax(1)
    kept = {}
    for start in ("linear", "random"):
        torch.manual_seed(0)
        encoder, decoder = TrainingEncoder(geometry), Decoder(geometry)
        if start == "linear":
            encoder.start_from(linear)
            decoder.start_from(features, linear, SPREAD)
        encoder.measure(features)
        codes = Rounding()(encoder.folded()(split.head(test.images)))
        kept[start] = (split.tail(decoder.eval()(codes)).argmax(1) == answers).float().mean().item()
    assert kept["linear"] > 0.8
    assert kept["random"] < 0.4


def test_a_training_that_ends_below_its_start_is_not_kept_and_less_noise_is_tried(monkeypatch):
    monkeypatch.setitem(phases._RATES, "whole", ((("encoder", "decoder"), 1.0), (("noise", "symbols"), 3e-3)))
    told: list[str] = []
    wanted = Fitting("pripro", epochs=1, train="waist", max_drop=0.4, draws=1)
    found = fit_and_calibrate(halves(), case().data, wanted, tell=told.append)
    (said,) = (one for one in told if "is kept" in one)
    ended, began = (float(word) for word in re.findall(r"([\d.]+)%", said))
    assert began > ended
    assert found.calibration is not None
    tried = dict(found.calibration.tried)
    assert abs(tried[1.0] - began / 100) < 0.1
    assert found.calibration.met
    assert found.calibration.strength < 0.5
    assert found.calibration.protected >= found.calibration.unprotected - 0.4 > tried[1.0]


def test_an_encoder_at_its_linear_start_is_that_linear_map():
    geometry, generator = Geometry((3, 8, 8), 5, 4, 12), torch.Generator().manual_seed(0)
    features = torch.randn(200, 3, 8, 8, generator=generator)
    linear = linear_waist(features, features, geometry, 0)
    encoder = TrainingEncoder(geometry)
    encoder.start_from(linear)
    encoder.measure(features)
    flat = (patches(features, geometry) - linear.mean) @ linear.down.T
    z = encoder.folded()(features).flatten(2).transpose(1, 2).flatten(0, 1)
    flat, z = ((each - each.mean(0)) / each.std(0) for each in (flat, z))
    # beside it stands a tenth of a random network
    assert torch.nn.functional.cosine_similarity(flat, z, dim=0).min() > 0.9
    # up after down loses what the other directions hold, and nothing of these
    assert torch.allclose(linear.down @ linear.up, torch.eye(5), atol=1e-4)


def test_noise_behind_a_waist_starts_at_nothing_and_replaces_half_of_a_position_at_most():
    block = PriPro((24, 1, 1))
    block.settle({}, torch.Generator().manual_seed(0))
    block.set_strength(1.0)
    z = 1.2 * torch.randn(64, 24, 1, 1, generator=torch.Generator().manual_seed(1))
    mean, noise = block.channel(z)
    assert torch.allclose(mean, z / 2)
    assert noise.sqrt().max() < 0.1


def test_all_trains_copies_of_head_and_tail():
    found, _ = fitted("pripro", "all", epochs=1)
    assert found.trained is not None
    for mine, original in zip(found.trained, (case().head, case().tail), strict=True):
        pairs = zip(mine.state_dict().values(), original.state_dict().values(), strict=True)
        assert any(not torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(("method", "train"), [("pripro", "all"), ("adversarial", "waist")])
def test_a_resumed_training_ends_with_the_same_weights(method, train):
    wanted = Fitting(method, epochs=3, train=train, max_drop=0.5, draws=1)  # type: ignore[arg-type]
    states: list[bytes] = []

    def keep(state: dict[str, object]) -> None:
        file = io.BytesIO()
        torch.save(state, file)
        states.append(file.getvalue())

    whole = fit_and_calibrate(halves(), case().data, wanted, checkpoint=keep)
    torch.rand(7)  # the global generator must not matter
    kept = torch.load(io.BytesIO(states[0]), weights_only=True)  # readable without running code
    rest = fit_and_calibrate(halves(), case().data, wanted, resume_from=kept)
    for mine, other in ((whole.split.head, rest.split.head), (whole.split.tail, rest.split.tail)):
        pairs = zip(mine.state_dict().values(), other.state_dict().values(), strict=True)
        assert all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("method", ["pripro", "none"])
def test_no_attacker_beats_the_certificate(method):
    found, _ = fitted(method, epochs=4)
    data = case().data
    known, held = data.attacker_train, data.test
    codes = {part: codes_of(found.head, found.protection, part.images, 5) for part in (data.victim_train, known, held)}
    coding = coding_for(codes[data.victim_train], pad=False)
    certificate = certify(found.split, found.protection, coding, held.images, in_unit(held.images, PREPROCESS), 5)
    assert (certificate.capacity_bits is None) == (method == "none")
    bits = certificate.capacity_bits or certificate.message_bits_mean
    assert bits <= certificate.message_bits_mean
    inputs = {part: torch.from_numpy(codes[part]).float().flatten(1) for part in (known, held)}
    photos = in_unit(known.images, PREPROCESS)
    torch.manual_seed(0)
    size = inputs[known].shape[1]
    decoder = torch.nn.Sequential(torch.nn.Linear(size, 256), torch.nn.ReLU(), torch.nn.Linear(256, 256))
    guesser = torch.nn.Sequential(torch.nn.Linear(size, 128), torch.nn.ReLU(), torch.nn.Linear(128, 10))
    optimizer = torch.optim.Adam([*decoder.parameters(), *guesser.parameters()], 2e-3)
    for _ in range(60):
        for index in torch.randperm(len(known)).split(64):
            message = inputs[known][index]
            loss = functional.mse_loss(decoder(message), photos[index].flatten(1))
            loss = loss + functional.cross_entropy(guesser(message), known.labels[index])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        error = functional.mse_loss(decoder(inputs[held]), in_unit(held.images, PREPROCESS).flatten(1)).item()
        right = (guesser(inputs[held]).argmax(1) == held.labels).float().mean().item()
    assert certificate.mse_bound is not None
    assert certificate.mse_bound <= error
    assert right <= most_often_right(bits, 10)


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("waist") / "crops"
    parity_bundle.write_crops(folder)
    return f"folder:{folder}"


@pytest.fixture(scope="module")
def program(crops: str) -> ExportedProgram:
    return export(parity_bundle.trained(crops), SHAPE)


def begun(program: ExportedProgram, cut: str, root: Path) -> Bundle:
    network = Network("small", program, SHAPE, len(parity_bundle.PHOTOS))
    return partition(network, cut, root, preprocess=preprocess_for(SHAPE), labels=list(parity_bundle.PHOTOS))


@pytest.fixture(scope="module")
def bundle(crops: str, program: ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    made = begun(program, parity_bundle.CUT, tmp_path_factory.mktemp("flat") / "bundle")
    protect(made, ProtectSettings(data=crops, train="all", epochs=8, max_accuracy_drop=0.5, batch_size=16, pad=False))
    convert(made, plan_heads(["onnx"], ["fp32", "int8"]))
    package(made)
    return made


@pytest.fixture(scope="module")
def deep(crops: str, program: ExportedProgram, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A waist whose encoder has the deep branch, on every target; cut later, where it has room."""
    made = begun(program, "2", tmp_path_factory.mktemp("deep") / "bundle")
    settings = ProtectSettings(
        data=crops, train="waist", encoder="deep", epochs=2, max_accuracy_drop=0.5, batch_size=16
    )
    protect(made, settings)
    for target, precisions in DEEP_HEADS.items():
        convert(made, plan_heads([target], precisions))
    package(made, PackageSettings(goldens=8))
    return made


def test_a_bundle_says_what_crosses(bundle):
    record = bundle.manifest.protection
    assert record is not None
    assert record.waist is not None
    assert record.train == "all"
    assert bundle.manifest.smashed.shape[1:] == record.waist.shape
    tail = bundle.manifest.tail
    assert tail is not None
    assert (tail.wire_version, tail.coding) == (2, record.waist.coding)
    kinds = {head.target: head.outputs[0].dtype for head in bundle.manifest.heads}
    assert kinds == {target: "float32" if target in {"coreml", "executorch"} else "uint8" for target in kinds}
    assert record.waist.encoder_macs < bundle.manifest.split.head_macs
    assert record.certificate is not None


def test_what_was_saved_is_what_was_trained(bundle):
    found = load_protected(bundle)
    golden = load_goldens(bundle)
    images = torch.from_numpy(golden.inputs["image"])
    eps = torch.from_numpy(golden.inputs["eps"])
    again = torch.cat([found.smash(images[i : i + 1], eps[i : i + 1]) for i in range(len(images))])
    assert np.array_equal(again.numpy(), golden.smashed)
    sent = found.sender(found.split.head(images), eps)
    assert torch.equal(to_codes(sent), to_codes(again))


def test_goldens_carry_secret_noise_and_the_very_bytes(bundle):
    golden, record = bundle.manifest.golden, bundle.manifest.protection
    assert golden is not None
    assert record is not None
    assert golden.secret_hex is not None
    assert golden.messages is not None
    inputs = load_goldens(bundle).inputs
    drawn = memoised_eps(
        bytes.fromhex(golden.secret_hex), bundle.manifest.bundle_id, inputs["image"][:3], [inputs["eps"].shape[1:]]
    )[0]
    assert np.array_equal(drawn, inputs["eps"][:3])
    assert set(load_file(bundle.path(golden.messages))) == {f"message_{row}" for row in range(golden.n)}


@pytest.mark.parametrize("which", ["bundle", pytest.param("deep", marks=pytest.mark.thorough)])
def test_heads_agree_through_the_tail_on_coded_messages(which, request):
    made = request.getfixturevalue(which)
    report = verify_bundle(made)
    assert [row.where for row in report.rows if row.passed is not True] == []
    seen = {(row.target, row.precision, row.where) for row in report.rows}
    wheres = ("head", "noise", "end-to-end", "task")
    assert seen >= {(head.target, head.precision, where) for head in made.manifest.heads for where in wheres}


@pytest.mark.thorough
def test_a_deep_encoder_ships_in_every_head_whole_in_one_delegate(deep):
    record = deep.manifest.protection
    state = load_protected(deep).split.head.get_submodule("encoder").state_dict()
    assert geometry_of((16, 6, 6), record.waist.shape[0], state).deep > 0
    assert {head.target for head in deep.manifest.heads} == set(DEEP_HEADS)
    for head in deep.manifest.heads:
        if head.target == "executorch":
            assert head.ops_total == head.ops_delegated


def planted(bundle: Bundle, fault: str) -> list[str]:
    """Rows that fail for codes of a head with that fault."""
    found, golden = load_protected(bundle), load_goldens(bundle)
    images, eps = torch.from_numpy(golden.inputs["image"]), torch.from_numpy(golden.inputs["eps"])
    if fault == "noise ignored":
        eps = torch.zeros_like(eps)
    elif fault == "half the noise":
        eps = eps / 2
    elif fault == "red and blue swapped":
        images = images.flip(1)
    answers = to_codes(found.smash(images, eps)).numpy()
    if fault == "codes off by one":
        answers = np.minimum(answers + 1, 6)
    head = next(head for head in bundle.manifest.heads if head.precision == "fp32")
    codes = Codes.of(head, bundle)
    assert codes is not None
    rows = coarse_rows(Subject.of(head, "planted"), codes.cut(golden), answers, codes, lambda: "")
    return [row.where for row in rows if not row.passed]


@pytest.mark.parametrize("fault", ["noise ignored", "half the noise", "red and blue swapped", "codes off by one"])
def test_a_planted_fault_is_seen_in_coarse_codes(bundle, fault):
    assert planted(bundle, "") == []
    assert "head" in planted(bundle, fault)


def test_a_training_refused_for_what_it_costs_is_looked_at_again_and_not_repeated(crops, program, tmp_path):
    made = begun(program, parity_bundle.CUT, tmp_path / "bundle")

    said: list[str] = []

    def train(drop: float, *, resume: bool) -> None:
        settings = ProtectSettings(
            data=crops, train="waist", channels=1, epochs=2, batch_size=16, max_accuracy_drop=drop
        )
        protect(made, settings, resume=resume, progress=lambda done, total, text: said.append(text))

    with pytest.raises(InputError, match="--resume"):
        train(0.001, resume=False)
    assert any("bytes" in text for text in said)
    said.clear()
    train(0.99, resume=True)
    assert not any("bytes" in text for text in said), "trained again"
    assert made.manifest.protection is not None
    assert made.manifest.protection.settings["max_accuracy_drop"] == pytest.approx(0.99)


def test_two_photos_of_one_device_do_not_share_their_noise(bundle):
    images = load_goldens(bundle).inputs["image"][:2]
    first, second = memoised_eps(bytes(32), bundle.manifest.bundle_id, images, [(8, 4, 4)])[0]
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.5


def test_the_class_alone_makes_surer_scores():
    test, unsure, right = case().data.test, {}, {}
    for answer in ("scores", "class"):
        found, _ = fitted("none", "all", epochs=8, answer=answer)
        scores = torch.softmax(found.split.tail(found.protection(found.head(test.images))), 1)
        unsure[answer] = -(scores * scores.log()).sum(1).mean()
        right[answer] = (scores.argmax(1) == test.labels).float().mean()
    assert unsure["class"] < unsure["scores"]  # nats: 0.42 and 0.47
    assert right["class"] > right["scores"] - 0.05


def test_the_class_alone_is_for_networks_that_name_classes():
    with pytest.raises(InputError, match="--answer class"):
        fit_and_calibrate(
            replace(halves(), task=Embed()), case().data, Fitting("pripro", train="waist", answer="class")
        )
