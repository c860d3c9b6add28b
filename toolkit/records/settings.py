"""What a user chooses: one settings class per verb serves deploy.toml, the command line and the library."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ..errors import InputError

T = TypeVar("T", bound=BaseModel)


class Settings(BaseModel):
    """Base of every settings class: immutable, and an unknown name is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def read_share(value: Any) -> float:  # noqa: ANN401 (whatever a user typed)
    """Read "1%", "0.01" or 0.01 as 0.01.

    Raises:
        ValueError: not a share between 0 and 1.
    """
    text = str(value)
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError(f"{text!r} is not a share; give a percentage such as 1%, or a number from 0 to 1.")
    return share


#: what torch's and numpy's generators both take
MOST_SEED = 2**63 - 1
Seed = Annotated[int, Field(ge=0, le=MOST_SEED)]

#: a number from 0 to 1, also written as a percentage
Share = Annotated[float, BeforeValidator(read_share)]


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
