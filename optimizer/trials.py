"""Trial arms on a case: which lesions, which drugs, how many milligrams, and the verdict.

An arm is not one of the case's own choices, so the judge nearly always lists broken rules of the
menu. Whether the limits hold is a question of its own: `ArmVerdict.limits_hold`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from abscopt.instances.infusion_days import on_infusion_days
from abscopt.instances.load import InputError, Problem, library
from abscopt.instances.regimens import dose_in_mg, dose_problem
from abscopt.instances.tables.calendar import is_machine_day
from abscopt.instances.tables.systemic import Drug
from abscopt.optimizer.schedule import Fraction, Infusion, Schedule, standard_schedule

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.systemic import AgentChoice
    from abscopt.instances.trials import TrialArm, TrialCourse, TrialInfusions
    from abscopt.optimizer.evaluation import Evaluation


def fitted(
    instance: Instance, arm: TrialArm, lesions: Sequence[str] | None = None
) -> tuple[Instance, Schedule]:
    """Put a trial arm on a case.

    Parameters
    ----------
    lesions : the lesions to irradiate, in the order of the arm's courses; without them the first
        of the case's irradiable lesions, as many as the arm usually has

    Returns
    -------
    instance : the case itself, or a copy with the arm's further drugs, taken from the library;
        its menu, limits and standard regimen are unchanged
    schedule : fractions by a lesion's first technique, doses in mg for the case's patient;
        infusions move to infusion days by the rule of the case's calendar (`moved` counts them);
        those on or after the last horizon are left out (`dropped` counts them)

    Raises
    ------
    InputError
        If the case has too few irradiable lesions or a lesion that does not fit, if a fraction
        falls on no machine day, past the last horizon or on a day without sparing factors, if an
        infusion would move by more than the calendar tolerates, or if the case's drugs would count
        sensitization twice. No fraction is moved to make an arm fit.
    """
    shares = _shares(instance, arm, lesions)
    complete = _complete(instance, arm)
    problems = [
        *(
            problem
            for place, (course, treated) in enumerate(zip(arm.radiation, shares, strict=True))
            for problem in _course_problems(instance, arm, place, course, treated)
        ),
        *_drug_problems(complete, arm),
        *_infusion_problems(complete, arm),
    ]
    if problems:
        raise InputError(problems)
    fractions = [
        fraction
        for course, treated in zip(arm.radiation, shares, strict=True)
        for lesion in treated
        for fraction in _fractions(course, lesion)
    ]
    infusions = [
        Infusion(day, entry.drug, dose_in_mg(entry.amount, entry.unit, instance.patient))
        for entry in arm.infusions
        for day in _given_days(complete, entry) or ()
        if day < instance.days
    ]
    return complete, Schedule.of(fractions, infusions)


def _complete(instance: Instance, arm: TrialArm) -> Instance:
    """The case with the arm's drugs; the case itself if it has them all."""
    extra = _extra_drugs(instance, arm)
    return instance.unchecked({"drugs": instance.drugs | extra}) if extra else instance


def _given_days(instance: Instance, entry: TrialInfusions) -> tuple[int, ...] | None:
    """Days of one drug's infusions on the infusion days of a case; None if one has no place.

    The case has the drug. Infusions on or after the last horizon are not moved.
    """
    agent = next((a for a in instance.agents if entry.drug in _drugs_of(instance, a)), None)
    days = sorted(entry.days)
    planned = [(entry.drug, day, 0.0) for day in days if day < instance.days]
    infusions = on_infusion_days(instance, agent, planned)
    if infusions is None:
        return None
    return (*(day for _, day, _ in infusions), *(day for day in days if day >= instance.days))


def _drugs_of(instance: Instance, agent: AgentChoice) -> set[str]:
    return {dose.drug for name in agent.regimens for dose in instance.regimens[name].every_dose}


def dropped(instance: Instance, arm: TrialArm) -> int:
    """Number of the arm's infusions on or after the last horizon of the case."""
    complete = _complete(instance, arm)
    return sum(
        day >= instance.days
        for entry in arm.infusions
        for day in _given_days(complete, entry) or entry.days
    )


def moved(instance: Instance, arm: TrialArm) -> int:
    """Number of the arm's infusions that the case's calendar takes from the day of the source."""
    complete = _complete(instance, arm)
    return sum(
        day != day_given
        for entry in arm.infusions
        for day, day_given in zip(
            sorted(entry.days), _given_days(complete, entry) or sorted(entry.days), strict=True
        )
    )


def _infusion_problems(instance: Instance, arm: TrialArm) -> Iterator[Problem]:
    """Drugs of an arm that the infusion days of the case cannot take."""
    for entry in arm.infusions:
        if _given_days(instance, entry) is None:
            rule = (
                "an infusion would move by more than infusion_tolerance_days to an infusion day "
                "of the case"
            )
            yield _problem(instance, arm, "infusions", entry.drug, rule)


@dataclass(frozen=True)
class ArmVerdict:
    """A trial arm judged on a case.

    `instance` has the arm's drugs, `standard` is the verdict on the case's standard regimen (None
    if it states none), `dropped` the number of infusions past the last horizon, `moved` that of
    infusions moved to an infusion day.
    """

    arm: TrialArm
    instance: Instance
    schedule: Schedule
    evaluation: Evaluation
    standard: Evaluation | None
    dropped: int
    moved: int = 0

    @property
    def limits_hold(self) -> bool:
        """Whether every hard limit of the case is kept, whatever its menu offers."""
        return not self.evaluation.broken_limits

    @property
    def gain(self) -> float | None:
        """Objective less that of the standard regimen, in the unit of the case."""
        return (
            None if self.standard is None else self.evaluation.objective - self.standard.objective
        )

    @property
    def lesions(self) -> tuple[str, ...]:
        """Lesions that are irradiated, in the case's order."""
        treated = {fraction.lesion for fraction in self.schedule.fractions}
        return tuple(x.name for x in self.instance.lesions if x.name in treated)

    def lines(self) -> list[str]:
        """What a reader needs beside the evaluation, one sentence each."""
        arm, broken = self.arm, self.evaluation.broken_limits
        text = [f"trial arm {arm.name}: {arm.title} ({arm.trial}, {arm.year})"]
        text.append(
            f"hard limits broken: {', '.join(broken)}" if broken else "every hard limit is kept"
        )
        if self.evaluation.obstacles:
            text.append("not one of the case's own choices, so never the answer of the case")
        if self.moved:
            text.append(f"{self.moved} infusions moved to the next infusion day of the case")
        if self.dropped:
            days = self.instance.days
            text.append(f"{self.dropped} infusions on or after day {days} are left out")
        text.append(f"days of the source: {arm.days_summary()}")
        if arm.contested is not None:
            text.append(f"contested: {arm.contested}")
        outcome = arm.published
        if outcome is not None:
            text.append(f"published ({outcome.status}): {outcome.result}")
        return text


def judged_arm(
    instance: Instance, arm: TrialArm, lesions: Sequence[str] | None = None
) -> ArmVerdict:
    """Judge a trial arm on a case beside the case's standard regimen; raises as `fitted`."""
    from abscopt.optimizer.evaluation import evaluate

    complete, schedule = fitted(instance, arm, lesions)
    standard = standard_schedule(instance)
    return ArmVerdict(
        arm=arm,
        instance=complete,
        schedule=schedule,
        evaluation=evaluate(complete, schedule),
        standard=None if standard is None else evaluate(instance, standard),
        dropped=dropped(instance, arm),
        moved=moved(instance, arm),
    )


def on_menu(instance: Instance, arm: TrialArm) -> bool:
    """Whether an arm is one of the case's own choices, whether or not its limits are kept.

    On the lesions that it usually irradiates; an arm of one site on any of them.
    """
    from abscopt.optimizer.evaluation.offered.menu import obstacles

    sites: list[list[str] | None] = [None]
    if arm.most_sites == 1 and arm.radiation:
        sites = [[instance.lesions[i].name] for i in instance.irradiable]
    for names in sites:
        try:
            complete, schedule = fitted(instance, arm, names)
        except InputError:
            continue
        if not obstacles(complete, schedule):
            return True
    return False


@dataclass(frozen=True)
class Judged:
    """A named regimen on a case: what `evaluate` shows, and what is to be said beside it."""

    instance: Instance
    schedule: Schedule
    lines: tuple[str, ...] = ()


def judged_regimen(instance: Instance, case: str, name: str, sites: Sequence[str]) -> Judged:
    """The case's standard regimen (`standard`, or its name) or a trial arm on the case.

    Raises
    ------
    InputError
        Unknown name, sites for the standard regimen, or an arm that does not fit (`fitted`).
    """
    from abscopt.instances.trials import trial_arm, trial_arms

    regimen = instance.standard
    schedule = standard_schedule(instance)
    if regimen is not None and schedule is not None and name in ("standard", regimen.name):
        if sites:
            rule = "the case's standard regimen names its lesions itself"
            raise InputError([Problem(case, "--site", sites[0], rule)])
        return Judged(instance, schedule)
    if name not in trial_arms():
        names = [] if regimen is None else ["standard", regimen.name]
        rule = f"unknown; known {names} and the trial arms that `abscopt regimens` lists"
        raise InputError([Problem(case, "--regimen", name, rule)])
    verdict = judged_arm(instance, trial_arm(name), list(sites) or None)
    return Judged(verdict.instance, verdict.schedule, tuple(verdict.lines()))


def _problem(instance: Instance, arm: TrialArm, place: str, value: object, rule: str) -> Problem:
    """A problem of an arm on a case; both are named."""
    return Problem(instance.name, f"{arm.name}.{place}", str(value), rule)


def _shares(
    instance: Instance, arm: TrialArm, named: Sequence[str] | None
) -> list[tuple[Lesion, ...]]:
    """Lesions of each course of the arm, none in two courses."""
    if named is not None:
        chosen = _named(instance, arm, named)
    else:
        chosen = [instance.lesions[i] for i in instance.irradiable]
    least_sites, most_sites = arm.least_sites, arm.most_sites
    if len(chosen) < least_sites:
        what = "lesions named" if named is not None else "irradiable lesions"
        rule = f"the arm irradiates at least {least_sites}; {len(chosen)} {what}"
        raise InputError([_problem(instance, arm, "radiation", len(chosen), rule)])
    if named is not None and len(chosen) > most_sites:
        rule = f"the arm irradiates at most {most_sites} lesions"
        raise InputError([_problem(instance, arm, "lesions", len(chosen), rule)])
    shares = []
    for place, course in enumerate(arm.radiation):
        later = sum(later_arm.min_sites for later_arm in arm.radiation[place + 1 :])
        wanted = course.usual_sites if named is None else course.max_sites
        count = min(wanted, len(chosen) - later)
        shares.append(tuple(chosen[:count]))
        chosen = chosen[count:]
    return shares


def _named(instance: Instance, arm: TrialArm, named: Sequence[str]) -> list[Lesion]:
    lesions = {instance.lesions[i].name: instance.lesions[i] for i in instance.irradiable}
    problems = [
        _problem(instance, arm, "lesions", name, f"must be one of {sorted(lesions)}")
        for name in named
        if name not in lesions
    ]
    problems += [
        _problem(instance, arm, "lesions", name, "named twice")
        for name, count in Counter(named).items()
        if count > 1
    ]
    if problems:
        raise InputError(problems)
    return [lesions[name] for name in named]


def _fractions(course: TrialCourse, lesion: Lesion) -> Iterator[Fraction]:
    for day, count in Counter(course.days).items():
        for slot in range(count):
            yield Fraction(day, lesion.name, course.dose_gy, slot, lesion.ways[0].name)


def _course_problems(
    instance: Instance,
    arm: TrialArm,
    place: int,
    course: TrialCourse,
    treated: tuple[Lesion, ...],
) -> Iterator[Problem]:
    """Days of a course that the case cannot have."""
    where = f"radiation[{place}].days"
    days = sorted(set(course.days))
    for day in days:
        if day >= instance.days:
            rule = f"outside the horizon of {instance.days} days"
            yield _problem(instance, arm, where, day, rule)
            break
        if not is_machine_day(instance.calendar, day):
            yield _problem(instance, arm, where, day, "not a machine day of the case's calendar")
            break
    for lesion in treated:
        missing = _days_without_sparing(lesion, days)
        if missing:
            rule = f"{lesion.name} has no sparing factor on this day"
            yield _problem(instance, arm, where, missing[0], rule)


def _days_without_sparing(lesion: Lesion, days: list[int]) -> list[int]:
    daily = [
        set(factor.days)
        for points in (lesion.sparing | lesion.ways[0].sparing).values()
        for factor in points.values()
        if not isinstance(factor, float)
    ]
    return [day for day in days if any(day not in with_sparing for with_sparing in daily)]


def _extra_drugs(instance: Instance, arm: TrialArm) -> dict[str, Drug]:
    """The arm's drugs that the case does not have, from the library."""
    names = dict.fromkeys(entry.drug for entry in arm.infusions)
    return {
        name: Drug.model_validate_json(json.dumps(library("drugs")[name]))
        for name in names
        if name not in instance.drugs
    }


def _drug_problems(instance: Instance, arm: TrialArm) -> Iterator[Problem]:
    """A dose of unknown effect; an equivalent BED, which contains sensitization, beside it."""
    for entry in arm.infusions:
        given_mg = dose_in_mg(entry.amount, entry.unit, instance.patient)
        rule = dose_problem(instance, entry.drug, given_mg)
        if rule is not None:
            yield _problem(instance, arm, entry.drug, f"{entry.amount:g} {entry.unit}", rule)
    drugs = {name: instance.drugs[name] for name in dict.fromkeys(e.drug for e in arm.infusions)}
    sensitizers = [n for n, drug in drugs.items() if drug.sensitizer_enhancement_ratio > 1]
    equivalent = [n for n, drug in drugs.items() if drug.equivalent_bed_gy_per_dose > 0]
    if sensitizers and equivalent:
        rule = "sensitizers and equivalent BED (which contains sensitization) must not be mixed"
        what = f"{sorted(sensitizers)} and {sorted(equivalent)}"
        yield _problem(instance, arm, "chemotherapy", what, rule)
