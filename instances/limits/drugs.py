"""Limits on drugs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field

from abscopt.instances.limits.limit import Limit, Problem
from abscopt.instances.reading.problems import listing
from abscopt.instances.tables.fields import Name, Positive, consistent

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance


class DrugLimit(Limit):
    """Cumulative dose, dose per body surface or number of doses of one drug, or irAE risk.

    `irae_risk` is `1 - prod(1 - p)` over the infusions of the drug, or of all drugs.
    """

    kind: Literal["drug"] = Field(description="kind of limit")
    drug: Name | None = Field(default=None, description="counted; all drugs if absent")
    quantity: Literal["dose_mg", "dose_mg_per_m2", "doses", "irae_risk"] = Field(
        description="what is counted"
    )
    cap: Positive = Field(description="greatest amount, in the unit of the quantity")

    @consistent
    def _sides(self) -> Self:
        if self.drug is None and self.quantity != "irae_risk":
            raise ValueError("drug is missing (only 'irae_risk' may count all drugs)")
        if self.quantity == "irae_risk" and self.cap >= 1:
            raise ValueError("the cap of 'irae_risk' is a probability below 1")
        return self

    @property
    def words(self) -> str:
        """`cisplatin dose_mg_per_m2 <= 300`."""
        return f"{self.drug or 'all drugs'} {self.quantity} <= {self.cap:g}"

    def problems(self, place: str, instance: Instance) -> Iterator[Problem]:
        """A drug that the case does not know."""
        if self.drug is not None and self.drug not in instance.drugs:
            yield f"{place}.drug", self.drug, f"unknown drug; known {listing(instance.drugs)}"


AnyDrugLimit = DrugLimit
