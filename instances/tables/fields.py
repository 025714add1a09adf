"""Field types shared by all tables of an instance: ranges, units and provenance."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

Status = Literal["verified", "verified-secondary", "calibrated", "derived", "recalled", "assumed"]

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+@-]*$", max_length=80)]


def _no_text(value: object) -> object:
    """Dates are days by now, where they are dates from day 0 on."""
    if isinstance(value, str):
        raise ValueError(
            "must be a day (whole number, counted from day 0), or a date from day 0 on such as "
            "2026-01-26"
        )
    return value


Day = Annotated[int, Field(ge=0, le=1500), BeforeValidator(_no_text)]
Weekdays = Annotated[
    tuple[Annotated[int, Field(ge=0, le=6)], ...], Field(min_length=1, max_length=7)
]
Count = Annotated[int, Field(ge=1, le=200)]
FractionDose = Annotated[float, Field(gt=0, le=100)]
CapGy = Annotated[float, Field(ge=1e-6, le=2000)]
AlphaBeta = Annotated[float, Field(gt=0, le=100)]
Positive = Annotated[float, Field(gt=0, le=1e6)]
NonNegative = Annotated[float, Field(ge=0, le=1e6)]
Share = Annotated[float, Field(ge=0, le=1)]


def _library_backed(schema: dict[str, Any]) -> None:
    """A table with `use` may leave any field to the library entry it names."""
    schema.pop("required", None)


class Table(BaseModel):
    """A frozen table: unknown keys, NaN and infinities are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    later: ClassVar[tuple[str, ...]] = ()
    """Keys that a later version added, which are not dumped where they are empty: a case that does
    not use them keeps its digest, and results of earlier versions belong to it still."""

    @model_serializer(mode="wrap")
    def _dumped(self, handler: SerializerFunctionWrapHandler) -> Any:
        dumped = handler(self)
        for name in self.later:
            if name in dumped and not dumped[name]:
                del dumped[name]
        return dumped

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy; one that is to differ is checked anew.

        Raises
        ------
        pydantic.ValidationError
            If the table must not have the values, or no such keys.
        """
        if not update:
            return super().model_copy(deep=deep)
        stated = {key: getattr(self, key) for key in self.model_fields_set}
        return type(self).model_validate(stated | dict(update))

    def unchecked(self, update: Mapping[str, Any]) -> Self:
        """A copy with other values that nobody checks.

        For what no file could state: a case without its limits, a horizon on every day.
        """
        changed = super().model_copy(update=update)
        if changed.__pydantic_private__:
            object.__setattr__(
                changed, "__pydantic_private__", dict.fromkeys(changed.__pydantic_private__)
            )
        return changed


class LibraryTable(Table):
    """A table whose fields may come from the library entry named in `use`."""

    model_config = ConfigDict(json_schema_extra=_library_backed)

    use: str | None = Field(default=None, description="library entry that supplies the rest")
    source: str = Field(description="where the values come from")
    doi: str | None = Field(default=None, description="of the source")
    status: Status = Field(description="how well the values are known")
    note: str | None = Field(
        default=None, description="what a reader should know beside the source"
    )


Checked = TypeVar("Checked", bound=Table)


def consistent(check: Callable[[Checked], Checked]) -> Any:
    """Check of a whole table after its values, as a decorator; ValueError says what contradicts.

    Where the problems of a wrong case are gathered, the contradiction is noted and the table goes
    on as it is, so that the rest of the case is checked in the same run.
    """

    def checked(self: Checked, info: ValidationInfo) -> Checked:
        try:
            return check(self)
        except ValueError as error:
            if info.context is None:
                raise
            info.context["contradictions"].append((self, str(error)))
            return self

    return model_validator(mode="after")(checked)


def tables_of(value: object, place: str = "") -> Iterator[tuple[str, Table]]:
    """(place, table) of a table and of every table within it, in the order of the schema."""
    if isinstance(value, Table):
        yield place, value
        for key, entry in value:
            yield from tables_of(entry, f"{place}.{key}" if place else key)
    elif isinstance(value, dict):
        for key, entry in value.items():
            yield from tables_of(entry, f"{place}.{key}")
    elif isinstance(value, tuple):
        for i, entry in enumerate(value):
            yield from tables_of(entry, f"{place}[{i}]")
