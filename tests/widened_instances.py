"""Seeded random cases of the widened model: every case draws some of its terms.

`widened_case(seed)` is the second stream next to `random_instances.random_case`. A theme adds
terms (hypoxia, clones, techniques, phases, ...) and asks for the limits that go with them; caps
are set next to the loads of attractive schedules, prior doses and exposures included.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from drawn_calendars import any_day, with_calendar
from random_instances import CITED, LOOSE, TABLE, Raw, Rng, immune_of, lesion_of, pick, uniform
from table_rows import schedule_of

from abscopt.instances import InputError
from abscopt.instances.load import build
from abscopt.instances.schema import Instance
from abscopt.optimizer.candidates.table import Candidates
from abscopt.optimizer.candidates.tabulated import Tabulated
from abscopt.optimizer.evaluation import Judge
from abscopt.optimizer.evaluation.limits import LimitUse, limit_uses
from abscopt.optimizer.evaluation.systemic import SystemicState, systemic_state
from abscopt.optimizer.schedule import Schedule

BEST, OTHERS = 24, 16
ORGAN = ("bed", "mean", "mean_eqd2", "dose_by_fractions", "ntcp")
KINDS = (*ORGAN, "alc", "edric", "drug", "visits", "lesions", "overall_days", "window", "floor")
SOFT = (*ORGAN, "alc", "edric", "drug", "visits", "machine_days", "overall_days")
POINTS = {"bed": "max", "dose_by_fractions": "max", "mean": "mean", "mean_eqd2": "mean"}

# fmt: off
DECISIVE = (
    3, 15, 51, 59, 79, 82, 91, 96, 99, 105, 127, 138, 140, 149, 161, 199, 207, 222, 236, 246,
    270, 276, 277, 279, 286, 290, 292, 297, 305, 309, 331, 333, 347, 356, 361, 373, 385, 386,
    392, 396, 403, 414, 422, 441, 442, 458, 465, 475, 477, 481, 508, 512, 513, 520, 544, 545,
    562, 586, 604, 607, 609, 619, 629, 642, 644, 647, 654, 679, 702, 703, 717, 728, 733, 742,
    762, 791, 793, 795, 839, 867, 873, 874, 881, 900, 901, 919, 950, 956, 960, 973, 995, 1021,
    1049, 1062, 1063, 1070, 1134, 1145, 1148, 1163, 1170, 1179, 1232, 1501, 1519, 1523, 1541,
    1544, 1546, 1549, 1568, 1584, 1606, 1623, 1628, 1639, 1653, 1666, 1668, 1705, 1732, 1748,
    1760, 1764, 1778, 1799, 1800, 1805, 1841, 1845, 1847, 1848, 1860, 1865, 1890, 1902, 1905,
    1914, 1920, 1923, 1933, 1935, 1961, 1966, 1969, 2003, 2007, 2027, 2049, 2060, 2061, 2066,
    2069, 2072, 2073, 2082, 2086, 2088, 2109, 2123, 2144, 2145, 2155, 2156, 2167, 2183, 2188,
    2192, 2207, 2217, 2273, 2290, 2327, 2340, 2345, 2389, 2394, 2413, 2419, 2431, 2443, 2457,
    2466, 2471, 2508, 2518, 2532, 2560, 2580, 2591, 2605, 2611, 2620, 2624, 2643, 2645, 2647,
    2678, 2680, 2692, 2693, 2703, 2733, 2744, 2757, 3042, 4012, 4036, 4068, 4084,
    10006, 10007, 10017, 10030, 10035, 10044, 10051, 10107, 10110, 10139, 10142, 10154, 10163,
    10173, 10180, 10188, 10194,
)
# fmt: on
"""Of the first 3000 cases with at most 200 schedules, those in which most terms matter; further
ones for reoxygenation, kill of clones by drugs and factors of nodes; from 10 000 on, cases in which
regrowth or repeated release moves the decision."""


REPEATED = 10_000
"""Seeds from here on draw regrowth and repeated release beside their themes."""

CALENDARS = 20_000
"""Seeds from here on draw days of infusions and course starts as well."""

FURTHER = 30_000
"""Seeds from here on draw one theme, days of infusions, and terms that are off unless stated."""


@dataclass
class Draft:
    """A case in the making, and what its themes ask for.

    `chemo` and `phases` say which drugs act how; `limits` are (kind, soft) in order.
    """

    raw: Raw
    chemo: dict[str, float] = field(default_factory=dict)
    phases: list[str] = field(default_factory=list)
    checkpoint: bool = False
    ctla4: bool = False
    rules: bool = False
    limits: list[tuple[str, bool]] = field(default_factory=list)
    prior: float = 0.25

    @property
    def sites(self) -> list[Raw]:
        """Lesions that may be irradiated."""
        return [lesion for lesion in self.raw["lesions"] if "course" in lesion]


Theme = Callable[[Rng, Draft], None]


def widened_case(seed: int) -> Raw:
    """A random case of the widened model as a plain dict."""
    rng = np.random.default_rng([2027, seed])
    draft = Draft(_plain(rng, seed))
    names = list(THEMES)
    first = names[seed % len(names)]
    others = [str(name) for name in rng.permutation([name for name in names if name != first])]
    chosen = others[: 0 if seed >= FURTHER else int(rng.integers(1, 4))]
    for name in [first, *chosen]:
        THEMES[name](rng, draft)
    if seed >= FURTHER:
        further_terms(rng, draft)
    elif seed >= REPEATED:
        repeated_release(rng, draft)
    _drugs(rng, draft)
    draft.raw = with_calendar(draft.raw, seed) if seed >= CALENDARS else any_day(draft.raw)
    plain = not any({"clones", "techniques"} & set(lesion) for lesion in draft.sites)
    if plain and rng.random() < 0.12:
        draft.raw["objective"]["kind"] = "tumor_bed"
    elif rng.random() < 0.3:
        other_objective(rng, draft)
    for _ in range(int(rng.integers(0, 2))):
        draft.limits.append((pick(rng, KINDS), bool(rng.random() < 0.4)))
    draft.limits.sort(key=lambda limit: limit[0] == "floor")
    return _limited(rng, draft)


def _plain(rng: Rng, seed: int) -> Raw:
    days = int(rng.integers(42, 57))
    number = int(pick(rng, (1, 2, 2, 2, 2, 3)))
    occult = number < 3 and rng.random() < 0.6
    most = {1: 8, 2: 5, 3: 3}[number]
    lesions = [lesion_of(rng, f"site{i}", most) for i in range(number)]
    if occult:
        lesions.append(
            {
                "use": "plain_lq",
                "name": "occult",
                "organ": "disseminated",
                "irradiable": False,
                "clonogens": uniform(rng, 1, 200),
            }
        )
    total = number + occult
    for key in ("effector_share", "precursor_share"):
        shares = rng.dirichlet(np.full(total, 3.0)) * 0.98
        for lesion, share in zip(lesions, shares, strict=True):
            lesion[key] = round(float(share), 4)
    return {
        "format": 1,
        "name": f"widened-{seed}",
        "title": "random case",
        "horizon_days": [days] if rng.random() < 0.7 else [int(rng.integers(25, 40)), days],
        "provenance": {"source": "random"},
        "objective": {"kind": "default"},
        "immune": immune_of(rng) | {"use": "default"},
        "lymphocytes": {
            "initial_1e9_per_l": uniform(rng, 1.2, 2.2),
            "recovery_half_time_days": uniform(rng, 10, 60),
        },
        "organs": {
            name: {"alpha_beta_gy": uniform(rng, 2, 4), **CITED}
            for name in ("organ", "lungs", "heart")
        },
        "lesions": lesions,
    }


def _further_block(rng: Rng, lesion: Raw, per_day: int) -> None:
    """A block of a few more courses; LQ-L is left out where several are given a day."""
    course = lesion["course"]
    if per_day > 1:
        lesion.pop("lql_transition_gy", None)
    days = int(pick(rng, (1, 2, 3, 5)))
    count = days * per_day
    high = 1.3 if per_day == 1 else 1.7
    dose = round(2 * 24.0 / count**0.6 * float(rng.uniform(0.8, high))) / 2
    block: Raw = {"fractions": [count], "doses_gy": sorted({dose, dose + pick(rng, (0.5, 1.0))})}
    if per_day > 1:
        block["fractions_per_day"] = per_day
    if rng.random() < 0.3:
        block["interval_days"] = [2]
    course.setdefault("also", []).append(block)
    course["doses_gy"] = course["doses_gy"][:3]


def _resistant(rng: Rng, draft: Draft) -> None:
    """Few clonogens that die slowly: release lasts and the systemic effect decides."""
    for lesion in draft.sites:
        lesion["alpha_per_gy"] = uniform(rng, 0.03, 0.12)
        lesion["clonogens"] = float(np.round(10 ** rng.uniform(1.5, 4)))
    immune = draft.raw["immune"]
    immune["effect_per_effector"] = uniform(rng, 0.3, 1.5)
    immune["precursors_initial"] = uniform(rng, 0.01, 0.3)
    immune["precursor_inflow_per_day"] = 0.0
    if rng.random() < 0.5:
        immune["effect_maximum_nats"] = uniform(rng, 6, 30)


def _demanding(rng: Rng, draft: Draft) -> None:
    """Many clonogens with a low alpha/beta: doses decide."""
    for lesion in draft.sites:
        lesion["alpha_beta_gy"] = uniform(rng, 2.5, 7)
        lesion["clonogens"] = float(np.round(10 ** rng.uniform(6, 8)))


def _dear_drugs(rng: Rng, draft: Draft, chance: float = 0.6) -> None:
    """Drugs at a cost, so that it is a question whether they are given."""
    if rng.random() < chance:
        draft.limits.append((pick(rng, ("drug", "irae_risk")), True))


def _one_site(rng: Rng, draft: Draft, chance: float = 0.4) -> None:
    """Not all lesions may be irradiated, so that it is a question which."""
    if rng.random() < chance and len(draft.sites) > 1:
        draft.limits.append((pick(rng, ("lesions", "visits", "machine_days")), False))


def twice_a_day(rng: Rng, draft: Draft) -> None:
    _demanding(rng, draft)
    draft.raw["calendar"] = {"hours_between_fractions": float(pick(rng, (4.0, 6.0, 8.0)))}
    for lesion in draft.sites:
        if rng.random() < 0.8:
            _further_block(rng, lesion, int(pick(rng, (2, 2, 3))))
        if rng.random() < 0.6:
            lesion["repair_half_time_hours"] = uniform(rng, 2, 15)
    if rng.random() < 0.8:
        draft.raw["organs"]["organ"]["repair_half_time_hours"] = uniform(rng, 2, 12)
    if rng.random() < 0.5:
        draft.limits.append((pick(rng, ("visits", "overall_days", "window")), False))
    draft.limits.append((pick(rng, ("bed", "mean_eqd2", "bed")), False))


def further_blocks(rng: Rng, draft: Draft) -> None:
    _demanding(rng, draft)
    for lesion in draft.sites:
        _further_block(rng, lesion, 1)


def hypoxia(rng: Rng, draft: Draft) -> None:
    for lesion in draft.sites:
        if rng.random() < 0.8:
            lesion["oxygen_modification_factor"] = uniform(rng, 1.3, 2.5)
            if rng.random() < 0.8:
                lesion["reoxygenation_days"] = uniform(rng, 3, 25)


def clones(rng: Rng, draft: Draft) -> None:
    _one_site(rng, draft)
    for lesion in draft.sites:
        if rng.random() < 0.8 and "clones" not in lesion:
            _clones(rng, lesion)
    if rng.random() < 0.6:
        draft.chemo["cytotoxic_log_kill_per_dose"] = uniform(rng, 0.5, 3)


def _clones(rng: Rng, lesion: Raw) -> None:
    number = int(pick(rng, (2, 2, 3)))
    resistant = 10 ** rng.uniform(-4, -0.5, size=number - 1)
    shares = [round(float(share), 6) for share in resistant / max(1.0, 1.2 * resistant.sum())]
    shares = [round(1.0 - sum(shares), 6), *shares]
    found = []
    for i, share in enumerate(shares):
        clone: Raw = {"name": f"clone{i}", "share": share}
        if i and rng.random() < 0.8:
            clone["alpha_per_gy"] = round(lesion["alpha_per_gy"] * uniform(rng, 0.4, 0.9), 4)
        if i and rng.random() < 0.5:
            clone["alpha_beta_gy"] = uniform(rng, 2, 12)
        if rng.random() < 0.5:
            clone["effector_share_factor"] = pick(rng, (0.0, 0.2, 2.0, 4.0))
        if rng.random() < 0.5:
            clone["drug_kill_factor"] = pick(rng, (0.0, 0.2, 2.0))
        found.append(clone)
    lesion["clones"] = found


def techniques(rng: Rng, draft: Draft) -> None:
    for lesion in draft.sites:
        if rng.random() < 0.9:
            _techniques(rng, lesion)
    kinds = (*ORGAN, "alc", "alc", "edric", "edric")
    draft.limits.append((pick(rng, kinds), False))
    if rng.random() < 0.5:
        _resistant(rng, draft)


def _techniques(rng: Rng, lesion: Raw) -> None:
    """A plain way, and others that spare more but have drawbacks."""
    if rng.random() < 0.4 and "clones" not in lesion:
        _clones(rng, lesion)
    found: list[Raw] = [{"name": "way0"}]
    for i in range(1, int(pick(rng, (2, 2, 3)))):
        factor = uniform(rng, 0.2, 0.8)
        organ = lesion["sparing"]["organ"]
        spared = {key: round(value * factor, 4) for key, value in organ.items()}
        if "second_moment" in spared:
            spared["second_moment"] = round(organ["second_moment"] * factor**2 * 1.01, 6)
        way: Raw = {"name": f"way{i}"}
        if rng.random() < 0.8:
            way["sparing"] = {"organ": spared}
        if rng.random() < 0.4:
            way["irradiated_share"] = round(1.0 - 10 ** rng.uniform(-5, -1), 7)
        elif "clones" in lesion and rng.random() < 0.7:
            way["irradiated_share"] = {
                clone["name"]: round(1.0 - 10 ** rng.uniform(-4, -0.5), 7)
                for clone in lesion["clones"][1:]
            }
        if rng.random() < 0.5:
            way["node_factor"] = uniform(rng, 0.0, 0.5)
        if rng.random() < 0.4:
            way["effector_kill_per_fraction"] = pick(rng, (0.0, 1.0, 2.0))
        if rng.random() < 0.5:
            way["lymphocyte_loss_per_fraction"] = pick(rng, (0.0, 0.05, 0.15))
        if rng.random() < 0.3:
            way["lymphocyte_effect_per_fraction"] = pick(rng, (0.0, 0.1, 0.3))
        if rng.random() < 0.5:
            way["integral_dose_cm3"] = round(lesion["integral_dose_cm3"] * uniform(rng, 0.1, 0.9))
        found.append(way)
    lesion["techniques"] = found
    course = lesion["course"]
    course["doses_gy"] = course["doses_gy"][-2:]
    course["last_start_day"] = course["first_start_day"]


def chemotherapy(rng: Rng, draft: Draft) -> None:
    what = pick(rng, ("equivalent", "sensitizer", "equivalent", "loss"))
    if what == "equivalent":
        draft.chemo["equivalent_bed_gy_per_dose"] = uniform(rng, 2, 10)
    if what == "loss" or rng.random() < 0.5:
        draft.chemo["precursor_log_loss_per_dose"] = uniform(rng, 0.5, 3)
    if rng.random() < 0.6:
        draft.chemo["cytotoxic_log_kill_per_dose"] = uniform(rng, 0.3, 3)
    if what != "equivalent":
        _resistant(rng, draft)
    draft.chemo["lymphocyte_log_loss_per_dose"] = uniform(rng, 0.02, 0.3)
    _dear_drugs(rng, draft)


def organ_ser(rng: Rng, draft: Draft) -> None:
    draft.chemo.pop("equivalent_bed_gy_per_dose", None)
    draft.chemo["sensitizer_enhancement_ratio"] = uniform(rng, 1.2, 2)
    draft.chemo["lymphocyte_log_loss_per_dose"] = 0.01
    draft.raw["organs"]["organ"]["sensitizer_enhancement_ratio"] = uniform(rng, 1.3, 2.5)
    _demanding(rng, draft)
    draft.limits.append((pick(rng, ("bed", "mean_eqd2", "dose_by_fractions", "ntcp")), False))


def suppression(rng: Rng, draft: Draft) -> None:
    _resistant(rng, draft)
    immune = draft.raw["immune"]
    which = pick(rng, ("dose", "days", "both"))
    if which != "days":
        immune["suppression_above_gy"] = uniform(rng, 4, 12)
        immune["suppression_per_gy"] = uniform(rng, 0.1, 0.6)
    if which != "dose":
        immune["suppression_after_days"] = uniform(rng, 0, 4)
        immune["suppression_per_day"] = uniform(rng, 0.1, 0.5)
        for lesion in draft.sites:
            course = lesion["course"]
            course |= {"fractions": [2, 3], "interval_days": [1, 7]}
            course |= {
                "doses_gy": course["doses_gy"][:2],
                "last_start_day": course["first_start_day"],
            }
    if rng.random() < 0.5:
        draft.phases.append("suppression")
        _dear_drugs(rng, draft)


def upregulation(rng: Rng, draft: Draft) -> None:
    _resistant(rng, draft)
    draft.raw["immune"]["pdl1_upregulation"] = uniform(rng, 0.4, 1.0)
    draft.checkpoint = True
    _dear_drugs(rng, draft)
    _one_site(rng, draft)


def burden_rule(rng: Rng, draft: Draft) -> None:
    immune = draft.raw["immune"]
    _resistant(rng, draft)
    immune["effect_per_effector"] = uniform(rng, 0.8, 2)
    volumes = [lesion["volume_cm3"] for lesion in draft.sites]
    immune["burden_limit_cm3"] = float(pick(rng, volumes)) * 10 ** uniform(rng, -1.5, -0.1)
    if rng.random() < 0.6:
        immune["burden_blockade"] = uniform(rng, 0.3, 4)
        draft.checkpoint = True
        _dear_drugs(rng, draft)
    _one_site(rng, draft)


def antigen_loss(rng: Rng, draft: Draft) -> None:
    _resistant(rng, draft)
    _one_site(rng, draft, 0.6)
    immune = draft.raw["immune"]
    immune["release_factor"] = pick(rng, (0.1, 0.3, 3.0, 6.0))
    if rng.random() < 0.6:
        immune["share_factor"] = uniform(rng, 0.1, 0.6)


def repeated_release(rng: Rng, draft: Draft) -> None:
    """Survivors that regrow and dying cells that signal again, in courses that may take weeks."""
    _resistant(rng, draft)
    immune = draft.raw["immune"]
    which = pick(rng, ("regrowth", "repeat", "both"))
    if which != "repeat":
        immune["release_regrowth"] = uniform(rng, 0.5, 1.0)
    if which != "regrowth":
        immune["repeat_release"] = uniform(rng, 0.3, 3.0)
    for lesion in draft.sites:
        lesion["growth_doubling_time_days"] = uniform(rng, 3, 12)
        course = lesion["course"]
        course |= {"fractions": [1, 3], "interval_days": [1, 7]}
        course |= {
            "doses_gy": course["doses_gy"][:2],
            "last_start_day": course["first_start_day"],
        }
    _dear_drugs(rng, draft)


def plateau(rng: Rng, draft: Draft) -> None:
    """A gate that falls at the doses of the menus, but not to nothing."""
    immune = draft.raw["immune"]
    immune["gate_plateau"] = uniform(rng, 0.1, 0.9)
    immune["gate_low_gy"], immune["gate_high_gy"] = uniform(rng, 2, 5), uniform(rng, 5, 9)


def own_loss(rng: Rng, draft: Draft) -> None:
    draft.raw["immune"]["own_loss"] = pick(rng, (1.0, 1.0, 0.4))
    for lesion in draft.sites:
        lesion["lymphocyte_effect_per_fraction"] = uniform(rng, 0.05, 0.5)


def liver(rng: Rng, draft: Draft) -> None:
    """One lesion of two, or any, in the liver; hidden disease, too."""
    places = ("liver", "left liver lobe", "Liver, segment 7")
    lesions = draft.raw["lesions"]
    for lesion in lesions:
        if len(lesions) == 1 or rng.random() < 0.5:
            lesion["organ"] = pick(rng, places)
    immune, which = draft.raw["immune"], pick(rng, ("release", "siphon", "both"))
    if which != "siphon":
        immune["liver_release_factor"] = pick(rng, (0.0, 0.3, 2.0))
    if which != "release":
        immune["liver_siphon_nats"] = uniform(rng, 0.3, 2.0)
    _one_site(rng, draft, 0.5)


def ctla4_mobilization(rng: Rng, draft: Draft) -> None:
    draft.raw["immune"]["ctla4_mobilization_per_day"] = uniform(rng, 0.02, 0.2)
    draft.ctla4 = True
    _dear_drugs(rng, draft)


def ctla4_depletion(rng: Rng, draft: Draft) -> None:
    draft.raw["immune"]["ctla4_depletion"] = uniform(rng, 0.5, 3.0)
    draft.ctla4 = True


def count_before(rng: Rng, draft: Draft) -> None:
    immune = draft.raw["immune"]
    immune["count_exponent"] = uniform(rng, 0.5, 2.0)
    if rng.random() < 0.5:
        immune["count_reference_1e9_per_l"] = uniform(rng, 0.8, 2.5)


FURTHER_TERMS: tuple[Theme, ...] = (
    plateau,
    own_loss,
    liver,
    ctla4_mobilization,
    ctla4_depletion,
    count_before,
)


def further_terms(rng: Rng, draft: Draft) -> None:
    """Two to four of the terms that are off unless stated."""
    _resistant(rng, draft)
    order = rng.permutation(len(FURTHER_TERMS))
    for number in order[: int(rng.integers(2, 5))]:
        FURTHER_TERMS[int(number)](rng, draft)


def preblockade(rng: Rng, draft: Draft) -> None:
    _resistant(rng, draft)
    draft.raw["immune"]["preblockade_sign"] = pick(rng, (-1.0, 1.0, -0.8))
    draft.checkpoint = True


def phases(rng: Rng, draft: Draft) -> None:
    _resistant(rng, draft)
    draft.phases.append(pick(rng, ("priming", "mobilization", "effector")))
    _dear_drugs(rng, draft, 0.8)


def two_on_one_phase(rng: Rng, draft: Draft) -> None:
    draft.phases += [pick(rng, ("priming", "mobilization", "effector"))] * 2
    rule = pick(rng, ("multiplicative", "additive", "strongest", "additive", "strongest"))
    draft.raw["immune"]["combination"] = rule
    _resistant(rng, draft)
    _dear_drugs(rng, draft, 0.8)


def complication(rng: Rng, draft: Draft) -> None:
    draft.limits.append(("ntcp", False))
    _demanding(rng, draft)
    if rng.random() < 0.5:
        draft.checkpoint = True
    elif not draft.chemo:
        chemotherapy(rng, draft)


def soft(rng: Rng, draft: Draft) -> None:
    kinds = rng.permutation(SOFT)[:2]
    draft.limits += [(str(kind), True) for kind in kinds]


def prior_doses(rng: Rng, draft: Draft) -> None:
    draft.prior = 1.0
    _demanding(rng, draft)
    draft.limits += [(str(kind), False) for kind in rng.permutation(ORGAN)[:2]]


def immune_events(rng: Rng, draft: Draft) -> None:
    draft.limits.append(("irae_risk", bool(rng.random() < 0.3)))
    draft.checkpoint = True


def machine_time(rng: Rng, draft: Draft) -> None:
    kind = pick(rng, ("machine_days", "window", "window", "course_gap_days", "course_gap_days"))
    draft.limits.append((kind, False))
    for i, lesion in enumerate(draft.sites if kind == "course_gap_days" else []):
        course = lesion["course"]
        course["doses_gy"] = course["doses_gy"][:2]
        course["first_start_day"] = 7 * int(rng.integers(0, 2))
        course["start_step_days"] = 14 if i else 7
        course["last_start_day"] = course["first_start_day"] + course["start_step_days"]


def before_radiation(rng: Rng, draft: Draft) -> None:
    draft.rules = True
    draft.checkpoint = True
    for lesion in draft.sites:
        course = lesion["course"]
        course["start_step_days"] = int(pick(rng, (2, 4, 7)))
        course["last_start_day"] = course["first_start_day"] + course["start_step_days"]
        course["doses_gy"] = course["doses_gy"][-2:]


def other_objective(rng: Rng, draft: Draft) -> None:
    _one_site(rng, draft)
    draft.raw["objective"]["kind"] = pick(rng, ("log_control", "expected_control", "log_kill"))


THEMES: dict[str, Theme] = {
    theme.__name__: theme
    for theme in (
        twice_a_day,
        hypoxia,
        clones,
        techniques,
        further_blocks,
        chemotherapy,
        suppression,
        upregulation,
        burden_rule,
        antigen_loss,
        preblockade,
        phases,
        two_on_one_phase,
        complication,
        soft,
        prior_doses,
        organ_ser,
        immune_events,
        machine_time,
        before_radiation,
        other_objective,
    )
}


AGENTS = {"relatlimab": 80.0, "ivuxolimab": 100.0, "utomilumab": 100.0, "tiragolumab": 600.0}
"""Agents of the library with a phase, and a dose in mg that blocks well."""
CTLA4 = {"ipilimumab": 50.0}
CHECKPOINT = {"pembrolizumab": 200.0, "nivolumab": 240.0, "durvalumab": 1500.0}


def _drugs(rng: Rng, draft: Draft) -> None:
    """Regimens, agents and drugs: at most six plans."""
    raw = draft.raw
    asked = draft.chemo or draft.phases or draft.checkpoint or draft.ctla4
    if not asked and rng.random() < 0.3:
        return
    drugs: dict[str, Raw] = {}
    regimens: dict[str, Raw] = {}
    agents: list[Raw] = []
    if draft.chemo:
        name, dose = pick(rng, (("cisplatin", 75.0), ("carboplatin", 90.0)))
        drugs[name] = {"use": name, **draft.chemo}
        if "equivalent_bed_gy_per_dose" in draft.chemo:
            drugs[name]["sensitizer_enhancement_ratio"] = 1.0
        drugs[name]["sensitizing_days"] = int(pick(rng, (2, 4, 7)))
        weekly = rng.random() < 0.5
        regimens["chemo"] = _regimen(7 if weekly else 21, 3 if weekly else 2, {name: dose})
        agents.append(_agent(rng, "chemotherapy", "chemo", starts=2 if rng.random() < 0.6 else 1))
    if draft.phases or draft.checkpoint or draft.ctla4 or not draft.chemo:
        given = {}
        names = [str(name) for name in rng.permutation(list(AGENTS))]
        for name, phase in zip(names, draft.phases[:3], strict=False):
            sign = pick(rng, (1, 1, -1)) if phase != "suppression" else -1
            strength = uniform(rng, 0.3, 1.0) if sign < 0 else uniform(rng, 0.3, 4)
            drugs[name] = {"use": name, "phase": phase, "sign": sign, "strength": strength}
            given[name] = AGENTS[name]
        if draft.checkpoint or not given:
            given |= dict([pick(rng, list(CHECKPOINT.items()))])
        if draft.ctla4:
            given |= CTLA4
        for name in given:
            drugs.setdefault(name, {"use": name})
            drugs[name]["irae_risk_per_dose"] = uniform(rng, 0.02, 0.15)
        cycles = int(pick(rng, (1, 2, 3)))
        regimens["immune"] = _regimen(int(pick(rng, (7, 14, 21))), cycles, given)
        starts = 1 if len(agents) == 1 and agents[0]["start_step_days"] > 1 else 2
        agents.append(_agent(rng, "systemic", "immune", starts=starts))
        if rng.random() < 0.4:
            once = _regimen(28, 1, dict([next(iter(given.items()))]))
            regimens["once"] = once
            agents[-1]["regimens"].append("once")
    if draft.rules:
        _rules(rng, agents[-1])
    raw |= {"drugs": drugs, "regimens": regimens, "agents": agents}


def _regimen(cycle: int, cycles: int, given: dict[str, float]) -> Raw:
    doses = [
        {"drug": name, "day": 0, "amount": amount, "unit": "mg"} for name, amount in given.items()
    ]
    return {"cycle_days": cycle, "max_cycles": cycles, "doses": doses, **CITED}


def _agent(rng: Rng, name: str, regimen: str, starts: int) -> Raw:
    step = int(rng.integers(3, 15)) if starts > 1 else 1
    first = int(pick(rng, (0, 0, 2, 5, 10, 14)))
    return {
        "name": name,
        "regimens": [regimen],
        "first_start_day": first,
        "last_start_day": first + step * (starts - 1),
        "start_step_days": step,
        "optional": bool(rng.random() < 0.8),
    }


def _rules(rng: Rng, agent: Raw) -> None:
    if rng.random() < 0.7:
        agent["min_days_before_radiation"] = int(rng.integers(1, 8))
    if rng.random() < 0.6 or "min_days_before_radiation" not in agent:
        least = agent.get("min_days_before_radiation", 0)
        agent["max_days_before_radiation"] = least + int(rng.integers(0, 4))
    agent["first_start_day"] = int(pick(rng, (0, 1)))
    agent["last_start_day"] = agent["first_start_day"]
    agent["optional"] = bool(rng.random() < 0.5)


@dataclass
class _Sample:
    """A schedule with its objective so far (costs taken off) and what its drugs do."""

    schedule: Schedule
    objective: float
    state: SystemicState


def _limited(rng: Rng, draft: Draft) -> Raw:
    """The case with caps that rule out, or make dear, what would be best without them."""
    raw = draft.raw
    samples = _samples(rng, build({**raw, "limits": []}))
    limits: list[Raw] = []
    for kind, is_soft in draft.limits:
        if any(limit["name"] == kind for limit in limits) or not samples:
            continue
        loose = _loose(rng, draft, kind)
        if loose is None:
            continue
        prior = _prior(rng, loose) if rng.random() < draft.prior else []
        known = [p for p in raw.get("prior_doses", []) if _counts(loose, p)]
        prior = [] if known else prior
        trial = {**raw, "prior_doses": [*known, *prior]}
        limit = _tightened(rng, trial, loose, is_soft, samples)
        if limit is None or not _possible({**trial, "limits": [*limits, limit]}):
            continue
        raw.setdefault("prior_doses", []).extend(prior)
        limits.append(limit)
        samples = _judged(trial, limit, samples)
    if samples and rng.random() < 0.06:
        _make_hopeless(raw, limits)
    return {**raw, "limits": limits}


def _possible(trial: Raw) -> bool:
    """Whether a case is admissible: no prior dose alone breaks a limit."""
    try:
        build(trial)
    except InputError:
        return False
    return True


def _samples(rng: Rng, instance: Instance) -> list[_Sample]:
    """The best schedules by the coefficient tables and some others, judged, best first."""
    candidates, judge = Candidates(instance), Judge(instance)
    sizes = [range(len(table.menu)) for table in candidates.lesions]
    rows = np.array(list(itertools.product(*sizes)))
    known: list[tuple[float, int, int]] = []
    for plan in range(len(candidates.plans)):
        tabulated = Tabulated(candidates, plan)
        kept = np.flatnonzero(tabulated.feasible(rows))
        values = tabulated.value(rows[kept])
        known += [(-float(v), plan, int(i)) for v, i in zip(values, kept, strict=True)]
    known.sort()
    others = rng.permutation(len(known))[:OTHERS]
    found = []
    for index in sorted({*range(min(BEST, len(known))), *(int(i) for i in others)}):
        _, plan, row = known[index]
        schedule = schedule_of(candidates, plan, rows[row])
        objective = judge.evaluate(schedule).objective
        found.append(_Sample(schedule, objective, systemic_state(instance, schedule.infusions)))
    return sorted(found, key=lambda sample: -sample.objective)


def _uses(trial: Raw, limit: Raw, samples: list[_Sample]) -> list[LimitUse] | None:
    """One limit on all samples; None if the limit is not admissible."""
    try:
        instance = build({**trial, "limits": [limit]})
    except InputError:
        return None
    return [limit_uses(instance, sample.schedule, sample.state)[0] for sample in samples]


def _judged(trial: Raw, limit: Raw, samples: list[_Sample]) -> list[_Sample]:
    """Samples that keep a limit, their costs taken off, best first."""
    uses = _uses(trial, limit, samples)
    assert uses is not None
    left = [
        _Sample(sample.schedule, sample.objective - use.cost, sample.state)
        for sample, use in zip(samples, uses, strict=True)
        if not use.broken
    ]
    return sorted(left, key=lambda sample: -sample.objective)


def _tightened(
    rng: Rng, trial: Raw, loose: Raw, is_soft: bool, samples: list[_Sample]
) -> Raw | None:
    """Limit that a good schedule just keeps and the best one does not; None if there is none."""
    uses = _uses(trial, loose, samples)
    if uses is None:
        return None
    floor = loose["kind"] == "alc" or "floor" in loose
    values = [(math.inf if floor else 0.0) if use.value is None else use.value for use in uses]
    loads = [-value for value in values] if floor else values
    lower = [i for i, load in enumerate(loads) if load < loads[0] - 1e-6 * max(1, abs(loads[0]))]
    if not lower:
        return None
    chosen = lower[int(rng.integers(max(1, min(len(lower), len(samples) // 3))))]
    if loose["kind"] == "dose_by_fractions":
        limit = _tightened_table(rng, trial, loose, samples[chosen])
    else:
        limit = _capped(rng, trial, loose, values[chosen])
    if limit is None or _uses(trial, limit, samples[:1]) is None:
        return None
    if is_soft:
        limit = _softened(rng, trial, limit, samples, loads, chosen)
    return limit


def _capped(rng: Rng, trial: Raw, loose: Raw, value: float) -> Raw | None:
    exact = 1.0 if rng.random() < 0.3 else 1.0 + 10 ** rng.uniform(-6, -2)
    if loose["kind"] == "alc":
        cap = value / exact
        before = trial["lymphocytes"]["initial_1e9_per_l"]
        return {**loose, "floor_1e9_per_l": cap} if cap < before else None
    if "floor" in loose:
        wanted = 7 if math.isinf(value) else int(value)
        return {**loose, "floor": wanted} if wanted > 0 else None
    if loose["kind"] == "logistics":
        return {**loose, "cap": round(value)}
    if loose["kind"] == "ntcp":
        return {**loose, "cap": min(value * exact, 0.999)}
    key = "cap" if loose["kind"] == "drug" else "cap_gy"
    cap = max(value * exact, 1e-3)
    if loose.get("quantity") == "irae_risk":
        cap = min(cap, 0.99)
    return {**loose, key: cap}


def _tightened_table(rng: Rng, trial: Raw, loose: Raw, sample: _Sample) -> Raw | None:
    """Scale the table so that one schedule's Miner sum is 1 or slightly less."""
    power = uniform(rng, 0.2, 0.7)
    shape = [n**power for n in TABLE]

    def table(scale: float) -> Raw:
        return {**loose, "limits_gy": [float(scale * value) for value in shape]}

    def too_much(scale: float) -> bool:
        uses = _uses(trial, table(scale), [sample])
        return uses is None or not uses[0].kept  # None: the prior dose alone is too much

    low, high = 0.1, 300.0
    if too_much(high) or not too_much(low):
        return None
    for _ in range(45):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if too_much(middle) else (low, middle)
    return table(high * (1.0 + 10 ** rng.uniform(-5, -2)))


def _softened(
    rng: Rng, trial: Raw, limit: Raw, samples: list[_Sample], loads: list[float], chosen: int
) -> Raw | None:
    """The limit with a penalty near the point at which keeping it begins to pay."""
    if limit.get("floor") is not None or (limit["kind"] == "logistics" and limit["cap"] < 1):
        return None
    uses = _uses(trial, {**limit, "penalty": 1.0}, samples[:1])
    if uses is None or uses[0].use is None or uses[0].cost < 1e-6:
        return None
    kept = [s.objective for s, load in zip(samples, loads, strict=True) if load <= loads[chosen]]
    worth = max(samples[0].objective - max(kept), 1e-3)
    return {**limit, "penalty": float(worth / uses[0].cost * 10 ** rng.uniform(-0.7, 0.5))}


def _loose(rng: Rng, draft: Draft, kind: str) -> Raw | None:
    """A limit of one kind with a cap that nothing reaches; None if the case has no use for it."""
    organ: Raw = {"organ": "organ", "cap_gy": LOOSE}
    ratio = uniform(rng, 2, 4)
    no_max = all("max" not in lesion["sparing"]["organ"] for lesion in draft.sites)
    if kind in ("bed", "dose_by_fractions") and no_max:
        return None
    found: Raw | None
    if kind == "ntcp":
        found = _ntcp(rng, draft, ratio)
    elif kind in ("drug", "irae_risk"):
        found = _drug(rng, draft, kind)
    elif kind in ("window", "course_gap_days"):
        found = _counted(rng, draft, kind)
    elif kind == "dose_by_fractions":
        limits = [100.0 * n**0.5 for n in TABLE]
        found = {"kind": kind, "organ": "organ", "fractions": list(TABLE), "limits_gy": limits}
    elif kind == "alc":
        found = {"kind": kind, "floor_1e9_per_l": 1e-6}
    elif kind == "edric":
        found = {"kind": kind, "cap_gy": LOOSE}
    elif kind in ("bed", "mean_eqd2"):
        found = {**organ, "kind": kind, "alpha_beta_gy": ratio}
    elif kind == "mean":
        found = {**organ, "kind": kind}
    elif kind == "floor":
        found = {"kind": "logistics", "quantity": "lesions", "floor": 0}
    else:
        found = {"kind": "logistics", "quantity": kind, "cap": 9999}
    return None if found is None else {"name": kind, **found, **CITED}


def _ntcp(rng: Rng, draft: Draft, ratio: float) -> Raw:
    found: Raw = {"kind": "ntcp", "organ": "organ", "cap": 0.9999}
    if rng.random() < 0.5:
        found |= {"dose": "eqd2", "alpha_beta_gy": ratio}
    if rng.random() < 0.5:
        found |= {"model": "logistic"}
        found |= {"intercept": uniform(rng, -5, -2.5), "slope_per_gy": uniform(rng, 0.05, 0.3)}
    else:
        found |= {"model": "lkb", "td50_gy": uniform(rng, 8, 30), "m": uniform(rng, 0.2, 0.45)}
    classes = []
    if draft.checkpoint or draft.phases:
        classes.append("checkpoint_inhibitor")
    if draft.chemo:
        classes.append("chemotherapy")
    if classes and rng.random() < 0.8:
        key = pick(rng, ("risk_ratio", "odds_ratio"))
        found["exposures"] = [
            {
                "drugs": name,
                "days_before": int(pick(rng, (0, 3, 14, 30))),
                "days_after": int(pick(rng, (0, 7, 30))),
                key: uniform(rng, 1.5, 4),
            }
            for name in classes
        ]
    return found


def _drug(rng: Rng, draft: Draft, kind: str) -> Raw | None:
    drugs = [d["drug"] for r in draft.raw.get("regimens", {}).values() for d in r["doses"]]
    if not drugs:
        return None
    drug = pick(rng, sorted(set(drugs)))
    if kind == "irae_risk":
        found: Raw = {"kind": "drug", "quantity": kind, "cap": 0.9999}
        return found if rng.random() < 0.6 else {**found, "drug": drug}
    quantity = pick(rng, ("dose_mg", "dose_mg_per_m2", "doses"))
    return {"kind": "drug", "drug": drug, "quantity": quantity, "cap": 1e6}


def _counted(rng: Rng, draft: Draft, kind: str) -> Raw | None:
    found: Raw
    if kind == "course_gap_days":
        found = {"kind": "logistics", "quantity": kind, "floor": 1}
        return found if len(draft.sites) > 1 else None
    first = int(pick(rng, (0, 1, 2, 4)))
    found = {"kind": "logistics", "cap": 9999, "first_day": first}
    found["quantity"] = pick(rng, ("visits", "lesions_per_day", "machine_days"))
    if rng.random() < 0.8:
        found["last_day"] = first + int(rng.integers(0, 6))
    return found


def _prior(rng: Rng, limit: Raw) -> list[Raw]:
    """A prior dose that a limit on an organ counts."""
    if limit["kind"] not in ORGAN:
        return []
    point = POINTS.get(limit["kind"], limit.get("point", "mean"))
    dose = uniform(rng, 0.8, 2.5) if point == "max" else uniform(rng, 0.3, 0.9)
    found: Raw = {"organ": "organ", "point": point, "source": "random", "dose_gy": dose}
    found["fractions"] = int(rng.integers(5, 26))
    if point == "mean":
        found["second_moment_gy2"] = round(dose**2 * uniform(rng, 1.0, 2.5), 5)
    if rng.random() < 0.6:
        found["recovered"] = uniform(rng, 0, 0.7)
    return [found]


def _counts(limit: Raw, prior: Raw) -> bool:
    point = POINTS.get(limit["kind"], limit.get("point", "mean"))
    return limit["kind"] in ORGAN and prior["point"] == point


def _make_hopeless(raw: Raw, limits: list[Raw]) -> None:
    """A lesion asked for and no visit, or a mandatory agent that a limit on its drug forbids."""
    if raw.get("prior_doses"):
        for quantity, side in (("lesions", {"floor": 1}), ("visits", {"cap": 0})):
            rule = {"kind": "logistics", "quantity": quantity, **side}
            limits.append({"name": f"none-{quantity}", **rule, **CITED})
    for agent in raw.get("agents", []):
        agent["optional"] = False
        drug = raw["regimens"][agent["regimens"][0]]["doses"][0]["drug"]
        rule = {"kind": "drug", "drug": drug, "quantity": "doses", "cap": 0.5}
        limits.append({"name": f"none-{drug}", **rule, **CITED})
