"""One mouse tumor per lesion, each on its own: Kosinsky 2018, Gonzalez-Crespo 2021, Rauf 2025."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from abscopt.models.arrays import FloatArray
from abscopt.models.simulators import gonzalez_crespo, icd, kosinsky
from abscopt.models.simulators.kosinsky_animals import individual_priming_half
from abscopt.optimizer.simulation.by_lesion import (
    distinct_rows,
    in_part,
    lesion_weights,
    one_inhibitor,
    over_lesions,
)
from abscopt.optimizer.simulation.inputs import PD1_TARGETS, daily_inputs, drugs_of
from abscopt.optimizer.simulation.model import (
    LOG_CELL_CM3,
    Model,
    Simulated,
    at_horizons,
    at_most,
    log_burden,
    logarithm,
    none,
    visible,
)

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.schedule import Schedule

ANTIBODY_DA = 146_000.0
"""Molar mass behind EC50 = 30 nM = 4.4 mg/L of the drug library. Status: derived."""

INDIVIDUALS = 9
"""Animals of Kosinsky's distribution, at equally spaced quantiles. Status: assumed."""

CELLS = 5e5
"""Inoculated cells of the Gonzalez-Crespo model, as in its third-party code."""

BATCH = 400
"""Animals that Kosinsky's equations integrate together, about: a fraction, an infusion or an
extinction of one is a restart of all, so larger batches cost more than they share. Measured."""

LEAD_DAYS = 7
"""Days of untreated growth before day 0, from the inoculated volume: Dovedi 2014, to whose mice
Kosinsky was fitted, began radiation on day 7. Status: verified there, assumed for the others."""

RELEASED = 0.5
"""Share of the pool that the reference fraction activates or drains, see `gains`."""


def simulate_kosinsky(
    instance: Instance,
    schedules: Sequence[Schedule],
    individuals: int = INDIVIDUALS,
    tolerance: float = 1e-6,
) -> Simulated:
    """Simulate each lesion as tumors of several animals under the case's PD-(L)1 inhibitor.

    Parameters
    ----------
    instance, schedules
        The case and its schedules.
    individuals
        Number of animals, at the quantiles ``(i + ½)/individuals`` of ``S_L``.
    tolerance
        Of the integration.

    Returns
    -------
    Simulated
        Means over animals and, by their weight in the case, over lesions. Effect: integral of
        ``e·dT`` by the trapezoidal rule on days. Responders: visible volume of at most 10 µL on the
        last day.

    Raises
    ------
    ValueError
        A schedule that has no daily arrays, or two PD-(L)1 inhibitors.
    """
    inputs = daily_inputs(instance, schedules)
    antibody = np.array([_antibody(instance, schedule) for schedule in schedules])
    sites = visible(instance)
    rows, back = distinct_rows(inputs.dose_gy[:, sites], antibody)
    width = antibody.shape[1]
    number = max(1, BATCH // individuals)
    batches = [
        _animals(batch[:, :width], batch[:, width:], individuals, tolerance)
        for batch in (rows[i : i + number] for i in range(0, len(rows), number))
    ]
    volume, daily, cured = (np.concatenate(pieces) for pieces in zip(*batches, strict=True))
    weight = lesion_weights(instance, sites)
    burden = over_lesions(volume, back, weight)
    return Simulated(
        burden,
        at_horizons(instance, over_lesions(daily, back, weight)),
        -burden[:, -1],
        over_lesions(cured, back, weight),
    )


def _animals(
    drug: FloatArray, dose: FloatArray, individuals: int, tolerance: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return relative ln volume, immune kill of each day and share cured, means over animals."""
    quantiles = (np.arange(individuals) + 0.5) / individuals
    table_1 = kosinsky.Parameters(
        priming_half_ul=individual_priming_half(quantiles),
        antibody_volume_l=drug[:, :1],
        elimination_per_day=drug[:, 1:2],
        absorption_per_day=None,
        extinction_from_day=LEAD_DAYS,
    )
    response = kosinsky.simulate(
        table_1,
        _later(dose)[:, np.newaxis],
        _later(drug[:, 2:])[:, np.newaxis],
        tolerance=tolerance,
        beyond_validity=True,
    )
    volume = log_burden(logarithm(response.viable_cm3), response.doomed_cm3)[..., LEAD_DAYS:]
    kill = table_1.kill_per_cell_day * response.differentiated_cells[..., LEAD_DAYS:]
    daily = 0.5 * (kill[..., :-1] + kill[..., 1:])
    cured = volume[..., -1] <= np.log(table_1.extinction_ul / kosinsky.UL_PER_CM3)
    relative = volume - volume[..., :1]
    return relative.mean(axis=1), daily.mean(axis=1), cured.mean(axis=1)


def gains(reference_gy: float = 8.0) -> tuple[float, float, float]:
    """Return ``a``, ``ρ`` and ``ψ`` of the Gonzalez-Crespo model, which its fit cannot tell apart.

    Parameters
    ----------
    reference_gy
        Dose of the reference fraction in Gy, > 0.

    Returns
    -------
    tuple of float
        Such that one fraction of that dose on the tumor of day 0, its antigen lost at ``σ`` alone,
        drains half of the pool without anti-CTLA-4; that drainage takes a tenth as much antigen as
        ``σ``; and that ``ρ/ψ`` is the published ``a·ρ/(a·ψ)`` = 5.6e-3/4.6e6 per day.

    Notes
    -----
    With the published products the pool is empty within the first hour. Source: the products, arXiv
    2106.07591 as fitted in github AllisonNg067/immunoRTCode. Status: ratio verified in third-party
    code; the rest derived.
    """
    p = gonzalez_crespo.Parameters(0.0, 0.0, 0.0)
    cells = CELLS * np.exp(p.growth_per_day * LEAD_DAYS)
    lost = -np.expm1(-p.alpha_per_gy * reference_gy - p.beta_per_gy2 * reference_gy**2)
    per_pool = p.antigen_loss_per_day / p.ctla4_threshold
    activation = 0.1 * per_pool / p.pool_cells
    release = -np.log1p(-RELEASED) * per_pool / (activation * cells * lost)
    return float(activation), float(release * 5.6e-3 / 4.6e6), float(release)


def simulate_gonzalez_crespo(
    instance: Instance, schedules: Sequence[Schedule], steps_per_day: int = 48
) -> Simulated:
    """Simulate each lesion as one tumor, with the drug levels of the case.

    Parameters
    ----------
    instance, schedules
        The case and its schedules.
    steps_per_day
        Of the integration.

    Returns
    -------
    Simulated
        Means over lesions by their weight in the case. Effect: integral of ``i``. Responders:
        tumors of less than one cell.

    Raises
    ------
    ValueError
        A schedule that has no daily arrays.
    """
    inputs = daily_inputs(instance, schedules)
    sites = visible(instance)
    levels = np.concatenate([inputs.anti_pd1, inputs.anti_ctla4], axis=1)
    rows, back = distinct_rows(inputs.dose_gy[:, sites], levels)
    anti_pd1, anti_ctla4, dose = (
        _later(inputs_of_kind) for inputs_of_kind in np.split(rows, 3, axis=1)
    )
    response = gonzalez_crespo.simulate(
        gonzalez_crespo.Parameters(*gains()),
        dose,
        anti_pd1,
        anti_ctla4,
        tumor_cells=CELLS,
        steps_per_day=steps_per_day,
        beyond_validity=True,
    )
    volume = log_burden(logarithm(response.viable_cm3), response.doomed_cm3)[..., LEAD_DAYS:]
    eradicated = volume[:, -1] <= LOG_CELL_CM3
    weight = lesion_weights(instance, sites)
    burden = over_lesions(volume - volume[:, :1], back, weight)
    return Simulated(
        burden,
        at_horizons(instance, over_lesions(response.immune_kill[:, LEAD_DAYS:], back, weight)),
        -burden[:, -1],
        over_lesions(eradicated.astype(np.float64), back, weight),
    )


def simulate_icd(
    instance: Instance, schedules: Sequence[Schedule], start_cells: float = 2e8
) -> Simulated:
    """Simulate the irradiated lesion and the others of schedules of one fraction.

    Parameters
    ----------
    instance, schedules
        The case and its schedules.
    start_cells
        Tumor on day 0, 0.2 cm³ as in the experiment of the paper; immune cells start in balance
        with it.

    Returns
    -------
    Simulated
        Means over lesions by their weight. Effect: how much smaller a tumor out of the field is at
        the horizon, in ln, than without radiation.

    Raises
    ------
    ValueError
        A schedule that has no daily arrays, or one of several fractions.
    """
    inputs = daily_inputs(instance, schedules)
    total = inputs.dose_gy.max(axis=1)
    irradiated_volume, abscopal_volume = (
        _icd(total, start_cells, abscopal=abscopal) for abscopal in (False, True)
    )
    untreated = _icd(np.zeros_like(total[:1]), start_cells, abscopal=True)
    sites = visible(instance)
    weight = lesion_weights(instance, sites)
    hit = (inputs.dose_gy[:, sites] > 0.0).any(axis=-1) @ weight
    volume = hit[:, np.newaxis] * irradiated_volume + (1.0 - hit[:, np.newaxis]) * abscopal_volume
    burden = volume - volume[:, :1]
    horizons = list(instance.horizon_days)
    return Simulated(burden, (untreated - abscopal_volume)[:, horizons], -burden[:, -1])


def _icd(dose: FloatArray, start_cells: float, *, abscopal: bool) -> FloatArray:
    """Return ln of the volume, shape (schedules, days + 1)."""
    p = icd.Parameters()
    response = icd.simulate(
        p,
        dose,
        tumor_cells=start_cells,
        first_cells=p.first_inflow / (p.first_loss_per_day + p.first_loss_per_cell * start_cells),
        second_cells=p.second_inflow
        / (p.second_loss_per_day + p.second_loss_per_cell * start_cells),
        abscopal=abscopal,
    )
    return log_burden(logarithm(response.viable_cm3), response.doomed_cm3)


def _antibody(instance: Instance, schedule: Schedule) -> FloatArray:
    """Return volume in L, elimination per day, and nmol of each day of the PD-(L)1 inhibitor."""
    names = drugs_of(instance, schedule, PD1_TARGETS)
    if len(names) > 1:
        raise ValueError(f"more than one PD-(L)1 inhibitor: {', '.join(names)}")
    row = np.zeros(instance.days + 2)
    row[:2] = 1.0
    for name in names:
        drug = instance.drugs[name]
        assert drug.clearance_l_per_day and drug.central_volume_l and drug.peripheral_volume_l
        row[0] = drug.central_volume_l + drug.peripheral_volume_l
        row[1] = drug.clearance_l_per_day / row[0]
        for infusion in schedule.infusions:
            if infusion.drug == name:
                row[2 + infusion.day] += infusion.dose_mg * 1e6 / ANTIBODY_DA
    return row


def _later(days: FloatArray) -> FloatArray:
    """Return arrays per day with the untreated days before day 0."""
    return np.concatenate([np.zeros((len(days), LEAD_DAYS)), days], axis=1)


def _one_fraction(instance: Instance, schedule: Schedule) -> list[str]:
    reasons = in_part(instance, schedule)
    if len(schedule.fractions) > 1:
        reasons.append(f"{len(schedule.fractions)} fractions, the model defines one")
    return reasons + (["drugs, the model has none"] if schedule.infusions else [])


KOSINSKY = Model(
    name="kosinsky",
    source="Kosinsky 2018, doi:10.1186/s40425-018-0327-9",
    status="equations and Table 1 verified in the paper, repair term corrected; rest derived",
    scale="mouse",
    validity="at most 10 Gy per fraction (stated by the authors)",
    represents=(
        f"a CT26 tumor per lesion, {LEAD_DAYS} days old on day 0, in {INDIVIDUALS} animals; "
        "one PD-(L)1 inhibitor with clearance and volumes of the case in one compartment"
    ),
    leaves_out=(
        "any effect of one lesion on another, lesions without a volume, the case's own "
        "sensitivity and growth, clearance that changes with time, anti-CTLA-4, chemotherapy, "
        "other targets, lymphocytes of the blood and in the beam"
    ),
    impossible=one_inhibitor,
    outside=at_most(kosinsky.HIGHEST_DOSE_GY),
    forward=simulate_kosinsky,
    targets=PD1_TARGETS,
)

GONZALEZ_CRESPO = Model(
    name="gonzalez-crespo",
    source="Gonzalez-Crespo 2021, arXiv 2106.07591",
    status="equations and time constants verified in third-party code; gains derived",
    scale="mouse",
    validity="at most 15 Gy per fraction (vascular damage above it is left out)",
    represents=(
        f"a tumor per lesion, {LEAD_DAYS} days old on day 0, with its own pool of T cells; "
        "anti-PD-(L)1 and anti-CTLA-4"
    ),
    leaves_out=(
        "any effect of one lesion on another, lesions without a volume, the case's own "
        "sensitivity and growth, chemotherapy, other targets, lymphocytes of the blood"
    ),
    impossible=in_part,
    outside=at_most(gonzalez_crespo.HIGHEST_DOSE_GY),
    forward=simulate_gonzalez_crespo,
)

ICD = Model(
    name="icd",
    source="Rauf 2025, github yijianglanl/SIRPa-Paper-Code, zenodo 17559821",
    status="verified in the authors' code; start of the immune cells derived",
    scale="mouse",
    validity="one fraction in all, no drugs, SIRPa-deficient mice",
    represents="the irradiated lesion and the others as tumors of 0.2 cm3, and their coupling",
    leaves_out="lesions without a volume, the case's own sensitivity and growth, all drugs",
    impossible=_one_fraction,
    outside=none,
    forward=simulate_icd,
    targets=(),
)
