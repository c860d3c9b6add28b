"""The iOS demo without a Mac: each fault, put back on purpose, fails a test or the type-check of Apple's parts.

Faults that only a text shows are planted in tests/unit/test_phone_faults.py.
"""

import re
import shutil
from pathlib import Path

import pytest
from ios_tools import IOS, ROOT, run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
STUBS = ROOT / "build" / "ios-check"


@pytest.mark.parametrize(
    ("file", "right", "wrong", "named"),
    [
        # a value of another type, in a screen
        ("App/SplitDemo/Parity/ParityView.swift", "withTail: withTail", "withTail: rows", ""),
        # a method that Core ML does not have
        (
            "SplitKit/Sources/SplitKitCoreML/CoreMLHead.swift",
            "model.prediction(from: inputs)",
            "model.predict(inputs)",
            "",
        ),
        # an argument's name that Core AI does not have
        ("SplitKit/Sources/SplitKitCoreAI/CoreAIHead.swift", "loadFunction(named:", "loadFunction(called:", ""),
        # not Swift at all
        ("SplitKit/Sources/SplitKitExecuTorch/ExecuTorchHead.swift", "final class Exec", "final klass Exec", ""),
        # the load mode that the loader had before it had one
        ("SplitKit/Sources/SplitKitExecuTorch/ExecuTorchHead.swift", ", loadMode: .mmap", "", ""),
        # a public name that is another
        (
            "SplitKit/Sources/SplitKit/Bench/Benchmark.swift",
            "public var turn",
            "var turn",
            "SplitKit.api: - Benchmark.turn",
        ),
        # a link of the documentation that leads nowhere
        ("SplitKit/Sources/SplitKit/SplitKit.docc/SplitKit.md", "- ``Segments``", "- ``Segment``", ""),
    ],
)
def test_a_planted_fault_is_found(tmp_path: Path, file: str, right: str, wrong: str, named: str) -> None:
    copy = tmp_path / "ios_demo"
    shutil.copytree(IOS, copy, ignore=shutil.ignore_patterns(".build", "Resources"))
    shutil.copyfile(ROOT / "Package.swift", tmp_path / "Package.swift")
    text = (copy / file).read_text()
    assert right in text
    (copy / file).write_text(text.replace(right, wrong, 1))
    done = run(copy / "check.sh", STUBS)
    assert done.returncode != 0
    assert (named or f"{Path(file).name}:") in done.stderr + done.stdout, done.stderr[-2000:]


#: faults in what runs: the file of SplitKit, the right words, the faulty ones, and the test that must fail
SOURCES = "ios_demo/SplitKit/Sources/SplitKit"
RUNNING: dict[str, tuple[str, str, str, str]] = {
    "6 features readable on the way to any numeric address": (
        "TailClient/TailAddress.swift",
        "!(cleartextHosts.contains { bare($0) == name } && isPrivate(name))",
        "numbers(name) == nil",
        "PhotoTests.testFeaturesGoInTheClearToThisDeviceAndToListedPrivateHostsOnly",
    ),
    "6 an authority that nobody asks": (
        "TailClient/HTTPTransport.swift",
        "if authority != nil {",
        "if authority != nil, CommandLine.argc < 0 {",
        "ClientTests.testAnAuthorityIsReadFromItsFile",
    ),
    "7 the picker moves while a head is being opened": (
        "Client/Keyed.swift",
        "        (key, task) = (wanted, making)\n        do {\n            return try await making.value",
        "        do {\n            let made = try await making.value\n"
        "            (key, task) = (wanted, making)\n            return made",
        "ClientTests.testAChoiceThatChangesDuringAnAwaitKeepsTheNewOnesValue",
    ),
    "8 hashing and compiling within a load's time": (
        "Client/SplitClient.swift",
        "        let file = try await runtime.prepare(head, bundle)\n"
        "        let start = DispatchTime.now().uptimeNanoseconds",
        "        let start = DispatchTime.now().uptimeNanoseconds\n"
        "        let file = try await runtime.prepare(head, bundle)",
        "ClientTests.testPreparingAFileIsNotItsLoad",
    ),
    "8 samples sorted between two timed runs": (
        "Bench/Benchmark.swift",
        "runs * subjects.count) { samples.map(describe) }",
        "runs * subjects.count, { [all = samples.map(describe)] in all })",
        "ClientTests.testNothingIsSortedBetweenTwoRunsUnlessSomebodyLooks",
    ),
    "8 a connection for each photo": (
        "TailClient/TailClient.swift",
        "request, over: session,",
        "request, over: transport.makeSession(),",
        "TailClientTests.testOneConnectionServesManyPhotos",
    ),
    "11 noise left in its buffer": (
        "Head/HeadRunner.swift",
        "        defer { for index in eps.indices { eps[index] = 0 } }\n",
        "",
        "HeadTests.testUsedNoiseIsWiped",
    ),
    "11 keystream left in its buffer": (
        "Noise/NoiseSource.swift",
        "        defer { keystream.update(repeating: 0, count: Keystream.words) }\n",
        "",
        "HeadTests.testAUsedKeystreamIsWiped",
    ),
    "12 a photo that was stored transposed": (
        "Photo/Photo.swift",
        "[.flipped, .rotated180, .transversed, .rotated270].contains(self)",
        "[.flipped, .rotated180, .transposed, .rotated270].contains(self)",
        "PhotoTests.testEveryOrientationOfACameraIsTurnedUprightAsPillowDoes",
    ),
    "12 a model compiled at each start": (
        "Client/CompiledModels.swift",
        "        if files.fileExists(atPath: kept.path) { return kept }\n",
        "",
        "ClientTests.testAModelIsCompiledOnceForASystem",
    ),
    "a waist's message of the cut's shape": (
        "Bundle/Manifest.swift",
        "if let waist = protection?.waist {",
        "if let waist = protection?.waist, waist.shape.isEmpty {",
        "CodedTests.testCodedMessagesUnderMemoisedNoiseGetTheGoldenAnswers",
    ),
}


def test_each_fault_in_what_runs_fails_the_test_that_is_named(tmp_path: Path) -> None:
    """All are planted in one copy, which is built once; each lies where only the test named beside it looks."""
    shutil.copytree(IOS, tmp_path / "ios_demo", ignore=shutil.ignore_patterns(".build", "Resources"))
    shutil.copyfile(ROOT / "Package.swift", tmp_path / "Package.swift")
    (tmp_path / "tests").symlink_to(ROOT / "tests")
    for file, right, wrong, _ in RUNNING.values():
        path = tmp_path / SOURCES / file
        text = path.read_text()
        assert right in text, f"{file}: the fault's place is gone; find it where it is now"
        path.write_text(text.replace(right, wrong, 1))
    named = {test for *_, test in RUNNING.values()}
    done = run("swift", "test", "--package-path", tmp_path, "--filter", "|".join(sorted(named)), timeout=850)
    said = done.stdout + done.stderr
    failed = set(re.findall(r"Test Case '([\w.]+)' failed", said))
    assert failed == named, said[-4000:]
    # and without the faults every one of them passes: test_ios_check runs them all
