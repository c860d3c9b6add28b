"""What people hand in: state, regions, constants, structures, wrappers; each is exact or refused with what mends it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.errors import InputError, NetworkError
from toolkit.partition.building import plain
from toolkit.partition.cuts import explain, find_cut, list_cuts
from toolkit.partition.network import Network, _signature, check_alone, export, load_network
from toolkit.partition.split import split


def network_of(module: nn.Module, image: tuple[int, int, int] = (1, 8, 8)) -> Network:
    program = export(module.eval(), image)
    return Network("test", program, *_signature(program, "test"))


def exact(network: Network, crossing: int = 1) -> list[str]:
    """Cut at every point offered and compare with the exported network, batch 1 and 5."""
    whole = network.program.module(check_guards=False)
    cuts = list_cuts(network, most=crossing)
    for cut in cuts:
        halves = split(network, cut.name, crossing=crossing)
        for batch in (1, 5):
            image = torch.rand(batch, *network.image)
            smashed = halves.head(image)
            assert tuple(smashed.shape[1:]) == cut.shape
            assert torch.equal(halves.tail(smashed), network.flat(whole(image))), cut.name
    return [cut.name for cut in cuts]


class Base(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, 3)
        self.register_buffer("calls", torch.zeros(1))

    def end(self, maps: Tensor) -> Tensor:
        return self.last(maps.mean((2, 3)))


class NoGrad(Base):
    def forward(self, x: Tensor) -> Tensor:
        with torch.no_grad():
            maps = self.second(self.first(x))
        return self.end(maps)


class Autocast(Base):
    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            maps = self.second(self.first(x))
        return self.end(maps.float())


class Half(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.second(self.first(x).to(torch.bfloat16).relu().float()))


class Counter(Base):
    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.end(self.second(self.first(x)))


class Constants(Base):
    def forward(self, x: Tensor) -> Tensor:
        bias = torch.zeros(x.shape[0], 4) + torch.linspace(0, 1, 4).expand(x.shape[0], 4)
        ones = torch.ones_like(x)
        maps = self.second(self.first(x))
        return self.last(maps.mean((2, 3)) + bias) + ones.sum((2, 3))


@pytest.mark.parametrize("kind", [NoGrad, Autocast, Half, Counter, Constants])
def test_regions_counters_and_constants_leave_every_cut(kind: type[Base]) -> None:
    network = network_of(kind())
    assert {"first", "second"} <= set(exact(network))


class Remembers(Base):
    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return self.end(self.first(x)) * self.calls


def test_what_answers_by_what_it_remembers_is_refused_with_its_line() -> None:
    with pytest.raises(NetworkError, match=r"buffer calls.*test_partition_networks.py, line \d+: self.calls \+= 1"):
        list_cuts(network_of(Remembers()))


class Dict(Base):
    def forward(self, x: Tensor) -> dict[str, object]:
        maps = self.second(self.first(x))
        return {"out": maps, "aux": [self.end(maps), None], "anchors": torch.arange(4.0)}


def test_every_structure_becomes_named_answers() -> None:
    network = network_of(Dict())
    assert [(one.name, one.shape) for one in network.outputs] == [("out", (4, 8, 8)), ("aux_0", (3,))]
    assert exact(network) == ["first"]


class Unet(nn.Module):
    """Three skips, cut in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.ModuleList(nn.Conv2d(c, 2 * c if c > 1 else 4, 3, 2, 1) for c in (1, 4, 8))
        self.middle = nn.Conv2d(16, 16, 3, padding=1)
        self.up = nn.ModuleList(nn.ConvTranspose2d(c, d, 2, 2) for c, d in ((16, 8), (16, 4), (8, 1)))

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for layer in self.down:
            x = layer(x).relu()
            kept.append(x)
        x = self.middle(x)
        x = self.up[0](x + kept[2])
        x = self.up[1](torch.cat([x, kept[1]], 1))
        return self.up[2](torch.cat([x, kept[0]], 1))


def test_a_unet_is_cut_across_its_skips() -> None:
    network = network_of(Unet())
    with pytest.raises(InputError, match="--crossing 4"):
        find_cut(network, "middle")
    cut = find_cut(network, "middle", most=4)
    assert [one.shape for one in cut.crossing] == [(4, 4, 4), (8, 2, 2), (16, 1, 1), (16, 1, 1)]
    assert cut.bytes == 4 * (64 + 32 + 16 + 16)
    assert "middle" in exact(network, 4)
    assert any("needed until" in sentence for sentence in explain(network))


class ImageSkip(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x)) + x


def test_where_the_image_itself_crosses_the_reason_names_the_line() -> None:
    network = network_of(ImageSkip())
    assert list_cuts(network) == []
    (sentence, *_) = explain(network)
    assert "The image itself is needed until" in sentence
    assert "return self.second(self.first(x)) + x" in sentence


class Bytes(Base):
    def forward(self, x: Tensor) -> Tensor:
        if x.dtype != torch.uint8:
            raise TypeError("give uint8")
        return self.end(self.first((x.permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5))


def test_uint8_channels_last_images_are_turned_inside() -> None:
    module = Bytes().eval()
    network = network_of(module)
    assert exact(network)[0] == "first"
    pixels = torch.randint(0, 256, (2, 1, 8, 8))
    wanted = module(pixels.permute(0, 2, 3, 1).to(torch.uint8))
    # another order of axes in memory, so another order of the same sums
    assert torch.allclose(network.program.module(check_guards=False)(pixels.float()), wanted, atol=1e-6)


class OneSize(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.first(x)) + torch.zeros(len(x), 3)


def test_a_batch_size_turned_into_a_number_is_refused_with_what_mends_it() -> None:
    with pytest.raises(NetworkError, match=r"len\(x\).*write x.shape\[0\]"):
        network_of(OneSize())


class Chooses(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.first(x)) * x.mean().item()


@pytest.mark.parametrize("how", ["training", "eval"])
def test_what_depends_on_its_neighbours_is_refused(how: str) -> None:
    module = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(72, 3)).train(
        how == "training"
    )
    shape = ({0: torch.export.Dim("batch")},)
    program = torch.export.export(module, (torch.rand(2, 1, 8, 8),), dynamic_shapes=shape)
    network = Network("saved.pt2", program, *_signature(program, "saved.pt2"))
    if how == "eval":
        check_alone(network)
        return
    with pytest.raises(NetworkError, match="training mode"):
        check_alone(network)


class Standardised(nn.Conv2d):
    """A convolution whose weights are standardised by batch normalisation, as timm writes NFNets and BiT."""

    def forward(self, x: Tensor) -> Tensor:
        flat = self.weight.reshape(1, self.out_channels, -1)
        weight = functional.batch_norm(flat, None, None, training=True).reshape_as(self.weight)
        return functional.conv2d(x, weight, self.bias, self.stride, self.padding)


def test_batch_normalisation_of_weights_is_no_training() -> None:
    network = network_of(
        nn.Sequential(Standardised(1, 4, 3), nn.ReLU(), Standardised(4, 4, 3), nn.Flatten(), nn.Linear(64, 3))
    )
    check_alone(network)
    assert {"0", "1", "2"} <= set(exact(network))


class Centres(Base):
    def forward(self, x: Tensor) -> Tensor:
        maps = self.first(x)
        return self.end(maps - maps.mean(0, keepdim=True))


class Nan(Base):
    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.first(x)) * float("nan")


@pytest.mark.parametrize(("kind", "words"), [(Centres, "other photos in its batch"), (Nan, "NaN or infinity")])
def test_answers_that_are_none_are_refused(kind: type[Base], words: str) -> None:
    with pytest.raises(NetworkError, match=words):
        check_alone(network_of(kind()))


def test_data_dependent_work_is_refused_with_its_line() -> None:
    with pytest.raises(NetworkError) as caught:
        list_cuts(network_of(Chooses()))
    assert "test_partition_networks.py" in str(caught.value)


@pytest.mark.filterwarnings("ignore:.torch.jit.*deprecated:DeprecationWarning")
def test_wrappers_come_off_and_other_kinds_say_what_mends_them() -> None:
    inner = Base().eval()
    assert plain(nn.DataParallel(inner), "mine:build") is inner
    assert plain(torch.compile(inner, backend="eager"), "mine:build") is inner
    assert next(plain(Base().half(), "mine:build").parameters()).dtype == torch.float32
    scripted = torch.jit.trace(nn.Linear(2, 2), torch.zeros(1, 2))
    with pytest.raises(NetworkError, match=r"TorchScript.*return the module that"):
        plain(scripted, "mine:build")
    with pytest.raises(InputError, match="state dict"):
        plain(inner.state_dict(), "mine:build")
    with torch.device("meta"):
        absent = Base()
    with pytest.raises(NetworkError, match="meta device"):
        plain(absent, "mine:build")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def build(width): ...", r"needs arguments.*def build\(\)"),
        ("def build(): return {'w': 1}", "state dict"),
        ("def build(): return 3", "returned a int"),
        ("import no_such_package", "cannot be imported"),
    ],
)
def test_factories_that_give_none(tmp_path, monkeypatch, code: str, words: str) -> None:
    (tmp_path / f"user_{abs(hash(code))}.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=words):
        load_network(f"user_{abs(hash(code))}:build", (1, 8, 8))


def test_what_a_factory_prints_stays_off_stdout(tmp_path, monkeypatch, capsys) -> None:
    code = "import torch\nprint('loading')\ndef build():\n    print('building')\n    return torch.nn.Conv2d(1, 2, 3)\n"
    (tmp_path / "user_prints.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    load_network("user_prints:build", (1, 8, 8))
    told = capsys.readouterr()
    assert told.out == ""
    assert "building" in told.err
