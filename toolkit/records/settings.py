"""What a user chooses: one settings class per verb serves deploy.toml, the command line and the library."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..errors import InputError

T = TypeVar("T", bound=BaseModel)


class Settings(BaseModel):
    """Base of every settings class: immutable, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _read_number(text: str) -> float:
    """Read "1%" or "0.01" as 0.01; what is no number as -1."""
    try:
        return float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        return -1.0


def read_share(value: Any) -> float:  # noqa: ANN401 (whatever a user typed)
    """Read "1%", "0.01" or 0.01 as 0.01.

    Raises:
        ValueError: not a share between 0 and 1.
    """
    share = _read_number(str(value))
    if not 0 <= share <= 1:
        raise ValueError(f"{str(value)!r} is not a share; give a percentage such as 1%, or a number from 0 to 1.")
    return share


def read_ratio(value: Any) -> float:  # noqa: ANN401 (whatever a user typed)
    """Read "150%", "1.5" or 1.5 as 1.5.

    Raises:
        ValueError: not above 0, or more than anybody means.
    """
    ratio = _read_number(str(value))
    if not 0 < ratio <= MOST_RATIO:
        raise ValueError(
            f"{str(value)!r} is not a ratio; give a percentage such as 50%, or a number above 0, {MOST_RATIO} at most."
        )
    return ratio


#: what torch's and numpy's generators both take
MOST_SEED = 2**63 - 1
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]

#: a number from 0 to 1, also written as a percentage
Share = Annotated[float, BeforeValidator(read_share)]
#: how many times as large one thing may be as another
MOST_RATIO = 100
#: a number above 0, also written as a percentage
Ratio = Annotated[float, BeforeValidator(read_ratio)]


def complaints(error: ValidationError) -> str:
    """Say everything that is wrong with the values, one after the other."""
    parts = []
    for each in error.errors():
        place, message = ".".join(map(str, each["loc"])), each["msg"].removeprefix("Value error, ")
        parts.append(f"{place}: {message}" if place else message)
    return "; ".join(part.removesuffix(".") for part in parts)


def chosen(kind: type[T], **values: Any) -> T:  # noqa: ANN401 (whatever a user typed)
    """Build a settings object from values that a user typed.

    Raises:
        InputError: values that do not fit, all in one sentence.
    """
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise InputError(f"{complaints(error)}.") from None
