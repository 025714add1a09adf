"""From a published finding to a case and one schedule per arm."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import abscopt.instances.evidence
from abscopt.instances.load import build, library
from abscopt.instances.tables.immune import Immune
from abscopt.optimizer.evidence.patients import fitted
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule

if TYPE_CHECKING:
    from abscopt.instances.evidence import Arm, Finding
    from abscopt.instances.schema import Instance

FILE = Path(abscopt.instances.evidence.__file__).parent / "settings.toml"
OCCULT_FOR = ("progression", "survival")
"""Endpoints of the whole patient: hidden disease counts as well."""
HIDDEN = "occult"
"""Name in a finding of disease that is hidden and nothing else."""


class Unrepresented(ValueError):
    """A finding that cases and schedules cannot express; says why."""


@dataclass(frozen=True)
class Trial:
    """A finding as cases; `arms` holds a case and a schedule per arm.

    The cases differ only where an arm states a condition of the patient or a doublet.
    """

    finding: Finding
    arms: Mapping[str, tuple[Instance, Schedule]]

    def under(self, immune: Immune) -> Trial:
        """The same arms under other constants; those of the setting stay as they are."""
        changed = {}
        for name, (case, schedule) in self.arms.items():
            constants = shifted(immune, self.finding.arms[name]).unchecked(
                _settings()[self.finding.scale]["immune"]
            )
            changed[name] = case.unchecked({"immune": constants}), schedule
        return Trial(self.finding, changed)


def default_constants() -> Immune:
    """Immune constants of the library scenario `default`."""
    return scenario_constants("default")


def scenario_constants(name: str) -> Immune:
    """Immune constants of a library scenario."""
    return Immune.model_validate(library("scenarios")[name])


def with_scenario(immune: Immune, scenario: str) -> Immune:
    """Constants changed in what sets a library scenario apart from `default`."""
    default, scenario_set = default_constants(), scenario_constants(scenario)
    apart = {
        key: value
        for key, value in scenario_set.model_dump().items()
        if key not in ("source", "doi", "status", "note") and value != getattr(default, key)
    }
    return immune.unchecked(apart)


def shifted(immune: Immune, arm: Arm) -> Immune:
    """Constants of an arm whose condition is a scenario."""
    scenario = _condition(arm).get("scenario")
    return immune if scenario is None else with_scenario(immune, scenario)


@lru_cache(maxsize=1)
def _settings() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text(encoding="utf-8"))


def trial_of(finding: Finding) -> Trial:
    """Cases and schedules of a finding.

    Raises
    ------
    Unrepresented
        The finding says so itself, is read by an endpoint the judge does not have, or has a drug
        that acts on an unknown target.
    """
    if finding.outside is not None:
        raise Unrepresented(finding.outside)
    if finding.setting.endpoint in ("toxicity", "marker"):
        raise Unrepresented(f"endpoint: {finding.setting.endpoint}")
    if finding.scale == "mouse" and finding.setting.endpoint == "progression":
        raise Unrepresented("progression of mice")
    arms = {name: _arm(finding, arm) for name, arm in finding.arms.items()}
    return Trial(finding, arms).under(default_constants())


def _arm(finding: Finding, arm: Arm) -> tuple[Instance, Schedule]:
    case = build(_raw(finding, arm), finding.id)
    fractions = []
    slots: dict[tuple[str, int], int] = {}
    for day, dose_gy, site in arm.fractions:
        slot = slots.get((site, day), 0)
        slots[site, day] = slot + 1
        fractions.append(Fraction(day, site, dose_gy, slot))
    infusions = [
        Infusion(day, _drug_name(drug), _milligrams(drug))
        for drug in arm.drugs
        for day in drug.days
        if day < case.days
    ]
    return case, Schedule.of((f for f in fractions if f.day < case.days), infusions)


def times_of_patients() -> dict[str, Any]:
    """When an event of a patient counts: `human.patients` of settings.toml."""
    stated: dict[str, Any] = _settings()["human"]["patients"]
    return stated


def read_to_size(finding: Finding) -> bool:
    """Whether an outcome is the time until tumors have a size: survival of mice."""
    return finding.scale == "mouse" and finding.setting.endpoint == "survival"


def size_at_death(finding: Finding) -> tuple[float, int, int]:
    """Size that ends a mouse's life relative to that on the day of the first treatment of any arm.

    That day and the last day on which a mouse is looked at come with it.
    """
    days = [f.day for arm in finding.arms.values() for f in arm.fractions]
    days += [day for arm in finding.arms.values() for drug in arm.drugs for day in drug.days]
    stated = _settings()["mouse"]["survival"]
    return float(stated["size_factor"]), min(days, default=0), int(stated["last_day"])


def _drug_name(drug: Any) -> str:
    return str(drug.agent or f"anti-{drug.target}".lower())


def _milligrams(drug: Any) -> float:
    if drug.dose_mg is not None:
        return float(drug.dose_mg)
    return float(_settings()["drugs"][drug.target]["dose_mg"])


def _raw(finding: Finding, arm: Arm) -> dict[str, Any]:
    """The case of one arm as an instance file would state it."""
    scale = _settings()[finding.scale]
    setting = finding.setting
    names = [name for name in setting.lesions if name != HIDDEN]
    hidden = finding.scale == "human" and (
        HIDDEN in setting.lesions or setting.endpoint in OCCULT_FOR
    )
    share = (1.0 - hidden * scale.get("occult", {}).get("effector_share", 0.0)) / len(names)
    large = {
        block.site
        for of_study in finding.arms.values()
        for block in of_study.radiation
        if block.field == "large"
    }
    lesions = [
        _tumor(finding, name in large) | _site(name, share) | _condition(arm).get("lesion", {})
        for name in names
    ]
    if hidden:
        lesions.append(scale["occult"])
    case: dict[str, Any] = {
        "format": 1,
        "name": finding.id,
        "title": finding.title,
        "provenance": {"source": finding.source},
        "horizon_days": _horizons(finding, arm),
        "calendar": {
            "machine_weekdays": list(range(7)),
            "infusion_weekdays": list(range(7)),
        },
        "immune": {"use": "default"},
        "drugs": _drugs(finding, arm),
        "lesions": lesions,
    }
    changed: dict[str, Any] = _condition(arm).get("case", {})
    return case | changed


def _tumor(finding: Finding, large: bool) -> dict[str, Any]:
    """A visible lesion; of patients with the alpha of its group and the spread between patients."""
    early = finding.setting.early and not large
    table = dict(_settings()[finding.scale]["early" if early else "large" if large else "small"])
    group = table.pop("group", None)
    if group is not None:
        table |= {"alpha_per_gy": fitted()[group], "alpha_cv": fitted()["alpha_cv"]}
    return table


def _drugs(finding: Finding, arm: Arm) -> dict[str, Any]:
    """Drugs of all arms; one that `arm` gives in a doublet has the enhancement of the doublet."""
    drugs = {
        _drug_name(drug): _drug(drug, finding)
        for of_study in finding.arms.values()
        for drug in of_study.drugs
    }
    for drug in arm.drugs:
        for partner, changed in _settings()["with"].get(_drug_name(drug), {}).items():
            if partner in drugs:
                drugs[partner] = drugs[partner] | changed
    return drugs


def _horizons(finding: Finding, arm: Arm) -> list[int]:
    """Horizons of the scale; around the day on which the arm is read, if it states one."""
    scale = _settings()[finding.scale]
    if arm.read_day is not None:
        return [max(1, arm.read_day), max(1, arm.read_day) + 1]
    return list(scale["horizon_days"])


def _site(name: str, share: float) -> dict[str, Any]:
    course = {"form": "uniform", "fractions": [1], "doses_gy": [1.0], "last_start_day": 0}
    return {
        "name": name,
        "organ": name,
        "effector_share": share,
        "precursor_share": share,
        "course": course,
    }


def _condition(arm: Arm) -> dict[str, Any]:
    if arm.condition is None:
        return {}
    stated: dict[str, Any] = _settings()["conditions"][arm.condition]
    return stated


def _drug(drug: Any, finding: Finding) -> dict[str, Any]:
    if drug.agent is not None:
        return {"use": drug.agent}
    drugs = _settings()["drugs"]
    if finding.scale != "mouse" or drug.target not in drugs:
        raise Unrepresented(f"target: {drug.target}")
    return {key: value for key, value in drugs[drug.target].items() if key != "dose_mg"}
