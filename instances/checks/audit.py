"""Input audit: what a case leaves open, assumes, loses or states in an unusual way.

Everything here follows from the case alone. Nothing here is wrong input: that is `consistency`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from abscopt.instances.checks.notes import Note, note
from abscopt.instances.checks.numbers.unusual import unusual_values
from abscopt.instances.checks.offer import timings
from abscopt.instances.checks.windows import unplaced_by_agent
from abscopt.instances.infusion_days import given_infusions
from abscopt.instances.limits import AlcLimit, DoseByFractionsLimit, DrugLimit, OrganLimit
from abscopt.instances.menus.phase_timings import phase_timings
from abscopt.instances.prior import prior_load
from abscopt.instances.regimens import dose_in_mg

if TYPE_CHECKING:
    from abscopt.instances.lesions import Lesion, Technique
    from abscopt.instances.menus.courses import UniformCourse
    from abscopt.instances.schema import Instance
    from abscopt.instances.tables.sparing import SparingFactor
    from abscopt.instances.tables.systemic import AgentChoice

BODY_KEYS = {
    "mg_per_kg": ("weight_kg", "kg"),
    "mg_per_m2": ("bsa_m2", "m2"),
    "auc": ("gfr_ml_per_min", "mL/min"),
}
"""Unit of a dose -> the body value that turns it into mg, with its unit."""


def input_notes(instance: Instance) -> tuple[Note, ...]:
    """Every note on a case that needs neither courses nor judge, in the order of the case."""
    checks = (
        _assumed, _sparing, _losses, _menus, _prior, _cycles, _starts, _immune_shares, _idle_terms,
        _agents, _envelopes, _bins, unusual_values,
    )  # fmt: skip
    return tuple(found for check in checks for found in check(instance))


def _counted_points(instance: Instance) -> dict[tuple[str, str], list[str]]:
    """(organ, point) -> names of the limits that count the dose there."""
    found: dict[tuple[str, str], list[str]] = {}
    for limit in instance.limits:
        for key in limit.counted_points:
            found.setdefault(key, []).append(limit.name)
    return found


def _envelopes(instance: Instance) -> Iterator[Note]:
    """Tables that do not fall per fraction and cannot be looked up in this case."""
    for i, limit in enumerate(instance.limits):
        if not isinstance(limit, DoseByFractionsLimit) or limit.looked_up(instance):
            continue
        fractions, limits_gy = limit.safe
        if limits_gy != limit.limits_gy:
            yield note(
                "envelope", f"limits[{i}]", limit=limit.name,
                point=f"{limit.organ}.{limit.point}",
                limits="/".join(f"{dose:.4g}" for dose in limits_gy),
                fractions="/".join(f"{count:g}" for count in fractions),
            )  # fmt: skip


def _sparing(instance: Instance) -> Iterator[Note]:
    """Points that a limit counts and an irradiable lesion, or a technique of it, leaves out."""
    counted = _counted_points(instance)
    for i in instance.irradiable:
        lesion = instance.lesions[i]
        shared = [k for k in counted if any(k[0] not in way.sparing for way in lesion.ways)]
        yield from _left_out(f"lesions[{i}].sparing", lesion.name, lesion.sparing, shared, counted)
        for j, way in enumerate(lesion.techniques):
            place = f"lesions[{i}].techniques[{j}].sparing"
            own = [key for key in counted if key[0] in way.sparing]
            name = f"{lesion.name} ({way.name})"
            yield from _left_out(place, name, way.sparing, own, counted)


BINS_APART = 0.02
"""Relative difference of a stated mean and that of the bins that is no rounding."""


def _bins(instance: Instance) -> Iterator[Note]:
    """Means that factors and bins of one organ state differently."""
    for i, lesion in enumerate(instance.lesions):
        tables = [(f"lesions[{i}]", lesion.sparing, lesion.bins)]
        tables += [
            (f"lesions[{i}].techniques[{j}]", way.sparing, way.bins)
            for j, way in enumerate(lesion.techniques)
        ]
        for place, sparing, histograms in tables:
            for organ, histogram in histograms.items():
                stated = sparing.get(organ, {}).get("mean")
                far = BINS_APART * histogram.mean
                if isinstance(stated, float) and abs(stated - histogram.mean) > far:
                    yield note(
                        "bins_apart", f"{place}.histograms.{organ}", stated=stated,
                        organ=organ, mean=histogram.mean,
                    )  # fmt: skip


def _left_out(
    place: str,
    name: str,
    stated: dict[str, dict[str, SparingFactor]],
    wanted: list[tuple[str, str]],
    counted: dict[tuple[str, str], list[str]],
) -> Iterator[Note]:
    missing = [key for key in wanted if key[1] not in stated.get(key[0], {})]
    if missing:
        points = ", ".join(_point_words(*key, counted[key]) for key in missing)
        yield note("sparing_not_stated", place, lesion=name, points=points)


def _point_words(organ: str, point: str, limits: list[str]) -> str:
    """`esophagus.max`, with the limits that count it where their names do not say so."""
    plain = limits == [f"{organ}_{point}"]
    return f"{organ}.{point}" + ("" if plain else f" ({', '.join(limits)})")


def _losses(instance: Instance) -> Iterator[Note]:
    """Lymphocyte losses that a floor counts and an irradiable lesion leaves out."""
    key = "lymphocyte_loss_per_fraction"
    floor = next((limit for limit in instance.limits if isinstance(limit, AlcLimit)), None)
    for i in instance.irradiable if floor is not None else ():
        lesion = instance.lesions[i]
        if key not in lesion.model_fields_set and any(_unstated(w, key) for w in lesion.ways):
            assert floor is not None
            place = f"lesions[{i}].{key}"
            yield note("loss_not_stated", place, lesion=lesion.name, limit=floor.name)


def _unstated(way: Technique, key: str) -> bool:
    return getattr(way, key) is None


def _assumed(instance: Instance) -> Iterator[Note]:
    """Values that nobody stated and that turn into a dose or decide a limit."""
    reasons: dict[str, tuple[str, str]] = {}
    for agent in instance.agents:
        for name in agent.regimens:
            for dose in instance.regimens[name].every_dose:
                if dose.unit in BODY_KEYS:
                    key, unit = BODY_KEYS[dose.unit]
                    given = dose_in_mg(dose.amount, dose.unit, instance.patient)
                    effect = f", so that {name} gives {given:g} mg of {dose.drug}"
                    reasons.setdefault(key, (unit, effect))
    for limit in instance.limits:
        if isinstance(limit, DrugLimit) and limit.quantity == "dose_mg_per_m2":
            reasons.setdefault("bsa_m2", ("m2", f", which limit {limit.name} divides by"))
    for key, (unit, effect) in reasons.items():
        if key not in instance.patient.model_fields_set:
            value = getattr(instance.patient, key)
            place = f"patient.{key}"
            yield note("value_assumed", place, key=key, value=value, unit=unit, effect=effect)
    key = "initial_1e9_per_l"
    floors = [limit.name for limit in instance.limits if isinstance(limit, AlcLimit)]
    if floors and key not in instance.lymphocytes.model_fields_set:
        value, effect = instance.lymphocytes.initial_1e9_per_l, f", from which {floors[0]} counts"
        place, unit = f"lymphocytes.{key}", "x 1e9/L"
        yield note("value_assumed", place, key=key, value=value, unit=unit, effect=effect)


def _menus(instance: Instance) -> Iterator[Note]:
    """Uniform menus of which the horizon leaves nothing, or cuts a part."""
    for i in instance.irradiable:
        lesion, place = instance.lesions[i], f"lesions[{i}].course"
        if lesion.course is None or lesion.course.form == "free":
            continue
        reason = empty_menu(instance, lesion)
        if reason is not None:
            yield note("menu_empty", place, lesion=lesion.name, reason=reason)
            continue
        cut = [] if lesion.course.form == "phases" else list(_cut(instance, lesion.course))
        if cut:
            facts = {"days": instance.days, "lesion": lesion.name, "cut": "; ".join(cut)}
            yield note("courses_cut", place, **facts)


def empty_menu(instance: Instance, lesion: Lesion) -> str | None:
    """Why a lesion has no uniform course to choose; None where it has one."""
    course = lesion.course
    assert course is not None and course.form != "free"
    if course.form == "phases":
        if next(phase_timings(instance, lesion, past_starts=True), None) is not None:
            return None
        return f"no course of its phases ends within the horizon of {instance.days} days"
    found = timings(instance, course)
    if not found:
        window = f"{course.first_start_day} to {course.last_start_day}"
        return f"from no day of its start window ({window}) has it machine days enough"
    if any(timing.offered(instance.days) for timing in found):
        return None
    least = min(found, key=lambda timing: timing.first[-1])
    needed, dose = least.first[-1] + 1, min(least.block.levels_gy)
    return (
        f"{least.fractions} x {dose:g} Gy needs {needed} days when it starts on day "
        f"{least.first[0]}, and the horizon is {instance.days} days"
    )


def _cut(instance: Instance, course: UniformCourse) -> Iterator[str]:
    """Fraction numbers that never end in time, and those that do so only from early starts."""
    found = timings(instance, course)
    for number in sorted({timing.fractions for timing in found}):
        own = [timing for timing in found if timing.fractions == number]
        gone = [timing for timing in own if not timing.offered(instance.days)]
        if len(gone) == len(own):
            least = min(timing.first[-1] for timing in own) + 1
            yield f"{number} fractions need {least} days and are not offered"
            continue
        for timing in gone:
            needed = timing.first[-1] + 1
            yield f"{number} fractions every {timing.interval} days need {needed} and are left out"
        late = [
            timing.interval for timing in own if timing not in gone and timing.cut(instance.days)
        ]
        if late:
            days = "/".join(str(interval) for interval in late)
            yield f"{number} fractions (interval {days}) not from the last start days"


def _prior(instance: Instance) -> Iterator[Note]:
    """Soft limits that prior doses alone exceed; hard ones are wrong input."""
    for i, limit in enumerate(instance.limits):
        if isinstance(limit, OrganLimit) and limit.penalty is not None:
            use = prior_load(instance, limit)
            if use > 1 + 1e-9:
                yield note("prior_over_soft", f"limits[{i}]", use=100 * use, limit=limit.name)


def _cycles(instance: Instance) -> Iterator[Note]:
    """Cycles asked for that a regimen does not have, and doses that the horizon cuts."""
    for i, agent in enumerate(instance.agents):
        for name in agent.regimens:
            regimen, place = instance.regimens[name], f"agents[{i}].regimens"
            most = regimen.all_cycles
            asked = most if agent.cycles is None else agent.cycles
            if asked > most:
                facts: dict[str, object] = {"asked": asked, "regimen": name, "most": most}
                yield note("cycles_beyond_regimen", f"agents[{i}].cycles", **facts)
            start, given = _last_start(instance, agent, name)
            planned = regimen.cycles_in_order(min(asked, most))
            total = sum(len(doses) for _, doses in planned)
            if start is not None and given < total:
                facts = {"regimen": name, "given": given, "total": total, "start": start}
                yield note("doses_cut", place, days=instance.days, **facts)


def _starts(instance: Instance) -> Iterator[Note]:
    """Regimens whose later doses find no infusion day from some starts, or from all."""
    for i, sentence in unplaced_by_agent(instance):
        yield note("starts_not_offered", f"agents[{i}]", sentence=sentence)


def _last_start(instance: Instance, agent: AgentChoice, regimen: str) -> tuple[int | None, int]:
    """The last start day that the calendar offers, and the number of doses given from it."""
    for start in reversed(agent.start_days):
        given = given_infusions(instance, agent, regimen, start, agent.cycles)
        if given is not None:
            return start, len(given)
    return None, 0


def _immune_shares(instance: Instance) -> Iterator[Note]:
    """Shares that leave the systemic effect without a lesion to act on, or without a source."""
    if instance.objective.of_dose_alone or instance.immune.effect_per_effector == 0:
        return
    if all(lesion.effector_share == 0 for lesion in instance.lesions):
        yield note("no_effector_share", "lesions")
    elif (
        instance.immune.precursors_initial > 0
        and _blockers(instance)
        and all(lesion.precursor_share == 0 for lesion in instance.lesions)
    ):
        yield note("no_precursor_share", "lesions")


def _idle_terms(instance: Instance) -> Iterator[Note]:
    """Terms of the liver without a lesion there, of anti-CTLA-4 without such a drug."""
    c = instance.immune
    if instance.objective.of_dose_alone or c.effect_per_effector == 0:
        return
    offered = {
        dose.drug
        for agent in instance.agents
        for name in agent.regimens
        for dose in instance.regimens[name].every_dose
    }
    idle = {
        "no organ of a lesion has the word liver in it": (
            not any(lesion.in_liver for lesion in instance.lesions),
            {"liver_release_factor": 1.0, "liver_siphon_nats": 0.0},
        ),
        "no agent offers a CTLA-4 inhibitor without a phase": (
            not any(
                drug.target == "CTLA-4" and drug.phase is None
                for drug in (instance.drugs[name] for name in offered)
            ),
            {"ctla4_mobilization_per_day": 0.0, "ctla4_depletion": 0.0},
        ),
    }
    for reason, (holds, neutral) in idle.items():
        for key, value in neutral.items():
            if holds and getattr(c, key) != value:
                yield note("term_without_effect", f"immune.{key}", key=key, reason=reason)


def _blockers(instance: Instance) -> list[int]:
    """Agents that give checkpoint inhibitors only."""
    return [
        i
        for i, agent in enumerate(instance.agents)
        if all(
            instance.drugs[dose.drug].kind == "checkpoint_inhibitor"
            for name in agent.regimens
            for dose in instance.regimens[name].every_dose
        )
    ]


def _agents(instance: Instance) -> Iterator[Note]:
    """Checkpoint inhibitors in a case without a systemic effect."""
    reason = None
    if instance.objective.of_dose_alone:
        reason = "objective tumor_bed knows no systemic effect"
    elif instance.immune.effect_per_effector == 0:
        reason = "the systemic effect is off (immune.effect_per_effector = 0)"
    for i in _blockers(instance) if reason is not None else ():
        name = instance.agents[i].name
        yield note("agent_without_effect", f"agents[{i}]", agent=name, reason=reason)
