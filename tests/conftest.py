"""Fixtures that several suites share, and how a run is divided between its workers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from once import BUILD, once
from require import require_package

ROOT = Path(__file__).parents[1]
os.environ.setdefault("PRIPRO_PHOTO_CACHE", "")  # tests leave nothing in the user's cache; test_data names a folder
#: they judge by the clock: one worker takes them, one after the other
TIMED = ("test_latency_measure.py", "test_tail_robustness.py", "test_tail_server.py", "test_android_tail.py",
         "test_ios_tail.py", "test_tail_http.py")  # fmt: skip

#: write to one build folder: one worker takes both files
TOGETHER = {"test_ios_faults.py": "test_ios_check.py"}

#: taken last: they want what another file makes first, and would keep a worker waiting for it
LAST = ("test_android_tail.py", "test_ios_tail.py")

#: run by `make test-all` and CI only, with what each still has in `make test`
THOROUGH = {
    "test_android_faults.py": "faults planted in the Android modules; test_android_check compiles and runs them",
    "test_android_tail.py": "the Kotlin client against the real tail; test_android_check has its JVM tests",
    "test_arm64.py": "heads on emulated aarch64 kernels",
    "test_attacks.py::test_a_linker_finds_more_than_a_decoder_where_noise_hides_much": "the other linker test stays",
    "test_bad_input.py::test_a_plan_on_a_read_only_bundle_is_shown": "the other verbs' reports there stay",
    "test_cli_fuzz.py": "random commands on bundles in ten states; test_bad_input and test_existing_bundle stay",
    "test_converters_coreai.py": "Apple's runtime, not in `make setup`; test_converters has the target",
    "test_coreai_heads.py": "large heads in Apple's runtime; test_converters has the target",
    "test_converters_fifth.py": "a target of another distribution through every verb; test_targets stays",
    "test_converters_own.py": "what one target alone promises; test_converters and test_converters_wire have each",
    "conformance/test_coreml_reference.py": "whole networks; test_coreml_reference_ops and the unit tests stay",
    "test_demo_waist.py": "the whole of `make demo`; test_waist has its parts",
    "test_ios_check.py::test_executorch_is_one_word_away": "the package with its other product; the build itself stays",
    "test_ios_check.py::test_swiftpm_takes_the_package_by_the_repositorys_address": "its build stays",
    "test_ios_check.py::test_what_only_apple_builds_type_checks": "against stubs; the build and the Linux tests stay",
    "test_ios_faults.py": "faults planted in the iOS sources; test_ios_check builds and runs them",
    "test_kill.py::test_a_whole_run_killed_anywhere": "each of its stages is killed in the file's other tests",
    "test_latency_measure.py::test_a_hog_is_reported_and_profiles_name_real_kernels": "test_latency_statistics stays",
    "test_latency_measure.py::test_a_plan_measures_few_cuts_and_prices_all": "the unit tests of test_plan stay",
    "test_lint_partitions.py": "delegates counted by lowering; test_lint_rules and test_lint stay",
    "test_network_files.py": "28 kinds of network files; test_weights and test_partition_networks stay",
    "test_no_telemetry.py": "what libraries leave in a home folder",
    "test_privacy_sweep.py::test_processes_of_torchrun_share_the_cells_and_the_first_shows_them_all": "Ray's stays",
    "test_preprocess_on_phones.py": "real photos in Kotlin and Swift; the contract's modes and test_preprocess stay",
    "test_parity_bad_head.py": "files that no runtime opens or runs, one beside a good one; test_parity_clean stays",
    "test_parity_commands.py::test_heads_on_the_phones_instruction_set": "emulated aarch64 kernels, as test_arm64",
    "test_parity_faults.py": "faults planted in files; test_parity_clean and test_parity_commands stay",
    "test_partition_families.py": "every cut of large networks; test_cuts and test_partition_networks stay",
    "test_photos_once.py": "photos counted over all stages; test_data counts them over every opening of a data set",
    "test_planted_weaknesses.py": "protections with a known hole; test_attacks has every attack",
    "test_privacy_bench.py::test_a_foreign_method_is_entered_and_never_computed_again": "test_privacy_sweep stays",
    "test_privacy_evaluate.py::test_codes_on_the_wire_are_attacked_as_codes": "test_waist attacks coded messages",
    "test_privacy_evaluate.py::test_killed_and_started_again_it_loses_nothing": "test_privacy_cache has what is kept",
    "test_privacy_side_by_side.py": "evaluate in several processes; test_privacy_jobs has their order, no more",
    "test_privacy_sweep.py::test_ray_gives_the_same_figures": "a Ray cluster; the file's others stay",
    "test_processes.py": "trainings in several processes; test_devices and test_protections stay",
    "test_readme.py": "README's commands for one's own network, all four targets; the verbs' own tests stay",
    "test_processes.py::test_two_processes_train_a_waist_against_an_opponent_or_with_photos_as_one": "pripro's stays",
    "test_tail_clients.py": "tritonclient, HTTP and gRPC; test_tail_http and test_tail_server stay",
    "test_tail_only.py::test_serves_without_torch": "a venv of its own; test_imports has what it may import",
    "test_tail_openapi.py": "schemathesis over the API's description",
    "test_tail_ray.py": "Ray Serve and a killed replica",
    "test_tail_robustness.py": "counted robustness runs; test_tail_http has the single cases",
    "test_tail_torchserve.py": "TorchServe itself; the handler's own code is in test_tail_wire and test_tail_archive",
    "test_tasks_of_digits.py": "a training of each task; test_tasks has every task",
    "test_tflite_compat.py": "an old tflite-runtime in an environment of its own",
    "test_two_at_once.py": "pairs of commands at once and kills; test_bundle has the lock itself, test_kill stays",
    "test_wire_uint8.py": "heads that emit codes, through every verb; test_converters_wire and test_waist stay",
    "test_users_networks.py": "whole verbs on odd networks; test_partition_networks and test_partition_layouts stay",
}


@pytest.fixture(autouse=True)
def _a_target_that_is_not_installed(request: pytest.FixtureRequest) -> None:
    """Skip a conversion whose extra is missing, with its reason; in CI, which installs them all, fail."""
    case = getattr(getattr(request.node, "callspec", None), "params", {}).get("case")
    if hasattr(case, "converter"):  # a Case of converter_cases, whose import takes seconds
        target = case.converter()
        for package in target.packages:
            require_package(package, target.extra)


@pytest.fixture(scope="session")
def demo_bundle() -> Path:
    """The bundle that `make demo-injector` leaves in build/demo; made here if it is not there, which takes minutes."""

    def make() -> None:
        demo = [sys.executable, "-m", "toolkit.cli.demo"]
        done = subprocess.run(demo, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]

    once("demo", make)
    return BUILD / "demo"


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist's own, which reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a file's tests in one worker, since they share its fixtures, and the timed files in one."""
    items.sort(key=lambda item: item.path.name in LAST)
    for item in items:
        group = "timed" if item.path.name in TIMED else TOGETHER.get(item.path.name, item.path.name)
        item.add_marker(pytest.mark.xdist_group(group))
        name = item.path.name
        test = f"{name}::{getattr(item, 'originalname', item.name)}"
        if THOROUGH.keys() & {name, f"{item.path.parent.name}/{name}", test}:
            item.add_marker(pytest.mark.thorough)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Stop where groups are lost: files spread over workers make their fixtures twice and wait for each other."""
    grouped = hasattr(session.config, "workerinput") and session.config.getoption("loadgroup", default=False)
    if grouped and not all("@" in item.nodeid for item in session.items):
        raise pytest.UsageError(
            "pytest-xdist does not see the groups of conftest.py; pyproject.toml says which pytest it knows"
        )
