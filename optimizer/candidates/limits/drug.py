"""Cumulative dose, number of doses, or risk of immune-related events of drugs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abscopt.instances.limits import DrugLimit
from abscopt.models.organs import risk
from abscopt.optimizer.candidates.limits.protocol import PlanLoad

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.systemic.plans import Doses


class DrugAmount(PlanLoad[DrugLimit]):
    """Adds over infusions; a risk as `-ln(1 - p)`."""

    measure = "drug"

    def use_of_doses(self, instance: Instance, doses: Doses) -> float:
        """Sum over the drug's infusions, or all, over the cap."""
        limit = self.limit
        counted = [(name, mg) for name, _, mg in doses if limit.drug in (None, name)]
        if limit.quantity == "irae_risk":
            of_dose = {
                name: risk.risk_budget(instance.drugs[name].irae_risk_per_dose)
                for name in dict.fromkeys(name for name, _ in counted)
            }
            spent = sum(of_dose[name] for name, _ in counted)
            return float(spent / risk.risk_budget(limit.cap))
        if limit.quantity == "doses":
            return len(counted) / limit.cap
        area = instance.patient.bsa_m2 if limit.quantity == "dose_mg_per_m2" else 1.0
        return sum(milligrams for _, milligrams in counted) / area / limit.cap
