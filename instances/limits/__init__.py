"""Toxicity and logistics limits as a case states them: one class per kind.

Enter: fields of a table, functions of `models`. A class knows its own keys and what follows from
them alone; which schedules keep it is the judge's to say (`optimizer/evaluation`), and how a search
counts it is that of `optimizer/candidates/limits`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from abscopt.instances.limits.blood import AlcLimit, AnyBloodLimit, EdricLimit
from abscopt.instances.limits.complications import Exposure, NtcpLimit
from abscopt.instances.limits.drugs import AnyDrugLimit, DrugLimit
from abscopt.instances.limits.limit import Limit, OrganLimit
from abscopt.instances.limits.logistics import AnyLogisticsLimit, LogisticsLimit, NewSitesLimit
from abscopt.instances.limits.organs import (
    AnyOrganLimit,
    BedLimit,
    DoseByFractionsLimit,
    DoseVolumeLimit,
    MeanEqd2Limit,
    MeanLimit,
)
from abscopt.instances.limits.plans import OnePlanLimit

__all__ = [
    "AlcLimit",
    "AnyLimit",
    "AnyOrganLimit",
    "BedLimit",
    "DoseByFractionsLimit",
    "DoseVolumeLimit",
    "DrugLimit",
    "EdricLimit",
    "Exposure",
    "Limit",
    "LogisticsLimit",
    "MeanEqd2Limit",
    "MeanLimit",
    "NewSitesLimit",
    "NtcpLimit",
    "OnePlanLimit",
    "OrganLimit",
]

AnyLimit = Annotated[
    AnyOrganLimit | AnyBloodLimit | AnyDrugLimit | AnyLogisticsLimit | OnePlanLimit,
    Field(discriminator="kind"),
]
