"""One suite over every protection that is found: what a method must be, whatever it does."""

import copy
import io
import math

import pytest
import torch
from privacy_case import FEATURES, case

from toolkit import plugins, protections
from toolkit.errors import InputError, UnknownNameError
from toolkit.protect.calibrate import calibrate_strength
from toolkit.protections.base import Protection
from toolkit.protections.pripro import PriPro

METHODS = plugins.names(protections)
pytestmark = pytest.mark.slow
#: methods whose own weights a training changes
LEARNING = ("shredder", "cloak", "pripro")


def _kind(name: str) -> type[Protection]:
    return plugins.load(protections, "protection", name, Protection)


def _eps(protection: Protection, batch: int, seed: int) -> tuple[torch.Tensor, ...]:
    eps = protection.draw_eps(batch, torch.Generator().manual_seed(seed))
    return () if eps is None else (eps,)


def test_the_methods_of_the_comparison_are_there():
    expected = "none gaussian laplace dropout shredder cloak nopeek adversarial cem pripro"
    assert set(METHODS) == set(expected.split())


@pytest.mark.parametrize("name", METHODS)
def test_the_shape_stays_and_the_draw_decides(name):
    one = case()
    protection, head = one.fitted(_kind(name).build(FEATURES), epochs=1)
    smashed = head(one.setting.test[:4])
    first, again = (protection(smashed, *_eps(protection, 4, 1)) for _ in range(2))
    assert first.shape == smashed.shape
    assert torch.equal(first, again), "a protection draws nothing itself"
    if protection.eps_shape() is not None:
        assert not torch.equal(first, protection(smashed, *_eps(protection, 4, 2)))
    assert torch.isfinite(first).all()


@pytest.mark.parametrize("name", METHODS)
def test_no_strength_means_the_features_as_they_are(name):
    one = case()
    protection, head = one.fitted(_kind(name).build(FEATURES), epochs=1)
    protection.set_strength(0.0)
    smashed = head(one.setting.test[:4])
    assert torch.allclose(protection(smashed, *_eps(protection, 4, 1)), smashed, atol=1e-6)


@pytest.mark.parametrize("name", METHODS)
def test_only_what_may_be_trained_is(name):
    one = case()
    kind = _kind(name)
    tail = copy.deepcopy(one.tail.state_dict())
    training = one.training(epochs=1)
    kind.build(FEATURES).fit(training)
    changed = any(
        not torch.equal(mine, original)
        for mine, original in zip(training.head.state_dict().values(), one.head.state_dict().values(), strict=True)
    )
    assert changed == kind.trains_head
    assert all(torch.equal(value, tail[key]) for key, value in one.tail.state_dict().items())
    assert not any(parameter.requires_grad for parameter in [*one.tail.parameters(), *training.head.parameters()])


@pytest.mark.parametrize("name", LEARNING)
def test_training_changes_the_noise(name):
    """Public code left Shredder's noise out of the optimiser, so that it never trained."""
    one = case()
    states = []
    protection = _kind(name).build(FEATURES)
    protection.fit(one.training(epochs=2, checkpoint=states.append))
    module = "injector" if name == "pripro" else "noise"
    first, last = (state["modules"][module] for state in (states[0], states[-1]))
    trained = [key for key, _ in protection.named_parameters()]
    assert trained
    for key in trained:
        assert not torch.equal(first[key], last[key]), key


@pytest.mark.parametrize("name", [name for name in METHODS if _kind(name).trains_head or name in LEARNING])
def test_a_resumed_training_ends_with_the_same_weights(name):
    one = case()
    states: list[dict[str, object]] = []
    whole, whole_head = one.fitted(_kind(name).build(FEATURES), epochs=3, checkpoint=states.append)
    torch.rand(7)  # the global generator must not matter
    file = io.BytesIO()
    torch.save(states[0], file)
    file.seek(0)
    # a checkpoint must be readable without running code
    kept = torch.load(file, weights_only=True)
    rest, rest_head = one.fitted(_kind(name).build(FEATURES), epochs=3, resume_from=kept)
    for mine, other in ((whole, rest), (whole_head, rest_head)):
        pairs = zip(mine.state_dict().items(), other.state_dict().values(), strict=True)
        assert [key for (key, value), twin in pairs if not torch.equal(value, twin)] == []


@pytest.mark.parametrize("name", METHODS)
def test_an_unknown_option_is_refused(name):
    with pytest.raises(UnknownNameError, match="no_such_option"):
        _kind(name).build(FEATURES, {"no_such_option": 1.0})


@pytest.mark.parametrize("name", METHODS)
def test_a_number_that_an_option_cannot_be_is_refused(name):
    kind = _kind(name)
    for option, default in kind.options.items():
        wrong = [math.nan, math.inf, -math.inf, -1.0]
        wrong += [0.0, 2.5] if isinstance(default, int) else []
        wrong += [1.5] if option in kind.shares else []
        for value in wrong:
            with pytest.raises(InputError, match=f"option {option} of protection {name} cannot be"):
                kind.build(FEATURES, {option: value})
        kind.build(FEATURES, {option: default})
    assert set(kind.shares) <= set(kind.options)


@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning")  # torch.export's own, in its pytree
@pytest.mark.parametrize("name", METHODS)
def test_it_exports_without_random_operators(name):
    protection = _kind(name).build(FEATURES).eval()
    example = (torch.randn(1, *FEATURES), *_eps(protection, 1, 0))
    program = torch.export.export(protection, example).run_decompositions({})
    targets = {str(node.target) for node in program.graph.nodes if node.op == "call_function"}
    assert not [
        target for target in targets if any(word in target for word in ("rand", "normal", "dropout", "bernoulli"))
    ]
    assert torch.allclose(program.module()(*example), protection(*example), atol=1e-5)


def test_laplace_noise_is_laplace():
    protection = _kind("laplace").build((4, 64, 64))
    (eps,) = _eps(protection, 8, 0)
    noise = protection(torch.zeros(8, 4, 64, 64), eps).flatten() * 2**0.5
    # the standard Laplace distribution: P(|x| > t) = exp(-t), variance 2, kurtosis 6
    for t in (0.5, 1.0, 2.0, 4.0):
        assert (noise.abs() > t).float().mean().item() == pytest.approx(torch.tensor(-t).exp().item(), abs=0.005)
    assert noise.var().item() == pytest.approx(2.0, rel=0.03)
    assert (noise.pow(4).mean() / noise.var() ** 2).item() == pytest.approx(6.0, rel=0.1)


def test_dropout_drops_the_share_it_says():
    protection = _kind("dropout").build((8, 32, 32))
    for strength in (0.0, 1.0, 3.0):
        protection.set_strength(strength)
        kept = protection(torch.ones(8, 8, 32, 32), *_eps(protection, 8, 0))
        assert (kept == 0).float().mean().item() == pytest.approx(1 - 2**-strength, abs=0.01)


def test_shredder_sends_one_of_its_tensors():
    one = case()
    protection, _ = one.fitted(_kind("shredder").build(FEATURES), epochs=1)
    (eps,) = _eps(protection, 6, 3)
    sent = protection(torch.zeros(6, *FEATURES), eps).flatten(1)
    expected = protection.tensors[eps.flatten(1).argmax(1)]
    assert torch.allclose(sent, expected, atol=1e-4)


@pytest.mark.parametrize("name", ["gaussian", "pripro"])
def test_calibration_keeps_the_accuracy_and_is_tight(name):
    one = case()
    protection, head = one.fitted(_kind(name).build(FEATURES), epochs=2)
    check = one.data.victim_val
    found = calibrate_strength(protection, head, one.tail, check.images, check.labels, max_drop=0.05, draws=2, seed=0)
    assert found.met
    assert found.unprotected - found.protected + found.margin <= 0.05 + 1e-6
    assert protection.strength.item() == pytest.approx(found.strength)
    too_strong = [accuracy for strength, accuracy in found.tried if strength > found.strength * 1.5]
    assert too_strong, "the search never looked at a strength that is too large"
    assert min(too_strong) < found.protected


def test_the_attention_of_pripro_holds_in_half_precision_far_beyond_the_features_scale() -> None:
    generator = torch.Generator().manual_seed(0)
    smashed = 40 * torch.randn(4, 32, 28, 28, generator=generator).relu()
    block = PriPro((32, 28, 28))
    block.start_from(smashed, generator)
    block.eval().requires_grad_(False)
    large, nothing = 20 * smashed, torch.zeros(1, 32, 28, 28)
    assert large.max() > 3000  # squared, a hundred times what half precision holds
    wanted = block.share_of_noise(large)
    block.half()
    assert (block.share_of_noise(large.half()).float() - wanted).abs().max() < 5e-3
    assert torch.isfinite(block.share_of_noise(nothing.half())).all()
