"""What `pripro lint` prints: what each backend would make of each head, known before any phone runs it."""

from __future__ import annotations

from typing import Literal

from .bundle import Record, Report, Sha256

Consequence = Literal["fallback", "known-wrong", "slow"]


class LintFinding(Record):
    """One rule that holds for some of a head's operators."""

    #: name in the backend's rule file; "not-taken" for what the backend's checker, partitioner or list leaves out
    rule: str
    consequence: Consequence
    operator: str
    #: how many operators of the head
    count: int
    #: where in the file the first of them are
    places: list[str]
    #: types and shapes of the first one's inputs
    shapes: str
    sentence: str
    #: documentation page or issue that says so
    source: str


class LintRow(Record):
    """One head on one backend.

    `how` says what decided which operators are taken: the converted "file" itself, the backend's "partitioner" run
    anew, the vendor's "checker", or this project's "rules"; "not run" where nothing here can tell.
    """

    target: str
    precision: str
    #: what the head was converted for
    head_backend: str
    backend: str
    title: str
    #: distribution and version that the rules were chosen for, "" where none is known
    runtime: str
    how: Literal["file", "partitioner", "checker", "rules", "not run"]
    #: operators of the file; null where nothing was read
    ops_total: int | None
    ops_taken: int | None
    #: parts of the head that the backend runs; more than one means that features are copied back and forth in between
    partitions: int | None
    findings: list[LintFinding]
    note: str = ""


class LintReport(Report):
    """What `pripro lint --json` prints."""

    kind: Literal["lint"] = "lint"
    bundle_id: Sha256
    tools: dict[str, str]
    rows: list[LintRow]
    #: what was asked to be refused, and one sentence per row that was
    fail_on: list[str]
    refused: list[str]
