"""The walk through the toolkit: no import circle between modules or packages, few names at the root, verbs in order."""

from pathlib import Path

import pytest
from rooms import PAGE, ROOT, STAGES, TAKES, TWICE, circle, graph, in_circles, packages, page, walk

import cloud_tail
import converters
import toolkit

#: where people add files of their own
EXTENSIONS = {"protections", "attacks", "families", "tasks", "datasets"}
MOST_NAMES = 18


@pytest.mark.parametrize("package", [toolkit, converters, cloud_tail], ids=lambda package: package.__name__)
def test_no_module_imports_itself_through_others(package):
    assert circle(graph(Path(package.__file__).parent)) == []


def test_no_package_imports_itself_through_others():
    assert circle(packages(graph())) == []


def test_a_circle_is_found():
    found = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}
    assert circle(found) == ["a", "b", "c", "a"]
    assert in_circles(found) == 3


def test_the_root_has_few_names():
    names = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert len(names - EXTENSIONS - {"__init__", "__main__"}) <= MOST_NAMES, sorted(names)


def test_the_flow_enters_each_stage_once_and_in_order_but_for_those_that_say_why():
    entered = walk()
    assert {stage for stage in STAGES if entered.count(stage) != 1} == set(TWICE)
    assert all(entered.count(stage) == 2 for stage in TWICE)
    last = [stage for place, stage in enumerate(entered) if stage not in entered[place + 1 :]]
    assert last == STAGES


def test_a_flow_that_goes_back_is_seen(tmp_path):
    flow = tmp_path / "build.py"
    flow.write_text(
        "from ..partition.start import start\nfrom ..protect.fuse import protect\n"
        "def run(c):\n    a = build(c)\n    start(c)\n"
        "def build(c):\n    start(c)\n    start(c)\n    protect(c)\n"
    )
    assert walk(flow) == ["partition", "protect", "partition"]


def test_a_stage_enters_earlier_ones_only_and_says_why():
    taken = {
        (stage, other) for stage, used in packages(graph()).items() for other in used if {stage, other} <= set(STAGES)
    }
    assert taken == set(TAKES)
    assert all(STAGES.index(later) > STAGES.index(earlier) for later, earlier in TAKES)


def test_the_page_of_packages_says_what_the_sources_say():
    text = PAGE.read_text()
    assert page(text) == text, "docs/packages.md is out of date; write it with: python tests/rooms.py"
