"""Manifests and reports that every reader refuses, each by one change of a good one."""

from collections.abc import Callable
from typing import Any

from made_bundles import digest

Edit = Callable[[dict[str, Any]], None]


def put(path: str, value: object) -> Edit:
    """Return an edit that sets one nested value, "a.0.b" style."""
    *way, last = path.split(".")

    def edit(raw: dict[str, Any]) -> None:
        target: Any = raw
        for step in way:
            target = target[int(step)] if isinstance(target, list) else target[step]
        target[last] = value

    return edit


def drop(key: str) -> Edit:
    return lambda raw: raw.pop(key)


#: name -> (edit of full.json, words that the refusal mentions, why)
BROKEN: dict[str, tuple[Edit, list[str], str]] = {
    "unknown-key": (put("surprise", 1), ["surprise"], "an unknown key at the top"),
    "unknown-nested-key": (put("heads.0.surprise", 1), ["surprise"], "an unknown key inside a head"),
    "missing-key": (drop("split"), ["split"], "a required part is absent"),
    "missing-nullable-key": (
        lambda raw: raw["model"].pop("weights_sha256"),
        ["weights_sha256"],
        "null must be said, not left out",
    ),
    "schema-version-1": (put("schema_version", 1), ["schema_version"], "made by an earlier tool"),
    "schema-version-3": (put("schema_version", 3), ["schema_version"], "made by a later tool"),
    "schema-version-missing": (drop("schema_version"), ["schema_version"], "no version at all"),
    "schema-version-3-and-unknown-key": (
        lambda raw: raw.update(schema_version=3, surprise=1),
        ["schema_version"],
        "the version's message wins: a later schema has other keys",
    ),
    "edited-bundle-id": (put("bundle_id", digest("another")), ["bundle_id"], "an id of another bundle"),
    "edited-labels": (
        put("labels", ["dog", "cat", "a", "b", "c"]),
        ["bundle_id"],
        "labels swapped after the bundle was made",
    ),
    "edited-wire-scale": (
        put("protection.wire_uint8.0.scale", [0.00001, 0.2]),
        ["bundle_id"],
        "a wire code changed afterwards",
    ),
    "edited-table": (
        put("protection.waist.coding.tables", [[2, 12, 2], [4, 4, 4, 4]]),
        ["bundle_id"],
        "a frequency changed afterwards: the bytes would be decoded to other codes",
    ),
    "edited-noise": (put("protection.noise", "memoised"), ["bundle_id"], "another noise than the bundle's"),
    "nothing-crosses": (put("split.crossing", []), ["crossing"], "a cut that nothing crosses"),
    "five-cross": (
        lambda raw: raw["split"].update(crossing=raw["split"]["crossing"] * 5),
        ["crossing"],
        "more than four cross",
    ),
    "version-1-eps": (
        lambda raw: raw["protection"].update(eps=raw["protection"]["eps"][0]),
        ["eps"],
        "one tensor where a list must be",
    ),
    "frequency-zero": (
        put("protection.waist.coding.tables", [[0, 14, 2], [4, 4, 4, 4]]),
        ["tables"],
        "a code that cannot be said",
    ),
    "one-level": (put("protection.waist.coding.levels", [1, 4]), ["levels"], "a channel that says nothing"),
    "unknown-coder": (put("protection.waist.coding.coder", "zip"), ["coder"], "a byte format nobody has written down"),
    "table-id": (put("tail.coding.table_id", "0123"), ["table_id"], "not 8 bytes in lower-case hex"),
    "secret": (put("golden.secret_hex", "00"), ["secret_hex"], "not 32 bytes in lower-case hex"),
    "unknown-train": (put("protection.train", "tail"), ["train"], "a setting that does not exist"),
    "unknown-noise": (put("protection.noise", "none"), ["noise"], "a setting that does not exist"),
    "unknown-wire-version": (put("tail.wire_version", 3), ["wire_version"], "a wire that does not exist"),
    "value-range": (put("preprocess.value_range", 2), ["value_range"], "pixels count to 1 or to 255"),
    "no-photos": (put("protection.data.photos", 0), ["photos"], "data without a photo"),
    "grid-of-three": (put("split.crossing.0.grid", [2, 2, 2]), ["grid"], "a grid has a height and a width"),
    "path-dotdot": (put("heads.0.entry", "head/../../secrets"), ["entry"], "a path that leaves the bundle"),
    "path-absolute": (put("golden.inputs.path", "/etc/passwd"), ["path"], "a path that leaves the bundle"),
    "path-backslash": (put("golden.inputs.path", "golden\\inputs"), ["path"], "one separator only"),
    "path-empty-part": (put("golden.inputs.path", "golden//inputs"), ["path"], "two spellings of one path"),
    "bad-sha256": (put("model.program.sha256", "ABC"), ["sha256"], "not a SHA-256 in lower-case hex"),
    "negative-bytes": (put("tail.archive.bytes", -1), ["bytes"], "no file has fewer than 0 bytes"),
    "unknown-dtype": (put("split.crossing.0.dtype", "float64"), ["dtype"], "a type that the wire does not know"),
    "unknown-layout": (put("split.crossing.0.layout", "CHWN"), ["layout"], "a layout that the schema does not know"),
    "null-where-number": (put("preprocess.height", None), ["height"], "null where a number must be"),
    "two-channels": (put("preprocess.channels", 2), ["channels"], "photos are grey or RGB"),
    "list-where-object": (put("preprocess", []), ["preprocess"], "a list where an object must be"),
    "object-where-list": (put("heads", {}), ["heads"], "an object where a list must be"),
    "fraction-where-integer": (put("split.image.shape", [1, 3, 4.5, 4]), ["shape"], "a shape has whole numbers"),
    "tail-name": (put("tail.name", "../tail"), ["name"], "the name becomes part of an URL"),
}


def refused_reports(report: dict[str, Any]) -> dict[str, tuple[Edit, list[str], str]]:
    return {
        "unknown-key": (put("surprise", 1), ["surprise"], "an unknown key"),
        "wrong-kind": (put("kind", "privacy"), ["kind"], "a report of another kind"),
        "no-runs": (put("rows.0.n", 0), ["n"], "a row without a run"),
        "bad-part": (put("rows.0.part", "everything"), ["part"], "a part that the schema does not know"),
    }
