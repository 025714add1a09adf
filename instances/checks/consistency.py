"""Cross-checks of a whole instance: names that refer to nothing, windows outside the horizon.

Each problem is (place, value, rule). Everything here needs no solving; a case that breaks a
rule is wrong input, not an infeasible problem.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from abscopt.instances.checks.foregone import missing_cycles, used_up
from abscopt.instances.checks.numbers.ranges import outside
from abscopt.instances.checks.phases import phase_problems
from abscopt.instances.checks.size import too_large
from abscopt.instances.history.problems import history_problems
from abscopt.instances.history.walks import BELOW_TRANSITION
from abscopt.instances.lesions import DEMANDS
from abscopt.instances.limits import OrganLimit
from abscopt.instances.observation import observation_problems
from abscopt.instances.reading.problems import listing, nearest
from abscopt.instances.sources import library

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.menus.courses import FreeCourse, UniformCourse
    from abscopt.instances.schema import Instance, StandardAgent
    from abscopt.instances.tables.systemic import AgentChoice

Problem = tuple[str, object, str]


def problems(instance: Instance) -> list[Problem]:
    """All broken cross-references and contradictions of a case.

    A case that is too large is told so alone: the other checks may walk what is too large.
    """
    large = list(too_large(instance))
    return large or [problem for check in checks for problem in check(instance)]


def _repeated(place: str, names: Iterable[str]) -> Iterator[Problem]:
    for name, count in Counter(names).items():
        if count > 1:
            yield place, name, "names must be unique"


def _names(instance: Instance) -> Iterator[Problem]:
    yield from _repeated("lesions", (lesion.name for lesion in instance.lesions))
    yield from _repeated("limits", [limit.name for limit in instance.limits] + _demands(instance))
    yield from _repeated("agents", (agent.name for agent in instance.agents))


def _demands(instance: Instance) -> list[str]:
    """Names under which the demands of lesions are reported among the limits."""
    return [
        f"{lesion.name}.{key}"
        for lesion in instance.lesions
        for key in DEMANDS
        if getattr(lesion, key) is not None
    ]


def _horizons(instance: Instance) -> Iterator[Problem]:
    days = instance.horizon_days
    if any(b <= a for a, b in itertools.pairwise(days)):
        yield "horizon_days", list(days), "horizons must increase"


def _shares(instance: Instance) -> Iterator[Problem]:
    for key in ("effector_share", "precursor_share"):
        total = sum(getattr(lesion, key) for lesion in instance.lesions)
        if total > 1 + 1e-9:
            yield f"lesions.{key}", round(total, 9), "the shares of all lesions must not exceed 1"


def _parts(i: int, lesion: Lesion) -> Iterator[tuple[str, Lesion | Technique]]:
    """(place, table) of a lesion and of its techniques."""
    yield f"lesions[{i}]", lesion
    for j, technique in enumerate(lesion.techniques):
        yield f"lesions[{i}].techniques[{j}]", technique


def _sparing(instance: Instance) -> Iterator[Problem]:
    for i, lesion in enumerate(instance.lesions):
        for part, table in _parts(i, lesion):
            place = f"{part}.sparing"
            for organ in dict.fromkeys([*table.sparing, *table.bins]):
                if organ not in instance.organs:
                    key = "sparing" if organ in table.sparing else "histograms"
                    rule = f"unknown organ; [organs] has {listing(instance.organs)}"
                    yield f"{part}.{key}.{organ}", organ, rule
            for organ, points in table.sparing.items():
                for point, factor in points.items():
                    if isinstance(factor, float | int):
                        continue
                    if lesion.course is None or lesion.course.form != "free":
                        rule = "daily factors need a free course"
                        yield f"{place}.{organ}.{point}", "by day", rule
                        continue
                    missing = sorted(set(lesion.course.days) - set(factor.days))
                    if missing:
                        rule = "every course day needs a value"
                        yield f"{place}.{organ}.{point}.days", missing, rule
    for i, moment in enumerate(instance.cross_second_moments):
        place = f"cross_second_moments[{i}]"
        if moment.organ not in instance.organs:
            yield f"{place}.organ", moment.organ, "unknown organ"
        lesions = {lesion.name for lesion in instance.lesions}
        for name in moment.lesions:
            if name not in lesions:
                yield f"{place}.lesions", name, "unknown lesion"


def _courses(instance: Instance) -> Iterator[Problem]:
    for i, lesion in enumerate(instance.lesions):
        course = lesion.course
        if instance.objective.of_dose_alone:
            for what in ("clones", "techniques"):
                if getattr(lesion, what):
                    yield f"lesions[{i}].{what}", what, "tumor_bed is a plain BED: leave it out"
            if lesion.least_control is not None:
                rule = "tumor_bed is a plain BED: demand least_bed_gy, or choose another objective"
                yield f"lesions[{i}].least_control", lesion.least_control, rule
        if course is None:
            continue
        if course.form == "free":
            yield from _free(instance, i, lesion, course)
        elif course.form == "phases":
            yield from phase_problems(instance, i, lesion, course)
        else:
            yield from _uniform(instance, i, lesion, course)


def _uniform(
    instance: Instance, i: int, lesion: Lesion, course: UniformCourse
) -> Iterator[Problem]:
    place = f"lesions[{i}].course"
    if course.last_start_day >= instance.days:
        rule = f"window outside the horizon of {instance.days} days"
        yield f"{place}.last_start_day", course.last_start_day, rule
    for block in course.blocks:
        transition = lesion.lql_transition_gy
        if block.fractions_per_day > 1 and transition is not None:
            most = max(block.levels_gy)
            if most > transition:
                yield f"{place}.doses_gy", most, BELOW_TRANSITION


def _free(instance: Instance, i: int, lesion: Lesion, course: FreeCourse) -> Iterator[Problem]:
    from abscopt.instances.tables.calendar import is_machine_day

    place = f"lesions[{i}]"
    for day in course.days:
        if day >= instance.days:
            yield f"{place}.course.days", day, f"outside the horizon of {instance.days} days"
        elif not is_machine_day(instance.calendar, day):
            yield f"{place}.course.days", day, "not a machine day of the calendar"
    growth, fast = lesion.growth_doubling_time_days, lesion.repopulation_doubling_time_days
    if growth is not None and fast is not None and fast > growth:
        rule = "must not be slower than untreated growth in a free course"
        yield f"{place}.repopulation_doubling_time_days", fast, rule
    if len(lesion.ways) > 1 or any(lesion.ways[0].share_of(c.name) < 1 for c in lesion.populations):
        rule = "a free course has one technique, with all clonogens in the beam"
        yield f"{place}.techniques", len(lesion.techniques), rule
    if lesion.reoxygenation_days is not None:
        rule = "a free course has no first fraction to count reoxygenation from"
        yield f"{place}.reoxygenation_days", lesion.reoxygenation_days, rule
    if any(drug.equivalent_bed_gy_per_dose > 0 for drug in instance.drugs.values()):
        rule = "an equivalent BED needs uniform courses; use a sensitizer"
        yield "drugs", lesion.name, rule
    if not instance.objective.of_dose_alone and lesion.immune_active(instance.immune):
        for key in (
            "suppression_per_day",
            "pdl1_upregulation",
            "release_regrowth",
            "repeat_release",
        ):
            if getattr(instance.immune, key) > 0:
                rule = "depends on a course's earlier fractions: not for free courses"
                yield f"immune.{key}", getattr(instance.immune, key), rule
        if instance.immune.own_loss > 0 and lesion.effect_loss(lesion.ways[0]) > 0:
            rule = "its own effectors would feel a product of fractions: not for free courses"
            yield "immune.own_loss", instance.immune.own_loss, rule
    if not instance.objective.of_dose_alone and any(
        other.siphon(instance.immune) > 0 for other in instance.lesions
    ):
        rule = "asks whether a liver lesion is irradiated: not beside free courses"
        yield "immune.liver_siphon_nats", instance.immune.liver_siphon_nats, rule


def _limits(instance: Instance) -> Iterator[Problem]:
    for i, limit in enumerate(instance.limits):
        yield from limit.problems(f"limits[{i}]", instance)


def _prior(instance: Instance) -> Iterator[Problem]:
    for i, prior in enumerate(instance.prior_doses):
        place = f"prior_doses[{i}]"
        limits = [
            limit
            for limit in instance.limits
            if isinstance(limit, OrganLimit)
            and (limit.organ, limit.evaluation_point) == (prior.organ, prior.point)
        ]
        if not limits:
            yield place, f"{prior.organ}.{prior.point}", "no limit counts this dose"
        square = prior.second_moment_gy2
        voxels = any(limit.counts_voxels for limit in limits)
        if voxels and square is None:
            yield f"{place}.second_moment_gy2", None, "a mean EQD2 needs mean(D^2)"
        if square is not None and square < prior.dose_gy**2 * 0.999:
            yield f"{place}.second_moment_gy2", square, "below the square of the mean dose"


def _drug(instance: Instance, name: str, key: str, neutral: float) -> bool:
    """Whether a drug acts in one way at all."""
    return name in instance.drugs and getattr(instance.drugs[name], key) > neutral


def _systemic(instance: Instance) -> Iterator[Problem]:
    given: Counter[str] = Counter()
    for i, agent in enumerate(instance.agents):
        place = f"agents[{i}]"
        if agent.last_start_day >= instance.days:
            yield (
                f"{place}.last_start_day",
                agent.last_start_day,
                f"window outside the horizon of {instance.days} days",
            )
        drugs: set[str] = set()
        for name in agent.regimens:
            if name not in instance.regimens:
                known = {*instance.regimens, *library("regimens")}
                yield f"{place}.regimens", name, f"unknown regimen{nearest(name, known)}"
                continue
            drugs |= {dose.drug for dose in instance.regimens[name].every_dose}
        given.update(drugs)
        if drugs:
            yield from _placed(instance, place, agent)
    sensitizers = [n for n in given if _drug(instance, n, "sensitizer_enhancement_ratio", 1.0)]
    equivalent = [n for n in given if _drug(instance, n, "equivalent_bed_gy_per_dose", 0.0)]
    if sensitizers and equivalent:
        rule = "sensitizers and equivalent BED (which contains sensitization) must not be mixed"
        yield "agents", f"{sorted(sensitizers)} and {sorted(equivalent)}", rule
    for drug, count in given.items():
        if count > 1:
            yield "agents", drug, "one drug may belong to one agent only"
    for name, regimen in instance.regimens.items():
        for dose in regimen.every_dose:
            if dose.drug not in instance.drugs:
                known = {*instance.drugs, *library("drugs")}
                rule = f"unknown drug{nearest(dose.drug, known)}"
                yield f"regimens.{name}.doses", dose.drug, rule
    yield from _drug_doses(instance)


MOST_APART = 2.0
"""Doses of a drug in different regimens that may share one effect per dose, greatest over least."""


def _drug_doses(instance: Instance) -> Iterator[Problem]:
    """Doses of chemotherapy of which the effect is not known."""
    from abscopt.instances.regimens import (
        dose_in_mg,
        dose_problem,
        places_of_doses,
        reference_mg,
    )

    for name, drug in instance.drugs.items():
        known = reference_mg(instance, name)
        if not drug.acts_by_dose or drug.reference_doses is not None or known is None:
            continue
        if known[1] > MOST_APART * known[0]:
            rule = f"is missing: regimens give {known[0]:.4g} to {known[1]:.4g} mg per dose"
            yield f"drugs.{name}.reference_doses", None, rule
    for name, regimen in instance.regimens.items():
        for where, dose in places_of_doses(name, regimen):
            if dose.drug not in instance.drugs:
                continue
            given_mg = dose_in_mg(dose.amount, dose.unit, instance.patient)
            rule = dose_problem(instance, dose.drug, given_mg) or ""
            if rule:
                value = f"{dose.amount:g} {dose.unit} ({given_mg:.4g} mg)"
                yield f"{where}.amount", value, rule


def _placed(instance: Instance, place: str, agent: AgentChoice) -> Iterator[Problem]:
    """Whether an agent that must be given can be given at all on the infusion days."""
    from abscopt.instances.infusion_days import given_infusions

    known = [
        name
        for name in agent.regimens
        if name in instance.regimens
        and all(dose.drug in instance.drugs for dose in instance.regimens[name].every_dose)
    ]
    if agent.optional or not known:
        return
    if not any(
        given_infusions(instance, agent, name, start, agent.cycles)
        for name in known
        for start in agent.start_days
    ):
        rule = (
            "must be given, but from no day of its window: it starts on infusion days, and no dose "
            "moves by more than infusion_tolerance_days"
        )
        yield f"{place}.first_start_day", agent.first_start_day, rule


def _standard(instance: Instance) -> Iterator[Problem]:
    from abscopt.instances.tables.calendar import course_days, treatment_days

    standard = instance.standard
    if standard is None:
        if "closest-to-standard" in (instance.objective.prefer or ()):
            yield "objective.prefer", "closest-to-standard", "the case states no standard regimen"
        return
    taken: dict[str, set[int]] = {}
    by_name = {lesion.name: lesion for lesion in instance.lesions}
    for i, course in enumerate(standard.courses):
        place = f"standard.courses[{i}]"
        lesion = by_name.get(course.lesion)
        if lesion is None or not lesion.irradiable:
            rule = f"must name an irradiable lesion{nearest(course.lesion, by_name)}"
            yield f"{place}.lesion", course.lesion, rule
        if course.fractions % course.fractions_per_day:
            rule = f"do not fill days of {course.fractions_per_day} fractions each"
            yield f"{place}.fractions", course.fractions, rule
            continue
        if lesion is not None and course.technique not in (None, *(w.name for w in lesion.ways)):
            known = sorted(w.name for w in lesion.ways)
            yield f"{place}.technique", course.technique, f"unknown technique; known {known}"
        walk = treatment_days if course.lesion in taken else course_days
        days = walk(
            instance.calendar,
            course.start_day,
            course.fractions // course.fractions_per_day,
            course.interval_days,
        )
        shared = taken.setdefault(course.lesion, set()) & set(days or ())
        taken[course.lesion] |= set(days or ())
        if shared:
            rule = f"another course of {course.lesion} has this day"
            yield f"{place}.start_day", min(shared), rule
        elif days is None:
            rule = "not a machine day of the calendar, or no day on which courses start"
            yield f"{place}.start_day", course.start_day, rule
        elif days[-1] >= instance.days:
            yield f"{place}", days[-1], f"ends outside the horizon of {instance.days} days"
        elif lesion is not None and lesion.course is not None and lesion.course.form == "free":
            missing = sorted(set(days) - set(lesion.course.days))
            if missing:
                yield f"{place}", missing, "not days of the lesion's free course"
    agents = {agent.name: agent for agent in instance.agents}
    for i, given in enumerate(standard.agents):
        place = f"standard.agents[{i}]"
        agent = agents.get(given.agent)
        if agent is None:
            yield f"{place}.agent", given.agent, f"unknown agent; known {listing(agents)}"
        elif given.regimen is not None and given.regimen not in agent.regimens:
            yield f"{place}.regimen", given.regimen, f"not a regimen of {given.agent}"
        else:
            yield from _standard_days(instance, place, agent, given)


def _standard_days(
    instance: Instance, place: str, agent: AgentChoice, given: StandardAgent
) -> Iterator[Problem]:
    """Whether the infusion days take the doses of a standard regimen."""
    from abscopt.instances.infusion_days import given_infusions

    name = given.regimen or agent.regimens[0]
    regimen = instance.regimens.get(name)
    if regimen is None or any(dose.drug not in instance.drugs for dose in regimen.every_dose):
        return
    cycles = agent.cycles if given.cycles is None else given.cycles
    if given_infusions(instance, agent, name, given.start_day, cycles) is None:
        rule = (
            "not an infusion day, or a later dose would move by more than infusion_tolerance_days"
        )
        yield f"{place}.start_day", given.start_day, rule


checks: tuple[Callable[[Instance], Iterable[Problem]], ...] = (
    outside, _names, _horizons, _shares, _sparing, _courses, _limits, _prior, used_up, _systemic,
    missing_cycles, _standard, history_problems, observation_problems,
)  # fmt: skip
"""Every check, in the order in which its problems are listed."""
