"""The canonical JSON that every part of the project writes reports in; README.md beside this file has the rules."""

import json
import math

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def number(value: float) -> str:
    """Write a number with at most six decimals, no exponent, no trailing zero, never "-0"."""
    if not math.isfinite(value):
        raise ValueError(
            f"{value} is no number that JSON can carry; expected a finite one, or null where it is unknown."
        )
    if isinstance(value, int):
        return str(value)
    text = f"{value:.6f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def dumps(value: Json) -> str:
    """Write a value on one line: keys in the order given, no blanks, non-ASCII characters as they are."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{dumps(str(key))}:{dumps(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(dumps(item) for item in value) + "]"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return number(value)
    return json.dumps(value, ensure_ascii=False)
