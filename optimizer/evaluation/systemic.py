"""What all drugs of a schedule do, day by day."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from abscopt.models import chemotherapy, immune, lymphocytes, pharmacokinetics

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Infusion

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SystemicState:
    """Daily effect of the drugs; arrays of shape (days,)."""

    occupancy: FloatArray
    mobilization: FloatArray
    priming_factor: FloatArray
    sensitizer: FloatArray
    effect_weights: FloatArray
    chemotherapy_log_loss: float


def systemic_state(instance: Instance, infusions: tuple[Infusion, ...]) -> SystemicState:
    """Occupancy, mobilization, priming, sensitization and lymphocyte weights of all drugs.

    Several PD-(L)1 inhibitors leave unblocked the product of what each leaves unblocked;
    concentrations of several CTLA-4 inhibitors add in units of their EC50; sensitizer
    enhancement ratios multiply on shared days.
    """
    doses: defaultdict[str, list[tuple[int, float]]] = defaultdict(list)
    for infusion in infusions:
        doses[infusion.drug].append((infusion.day, infusion.dose_mg))
    unblocked = np.ones(instance.days)
    ctla4_ratio = np.zeros(instance.days)
    sensitizer = np.ones(instance.days)
    log_loss = 0.0
    for name in sorted(doses):
        drug = instance.drugs[name]
        days = [day for day, _ in doses[name]]
        if drug.kind == "chemotherapy":
            log_loss += drug.lymphocyte_log_loss_per_dose * len(days)
            sensitizer = sensitizer * chemotherapy.sensitizer_enhancement(
                instance.days, days, drug.sensitizer_enhancement_ratio, drug.sensitizing_days
            )
            continue
        assert drug.clearance_l_per_day and drug.central_volume_l and drug.ec50_mg_per_l
        assert drug.intercompartmental_clearance_l_per_day and drug.peripheral_volume_l
        concentration = pharmacokinetics.concentrations(
            instance.days,
            days,
            [milligrams for _, milligrams in doses[name]],
            clearance_l_per_day=drug.clearance_l_per_day,
            central_volume_l=drug.central_volume_l,
            intercompartmental_l_per_day=drug.intercompartmental_clearance_l_per_day,
            peripheral_volume_l=drug.peripheral_volume_l,
            clearance_emax=drug.clearance_emax,
            clearance_t50_days=drug.clearance_t50_days,
            clearance_hill=drug.clearance_hill,
        )
        if drug.target == "CTLA-4":
            ctla4_ratio = ctla4_ratio + concentration / drug.ec50_mg_per_l
        else:
            bound = pharmacokinetics.occupancy(
                concentration, drug.ec50_mg_per_l, drug.occupancy_hill
            )
            unblocked = unblocked * (1.0 - bound)
    constants = instance.immune
    occupancy = 1.0 - unblocked
    mobilization = immune.mobilization(
        occupancy, constants.mobilization_per_day, constants.blockade_mobilization_per_day
    )
    return SystemicState(
        occupancy=occupancy,
        mobilization=mobilization,
        priming_factor=immune.ctla4_factor(ctla4_ratio, constants.ctla4_threshold),
        sensitizer=sensitizer,
        effect_weights=lymphocytes.effect_weights(
            mobilization, instance.lymphocytes.recovery_half_time_days
        ),
        chemotherapy_log_loss=log_loss,
    )
