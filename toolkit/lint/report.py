"""What each backend would make of each head of a bundle; read this first.

Which operators a backend takes is asked where it can be: ExecuTorch's file or partitioner, LiteRT's own CPU
delegate, onnxruntime's usability checker. The rule files add what no checker knows: what is wrong or slow.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from converters.base import ConverterError

from ..convert.heads import converter, head_program
from ..errors import BundleError, UnknownNameError
from ..records.lint import LintFinding, LintReport, LintRow
from ..records.tools import tool_versions
from ..records.wire import emits_codes
from .matching import makers, matches, partitions
from .rules import Backend, load_backends
from .settings import LintSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from converters.base import HeadProgram, Operator

    from ..bundle import Bundle
    from ..records.bundle import Head
    from ..records.progress import Progress
    from ..records.wire import HeadWire

#: the rule's name for what a backend does not take
NOT_TAKEN = "not-taken"
#: what a finding names that holds for all operators of a head
EVERY = "every operator"
_PLACES = 5
_SHAPES = 3


def lint_bundle(
    bundle: Bundle, settings: LintSettings | None = None, *, lower: bool = True, progress: Progress | None = None
) -> LintReport:
    """Look at every head for every backend that runs its format.

    Args:
        bundle: with converted heads.
        settings: which backends, and what to refuse.
        lower: whether a backend that a head was not converted for may lower it anew, which takes seconds to minutes.
        progress: called with (done, total, what).

    Raises:
        BundleError: no head yet, or none for the backends that were named.
        UnknownNameError: a backend without a rule file, or a runtime that none of them has.
    """
    settings = settings or LintSettings()
    backends = load_backends(settings.backends)
    runtimes = {each.runtime for each in load_backends()}
    for name in settings.runtimes:
        if name not in runtimes:
            raise UnknownNameError("runtime", name, runtimes)
    wanted = [
        (head, backend)
        for head in bundle.manifest.heads
        for backend in backends
        if backend.target == head.target and (lower or not _lowers(head, backend))
    ]
    if not wanted:
        made = ", ".join(sorted({head.target for head in bundle.manifest.heads})) or "none"
        raise BundleError(
            f"{bundle.root} has no head for these backends (its heads: {made}); run pripro convert, or name others."
        )
    rows = []
    for place, (head, backend) in enumerate(wanted):
        if progress is not None:
            progress(place, len(wanted), f"{head.target} {head.precision} on {backend.title}")
        rows.append(
            lint_head(head, bundle.root / head.entry, backend, partial(_program, bundle, head), settings.runtimes)
        )
    return LintReport(
        bundle_id=bundle.manifest.bundle_id,
        created_utc=datetime.now(UTC).isoformat(timespec="seconds"),
        tools=tool_versions(*sorted({converter(head.target).runtime for head, _ in wanted})),
        rows=rows,
        fail_on=list(settings.fail_on),
        refused=refusals(rows, settings),
    )


def refusals(rows: Iterable[LintRow], settings: LintSettings) -> list[str]:
    """One sentence for each row with a finding that the settings refuse."""
    most = settings.most_partitions()
    found = []
    for row in rows:
        reasons = [
            f"{finding.count} x {finding.operator} {finding.consequence} ({finding.rule})"
            for finding in row.findings
            if finding.consequence in settings.fail_on
        ]
        if most is not None and row.partitions is not None and row.partitions > most:
            reasons.append(f"{row.partitions} partitions, at most {most} wanted")
        if reasons:
            found.append(f"{row.target} {row.precision} on {row.title}: {'; '.join(reasons)}")
    return found


def _lowers(head: Head, backend: Backend) -> bool:
    return backend.how == "partitioner" and head.backend != backend.accelerator


def lint_head(
    head: Head, entry: Path, backend: Backend, program: Callable[[], HeadProgram], runtimes: Mapping[str, str]
) -> LintRow:
    """Look at one converted head for one backend.

    Args:
        head: its record.
        entry: its file or .mlpackage folder.
        backend: the rule file of one that runs this format.
        program: makes what was converted; called only where the backend has to lower it anew.
        runtimes: distribution -> version on the phone, where it is not the one that the head was made with.

    Raises:
        BundleError: the file holds no operator.
        ConverterError: a damaged file.
    """
    made_by = converter(head.target)
    version = runtimes.get(backend.runtime, head.tools.get(backend.runtime, ""))
    if backend.how == "none":
        return _not_run(head, backend, backend.note)
    if _lowers(head, backend):
        try:
            operators = made_by.partitioned(program(), precision=head.precision, backend=backend.accelerator)
        except ConverterError as error:  # such as int8 codes made for another backend
            return _not_run(head, backend, str(error))
        how = "partitioner"
    else:
        try:
            operators = made_by.operators(entry)
        except ConverterError:
            if lacking := made_by.missing():
                return _not_run(
                    head, backend, f"{lacking} reads these files; to lint them, pip install {made_by.requirement()}"
                )
            raise
        how = "file" if backend.how == "partitioner" else backend.how
    if operators is None:
        return _not_run(head, backend, f"files of {head.target} hide their operators")
    if not operators:
        raise BundleError(f"{entry} holds no operator, so it is no head; run pripro convert again.")
    refused = None
    if how == "checker":
        refused = made_by.refused(entry, backend.accelerator)
        how = "rules" if refused is None else how
    return examine(operators, backend, head, version=version, how=how, refused=refused)


def _program(bundle: Bundle, head: Head) -> HeadProgram:
    wire: HeadWire = "uint8" if emits_codes(head) else "float32"
    return head_program(bundle, wire, photos=head.precision == "int8")


def examine(
    operators: Sequence[Operator],
    backend: Backend,
    head: Head,
    *,
    version: str,
    how: str,
    refused: Mapping[int, str] | None = None,
) -> LintRow:
    """Apply a backend's rules to one graph.

    Args:
        operators: of the file, or as the partitioner divided them.
        backend: its rule file.
        head: whose graph it is.
        version: of the backend's runtime, "" where unknown.
        how: what decides which operators are taken.
        refused: position -> why, from the vendor's checker.
    """
    made = makers(operators)
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    rules = {rule.name: rule for rule in backend.rule if rule.holds_for(version)}
    for place, operator in enumerate(operators):
        for name, rule in rules.items():
            if matches(rule, operator, operators, made):
                found[name, operator.kind].append(place)
    for name in sorted({name for name, _ in found}):  # one line instead of one for each kind
        kinds = [kind for rule, kind in found if rule == name]
        if len(kinds) > 1 and sum(len(found[name, kind]) for kind in kinds) == len(operators):
            found[name, EVERY] = sorted(place for kind in kinds for place in found.pop((name, kind)))
    outside = {
        place for (name, _), places in found.items() if rules[name].consequence == "fallback" for place in places
    }
    for place, operator in enumerate(operators):
        if place not in outside and not _is_taken(place, operator, backend, refused):
            found[NOT_TAKEN, operator.kind].append(place)
    outside |= {place for (name, _), places in found.items() if name == NOT_TAKEN for place in places}
    taken = set(range(len(operators))) - outside
    divided = {operator.partition for operator in operators} - {None}
    total, inside = len(operators), len(taken)
    if how == "file":  # what a delegate holds is its own secret; the manifest counted before
        total, inside = head.ops_total or total, head.ops_delegated or 0
    findings = [_finding(name, kind, places, operators, backend, refused) for (name, kind), places in found.items()]
    return LintRow(
        **_who(head, backend),
        runtime=f"{backend.runtime} {version}".strip() if version else "",
        how=how,  # type: ignore[arg-type]
        ops_total=total,
        ops_taken=inside,
        partitions=len(divided) if backend.how == "partitioner" else partitions(operators, taken),
        findings=findings,
        note=backend.note,
    )


def _is_taken(place: int, operator: Operator, backend: Backend, refused: Mapping[int, str] | None) -> bool:
    if backend.how == "partitioner":
        return operator.partition is not None
    if refused is not None:
        return place not in refused
    return backend.taken is None or operator.kind in backend.taken.operators


def _finding(
    name: str,
    kind: str,
    places: list[int],
    operators: Sequence[Operator],
    backend: Backend,
    refused: Mapping[int, str] | None,
) -> LintFinding:
    first = operators[places[0]]
    rule = next((rule for rule in backend.rule if rule.name == name), None)
    if rule is not None:
        consequence, sentence, source = rule.consequence, rule.sentence, rule.source
    else:
        why = (refused or {}).get(places[0], f"{backend.title} does not take it")
        consequence, sentence = "fallback", f"{why}; plain CPU kernels run it instead."
        source = backend.source if backend.taken is None else backend.taken.source
    return LintFinding(
        rule=name,
        consequence=consequence,
        operator=kind,
        count=len(places),
        places=[operators[place].name for place in places[:_PLACES]],
        shapes=", ".join(
            f"{value.dtype or '?'}{'?' if value.shape is None else list(value.shape)}"
            for value in first.inputs[:_SHAPES]
        ),
        sentence=sentence,
        source=source,
    )


def _who(head: Head, backend: Backend) -> dict[str, str]:
    return {
        "target": head.target,
        "precision": head.precision,
        "head_backend": head.backend,
        "backend": backend.name,
        "title": backend.title,
    }


def _not_run(head: Head, backend: Backend, why: str) -> LintRow:
    return LintRow(
        **_who(head, backend), runtime="", how="not run", ops_total=None, ops_taken=None, partitions=None,
        findings=[], note=why,
    )  # fmt: skip
