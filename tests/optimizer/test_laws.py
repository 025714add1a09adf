"""Laws that hold whatever the numbers are, up to the sum of both gaps."""

from __future__ import annotations

import copy
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache

import plain_cases as plain
import pytest
from brute_force import plans
from neutral_terms import agents, clones, drugs, exposures, immune, organs, techniques
from random_instances import CITED, Raw, Size, random_case
from widened_instances import DECISIVE, widened_case

from abscopt.instances import InputError
from abscopt.instances.load import build, library
from abscopt.optimizer import solve

GAP = 1e-4
SLACK = 2 * GAP + 1e-9
EXACT = 1e-9
SEEDS = range(2000, 2012)
SIZE = Size(irradiable=(1, 2, 2, 3), courses=6, courses_of_three=4)
CHECKPOINT = {"pd1", "pd1-once", "both", "ctla4"}


def optimum(raw: Raw, gap: float = GAP) -> float:
    """Objective of the answer; -inf if infeasible."""
    result = solve(build(raw), gap=gap)
    if result.status == "infeasible":
        return -math.inf
    assert result.status == "optimal"
    assert result.objective is not None
    return result.objective


def admissible(raw: Raw) -> bool:
    """Whether a changed case is one: some caps can be so low that no dose keeps them."""
    try:
        build(raw)
    except InputError:
        return False
    return True


def case(seed: int) -> Raw:
    return random_case(seed, SIZE)


def tightened(raw: Raw) -> Iterator[Raw]:
    """The case with one limit tighter, for every limit."""
    before = raw["lymphocytes"]["initial_1e9_per_l"]
    for i, limit in enumerate(raw["limits"]):
        harder = copy.deepcopy(raw)
        own = harder["limits"][i]
        if limit["kind"] == "alc":
            own["floor_1e9_per_l"] = math.sqrt(before * limit["floor_1e9_per_l"])
        elif limit["kind"] == "logistics" and "floor" in limit:
            if limit["floor"] >= sum("course" in lesion for lesion in raw["lesions"]):
                continue
            own["floor"] += 1
        elif limit["kind"] == "logistics":
            if limit["cap"] == 0:
                continue
            own["cap"] -= 1
        elif limit["kind"] == "dose_by_fractions":
            own["limits_gy"] = [0.9 * value for value in limit["limits_gy"]]
        elif limit["kind"] in ("drug", "ntcp"):
            own["cap"] = 0.9 * limit["cap"]
        else:
            own["cap_gy"] = 0.9 * limit["cap_gy"]
        yield harder


def extended(raw: Raw) -> Iterator[Raw]:
    """The case with one more dose level, start day, interval or regimen."""
    for i, lesion in enumerate(raw["lesions"]):
        if "course" not in lesion:
            continue
        for key in ("doses_gy", "last_start_day", "interval_days"):
            richer = copy.deepcopy(raw)
            course = richer["lesions"][i]["course"]
            if key == "doses_gy":
                course[key].append(course[key][-1] - 0.25)
            elif key == "last_start_day":
                course[key] += course["start_step_days"]
            else:
                course[key].append(3)
            yield richer
    for i, agent in enumerate(raw.get("agents", [])):
        richer = copy.deepcopy(raw)
        richer["regimens"]["extra"] = {
            **raw["regimens"][agent["regimens"][0]],
            "max_cycles": 1,
        }
        richer["agents"][i]["regimens"] = [*agent["regimens"], "extra"]
        yield richer


def rearranged(raw: Raw) -> Raw:
    """The same case with lesions renamed and everything in reverse order."""
    other = copy.deepcopy(raw)
    names = {lesion["name"]: f"renamed-{9 - i}" for i, lesion in enumerate(raw["lesions"])}
    for lesion in other["lesions"]:
        lesion["name"] = names[lesion["name"]]
    for moment in other.get("cross_second_moments", []):
        moment["lesions"] = [names[name] for name in reversed(moment["lesions"])]
    other["lesions"].reverse()
    other["limits"].reverse()
    other.get("agents", []).reverse()
    return other


def inert(seed: int) -> Raw:
    """A case whose drugs do nothing: checkpoint inhibitors without systemic effect or rules."""
    raw = case(seed)
    raw["immune"] = {"use": "off"}
    raw["agents"] = [
        {
            key: value
            for key, value in agent.items()
            if "days_after" not in key and "days_between" not in key
        }
        for agent in raw.get("agents", [])
        if set(agent["regimens"]) <= CHECKPOINT
    ]
    raw["limits"] = [limit for limit in raw["limits"] if limit["kind"] != "drug"]
    return raw


def test_tightening_a_limit_never_improves() -> None:
    worse = total = 0
    for seed in SEEDS:
        raw = case(seed)
        before = optimum(raw)
        for harder in tightened(raw):
            after = optimum(harder)
            assert after <= before + SLACK, (seed, harder["limits"])
            worse += after < before - SLACK
            total += 1
    print(f"{worse} of {total} tighter limits cost something")
    assert worse >= 5


def test_an_additional_option_never_worsens() -> None:
    better = total = 0
    for seed in SEEDS:
        raw = case(seed)
        before = optimum(raw)
        for richer in extended(raw):
            after = optimum(richer)
            assert after >= before - SLACK, seed
            better += after > before + SLACK
            total += 1
    print(f"{better} of {total} options were worth something")
    assert better >= 5


@pytest.mark.parametrize("seed", SEEDS)
def test_order_and_names_do_not_matter(seed: int) -> None:
    raw = case(seed)
    before, after = optimum(raw), optimum(rearranged(raw))
    assert after == before or abs(after - before) <= SLACK


def test_without_systemic_effect_drug_windows_do_not_matter() -> None:
    compared = 0
    for seed in SEEDS:
        raw = inert(seed)
        if not raw["agents"]:
            continue
        before = optimum(raw)
        later, none = copy.deepcopy(raw), copy.deepcopy(raw)
        for agent in later["agents"]:
            agent["first_start_day"] += 3
            agent["last_start_day"] += 9
        none["agents"] = []
        for other in (later, none):
            after = optimum(other)
            assert after == before or abs(after - before) <= SLACK, seed
            compared += math.isfinite(before)
    assert compared >= 10


def test_with_systemic_effect_drug_windows_matter() -> None:
    """The law above is not empty: the same change of windows matters where drugs act."""
    changed = 0
    for seed in SEEDS:
        raw = inert(seed)
        raw["immune"] = {"use": "default", "effect_per_effector": 0.3}
        none = {**raw, "agents": []}
        changed += bool(raw["agents"]) and abs(optimum(raw) - optimum(none)) > SLACK
    assert changed >= 3


NEUTRAL_SEEDS = range(2000, 2060)
NEUTRAL_CASES = 4
WIDENED_SEEDS = DECISIVE[::6]


@cache
def plain_optimum(seed: int) -> float:
    return optimum(cached_case(seed), EXACT)


def sites(raw: Raw) -> list[Raw]:
    return [lesion for lesion in raw["lesions"] if "course" in lesion]


def each(tables: Callable[[Raw], list[Raw]], **values: object) -> Callable[[Raw], None]:
    """Set some keys of some tables."""

    def change(raw: Raw) -> None:
        for table in tables(raw):
            table.update(copy.deepcopy(values))

    return change


def one_clone(raw: Raw) -> None:
    if raw["objective"]["kind"] != "tumor_bed":
        each(sites, clones=[{"name": "all", "share": 1.0}])(raw)


def equal_clones(raw: Raw) -> None:
    if raw["objective"]["kind"] != "tumor_bed":
        halves = [{"name": f"half{i}", "share": 0.5} for i in range(2)]
        for lesion in sites(raw):
            lesion["clones"] = copy.deepcopy(halves)
            lesion["clones"][1] |= {"alpha_per_gy": lesion["alpha_per_gy"]}
            lesion["clones"][1] |= {"effector_share_factor": 1.0, "drug_kill_factor": 1.0}


def one_technique(raw: Raw) -> None:
    if raw["objective"]["kind"] != "tumor_bed":
        way = {"name": "only", "irradiated_share": 1.0, "node_factor": 1.0}
        each(sites, techniques=[way])(raw)
        for lesion in sites(raw):
            lesion["techniques"][0]["sparing"] = copy.deepcopy(lesion["sparing"])


def equal_techniques(raw: Raw) -> None:
    if raw["objective"]["kind"] != "tumor_bed":
        each(sites, techniques=[{"name": "one"}, {"name": "other"}])(raw)


def repeated_block(raw: Raw) -> None:
    for lesion in sites(raw):
        course = lesion["course"]
        keys = ("fractions", "doses_gy", "interval_days")
        course["also"] = [{key: copy.deepcopy(course[key]) for key in keys}] * 2


def loose_soft_limit(raw: Raw) -> None:
    limit = {"name": "loose", "kind": "mean", "organ": "organ", "cap_gy": 1900.0, "penalty": 5.0}
    raw["limits"].append(limit | CITED)


def prohibitive_penalty(raw: Raw) -> None:
    """Limits (without floors) that may be broken at a price nobody pays."""
    for limit in raw["limits"]:
        if "floor" not in limit and limit.get("cap") != 0 and limit["kind"] != "drug":
            limit["penalty"] = 1e6


def idle_agent(phase: str) -> Callable[[Raw], None]:
    """A further drug of one agent's regimens that acts on a phase with strength 0."""

    def change(raw: Raw) -> None:
        drug = {"use": "relatlimab", "phase": phase, "sign": 1, "strength": 0.0}
        raw["drugs"] = raw.get("drugs", {}) | {"relatlimab": drug}
        for name in raw["agents"][-1]["regimens"] if raw.get("agents") else []:
            regimen = raw["regimens"][name]
            given = regimen["doses"][0]
            added = {**given, "drug": "relatlimab", "amount": 80.0, "unit": "mg"}
            regimen["doses"].append(added)

    return change


def states(key: str, neutral: float) -> Callable[[Raw], None]:
    """Every drug that has the neutral value without saying so says it."""

    def change(raw: Raw) -> None:
        for regimen in raw.get("regimens", {}).values():
            for name in {dose["drug"] for dose in regimen["doses"]}:
                own = raw.get("drugs", {}).get(name, {"use": name})
                if (library("drugs")[name] | own).get(key, neutral) == neutral:
                    raw["drugs"] = raw.get("drugs", {}) | {name: own | {key: neutral}}

    return change


def sign_without_blockade(raw: Raw) -> None:
    """The sign of blockade before radiation, where nothing blocks."""
    given = {name for agent in raw.get("agents", []) for name in agent["regimens"]}
    if not given & CHECKPOINT:
        raw["immune"]["preblockade_sign"] = 1.0 - 2.0 * (
            raw["immune"].get("preblockade_sign", 0) > 0
        )


def sign_of_the_library(raw: Raw) -> None:
    """A sign of 0 that is stated is the 0 of the library."""
    scenario = library("scenarios")[raw["immune"]["use"]]
    if raw["immune"].get("preblockade_sign") == scenario["preblockade_sign"] == 0:
        del raw["immune"]["preblockade_sign"]


def gap_of_one_course(raw: Raw) -> None:
    """A gap between courses where there is only one."""
    if len(sites(raw)) == 1:
        limit = {"name": "gap", "kind": "logistics", "quantity": "course_gap_days", "floor": 9}
        raw["limits"].append(limit | CITED)


def early_rule(raw: Raw) -> None:
    """A least time from an agent's start to radiation that every start leaves."""
    first = min(lesion["course"]["first_start_day"] for lesion in sites(raw))
    for agent in raw.get("agents", []):
        if agent["last_start_day"] <= first and not DAYS_BEFORE & set(agent):
            agent["min_days_before_radiation"] = first - agent["last_start_day"]


DAYS_BEFORE = {"min_days_before_radiation", "max_days_before_radiation"}


def recovered_dose(raw: Raw) -> None:
    """Dose given before to what each limit of an organ protects, all but 1e-12 of it recovered."""
    for limit in raw["limits"]:
        if "organ" in limit:
            point = "max" if limit["kind"] in ("bed", "dose_by_fractions") else "mean"
            prior = {"organ": limit["organ"], "point": limit.get("point", point)}
            given = {"fractions": 1, "dose_gy": 1e-3, "second_moment_gy2": 2e-6}
            prior |= given | {"recovered": 1.0 - 1e-12, "source": "test"}
            if prior not in raw.setdefault("prior_doses", []):
                raw["prior_doses"].append(prior)


def as_complication(raw: Raw) -> None:
    """Mean doses and mean EQD2 limited by the probability that they would cause."""
    base = {"model": "logistic", "intercept": -4.0, "slope_per_gy": 0.1}
    for i, limit in enumerate(raw["limits"]):
        if limit["kind"] in ("mean", "mean_eqd2") and limit["cap_gy"] < 100:
            chance = 1.0 / (1.0 + math.exp(4.0 - 0.1 * limit["cap_gy"]))
            other = {"name": limit["name"], "kind": "ntcp", "organ": limit["organ"], "cap": chance}
            if limit["kind"] == "mean_eqd2":
                other |= {"dose": "eqd2", "alpha_beta_gy": limit["alpha_beta_gy"]}
            unexposing = {"drugs": "chemotherapy", "days_before": 30, "days_after": 30}
            raw["limits"][i] = {**other, **base, "exposures": [unexposing], **CITED}


def as_risk(raw: Raw) -> None:
    """Doses of a drug limited by the risk that each of them has."""
    for i, limit in enumerate(raw["limits"]):
        if limit["kind"] != "drug":
            continue
        instance = build(raw)
        sizes = {d.dose_mg for plan in plans(instance) for d in plan if d.drug == limit["drug"]}
        if len(sizes) != 1:
            continue
        unit = {"doses": 1.0, "dose_mg": min(sizes)}.get(limit["quantity"])
        unit = min(sizes) / instance.patient.bsa_m2 if unit is None else unit
        most = math.floor(limit["cap"] / unit + 1e-6)
        drug = {"use": limit["drug"], "irae_risk_per_dose": 0.05}
        raw["drugs"] = raw.get("drugs", {}) | {limit["drug"]: drug}
        raw["limits"][i] = limit | {"quantity": "irae_risk", "cap": 1.0 - 0.95 ** (most + 0.5)}


def whole_window(raw: Raw) -> None:
    for limit in raw["limits"]:
        if limit.get("quantity") in ("visits", "lesions_per_day"):
            limit |= {"first_day": 0, "last_day": raw["horizon_days"][-1] + 5}


def visits_of_one(raw: Raw) -> None:
    """With one site a machine day is a visit."""
    for limit in raw["limits"]:
        if limit.get("quantity") == "visits" and len(sites(raw)) == 1:
            limit["quantity"] = "machine_days"


NEUTRAL: dict[str, Callable[[Raw], None]] = {
    "one clone": one_clone,
    "equal clones": equal_clones,
    "one technique": one_technique,
    "equal techniques": equal_techniques,
    "repeated blocks": repeated_block,
    "no hypoxia": each(sites, oxygen_modification_factor=1.0, reoxygenation_days=9.0),
    "repair once a day": each(lambda raw: sites(raw) + organs(raw), repair_half_time_hours=5.0),
    "organ SER 1": each(organs, sensitizer_enhancement_ratio=1.0),
    "loose soft limit": loose_soft_limit,
    "prohibitive penalty": prohibitive_penalty,
    **{
        f"idle agent: {phase}": idle_agent(phase)
        for phase in ("priming", "mobilization", "effector", "suppression")
    },
    "no sensitizer": states("sensitizer_enhancement_ratio", 1.0),
    "no equivalent BED": states("equivalent_bed_gy_per_dose", 0.0),
    "no cytotoxic kill": states("cytotoxic_log_kill_per_dose", 0.0),
    "no precursor loss": states("precursor_log_loss_per_dose", 0.0),
    "no lymphocyte cost": states("lymphocyte_log_loss_per_dose", 0.0),
    "sign without blockade": sign_without_blockade,
    "sign 0": sign_of_the_library,
    "no regrowth": each(immune, release_regrowth=0.0),
    "no repeated release": each(immune, repeat_release=0.0),
    "gap of one course": gap_of_one_course,
    "early rule": early_rule,
    "recovered dose": recovered_dose,
    "complications": as_complication,
    "risk of doses": as_risk,
    "whole window": whole_window,
    "visits of one site": visits_of_one,
    "late rule": each(agents, max_days_before_radiation=365),
    "antigen": each(immune, release_factor=1.0, share_factor=1.0),
    "no suppression": each(
        immune,
        suppression_above_gy=0.0,
        suppression_per_gy=0.0,
        suppression_after_days=0.0,
        suppression_per_day=0.0,
    ),
    "no up-regulation": each(immune, pdl1_upregulation=0.0),
    "generous burden rule": each(immune, burden_limit_cm3=5000.0, burden_blockade=3.0),
    "additive": each(immune, combination="additive"),
    "strongest": each(immune, combination="strongest"),
}


@cache
def cached_case(seed: int) -> Raw:
    return case(seed)


def changed_by(change: Callable[[Raw], None]) -> Iterator[tuple[int, Raw]]:
    """Cases with something changed, where there is anything to change."""
    for seed in NEUTRAL_SEEDS:
        raw = copy.deepcopy(cached_case(seed))
        change(raw)
        if raw != cached_case(seed):
            yield seed, raw


@pytest.mark.parametrize("term", NEUTRAL)
def test_a_neutral_term_leaves_the_answer_as_it_is(term: str) -> None:
    compared = 0
    for seed, raw in itertools.islice(changed_by(NEUTRAL[term]), NEUTRAL_CASES):
        before, after = plain_optimum(seed), optimum(raw, EXACT)
        assert after == before or abs(after - before) <= EXACT * max(1.0, abs(before)), seed
        compared += 1
    assert compared >= 2


def test_a_free_course_without_immunogenicity_releases_nothing() -> None:
    """Immunogenicity 0 of every lesion is a release factor of 0; the free course has an effect."""
    changed = 0
    for dose in (4.0, 6.0):
        site = plain.lesion(
            clonogens=3e4,
            course=plain.free([0, 1, 4], [dose, dose + 5.0], max_fractions=2),
            sparing={"organ": {"max": 0.5}},
            effector_share=0.5,
            precursor_share=0.5,
            immunogenicity=1.0,
        )
        default = {"use": "default", "effect_per_effector": 0.6}
        raw = plain.plain_case(
            [site], [plain.bed_limit(60.0)], horizon_days=[40], objective="default", immune=default
        )
        barren, unreleased = copy.deepcopy(raw), copy.deepcopy(raw)
        barren["lesions"][0]["immunogenicity"] = 0.0
        unreleased["immune"]["release_factor"] = 0.0
        assert optimum(barren, EXACT) == pytest.approx(optimum(unreleased, EXACT), abs=EXACT)
        changed += optimum(raw) > optimum(barren) + SLACK
    assert changed >= 1


def test_log_control_is_the_default_without_concessions() -> None:
    for seed in NEUTRAL_SEEDS[:5]:
        raw = cached_case(seed)
        if raw["objective"]["kind"] == "default":
            one, two = ({**raw, "objective": goal} for goal in CONCESSIONS)
            assert optimum(one) == pytest.approx(optimum(two), abs=SLACK)


CONCESSIONS = ({"kind": "log_control"}, {"kind": "default", "conceded_at_nats": 50.0})


def raised(
    tables: Callable[[Raw], list[Raw]], key: str, factor: float, most: float = math.inf
) -> Callable[[Raw], None]:
    """Multiply a number wherever it is stated, up to a greatest value."""

    def change(raw: Raw) -> None:
        for table in tables(raw):
            if isinstance(table.get(key), float):
                table[key] = min(table[key] * factor, max(most, table[key]))

    return change


def limits(raw: Raw) -> list[Raw]:
    found: list[Raw] = raw["limits"]
    return found


def more_prior(raw: Raw) -> None:
    for prior in raw.get("prior_doses", []):
        prior["fractions"] = min(200, prior["fractions"] + 3)


def ratios(raw: Raw) -> None:
    for exposure in exposures(raw):
        for key in {"risk_ratio", "odds_ratio"} & set(exposure):
            exposure[key] *= 1.1


def longer_exposure(raw: Raw) -> None:
    for exposure in exposures(raw):
        exposure["days_before"] += 10


def wider_window(raw: Raw) -> None:
    for limit in limits(raw):
        if "last_day" in limit:
            limit["last_day"] += 3


def wider_gap(raw: Raw) -> None:
    for limit in limits(raw):
        if limit.get("quantity") == "course_gap_days":
            limit["floor"] += 3


def hard(raw: Raw) -> None:
    for limit in limits(raw):
        limit.pop("penalty", None)


def fewer_techniques(raw: Raw) -> None:
    for lesion in raw["lesions"]:
        if len(lesion.get("techniques", [])) > 1:
            del lesion["techniques"][-1]


def fewer_blocks(raw: Raw) -> None:
    for lesion in sites(raw):
        lesion["course"].pop("also", None)


def stricter_rules(raw: Raw) -> None:
    for agent in agents(raw):
        if "min_days_before_radiation" in agent and "max_days_before_radiation" not in agent:
            agent["min_days_before_radiation"] += 2
        if agent.get("max_days_before_radiation", 0) > agent.get("min_days_before_radiation", 0):
            agent["max_days_before_radiation"] -= 1


def weaker_agents(raw: Raw) -> None:
    multiplied = raw["immune"].get("combination", "multiplicative") == "multiplicative"
    for drug in drugs(raw):
        if multiplied and drug.get("phase") in ("priming", "effector") and drug["sign"] == 1:
            drug["strength"] *= 0.7


WORSE: dict[str, Callable[[Raw], None]] = {
    "larger penalty": raised(limits, "penalty", 1.5),
    "hard instead of soft": hard,
    "more prior dose": more_prior,
    "higher ratios": ratios,
    "longer exposure": longer_exposure,
    "wider window": wider_window,
    "wider gap": wider_gap,
    "fewer techniques": fewer_techniques,
    "fewer blocks": fewer_blocks,
    "stricter rules": stricter_rules,
    "organ SER": raised(organs, "sensitizer_enhancement_ratio", 1.2, 3.0),
    "slower repair in organs": raised(organs, "repair_half_time_hours", 2.0),
    "riskier doses": raised(drugs, "irae_risk_per_dose", 1.3),
    "node": raised(techniques, "node_factor", 0.5),
    "effector kill": raised(techniques, "effector_kill_per_fraction", 1.5),
    "lymphocyte loss": raised(techniques, "lymphocyte_loss_per_fraction", 1.2, 2.0),
    "clones without effectors": raised(clones, "effector_share_factor", 0.5),
    "clones without chemotherapy": raised(clones, "drug_kill_factor", 0.5),
    "less cytotoxic kill": raised(drugs, "cytotoxic_log_kill_per_dose", 0.7),
    "more precursor loss": raised(drugs, "precursor_log_loss_per_dose", 1.3),
    "antigen loss (release)": raised(immune, "release_factor", 0.7),
    "antigen loss (share)": raised(immune, "share_factor", 0.7),
    "suppression by dose": raised(immune, "suppression_per_gy", 1.5),
    "suppression by days": raised(immune, "suppression_per_day", 1.5),
    "up-regulation": raised(immune, "pdl1_upregulation", 1.3, 1.0),
    "smaller burden": raised(immune, "burden_limit_cm3", 0.5),
    "burden and blockade": raised(immune, "burden_blockade", 0.5),
    "weaker agents": weaker_agents,
}


@pytest.mark.parametrize("part", range(7))
def test_a_harder_term_never_improves(part: int) -> None:
    worse: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for seed in itertools.islice(WIDENED_SEEDS, part, None, 7):
        raw = widened_case(seed)
        before = optimum(raw)
        for law, change in WORSE.items():
            harder = copy.deepcopy(raw)
            change(harder)
            if harder != raw and admissible(harder):
                after = optimum(harder)
                assert after <= before + SLACK, (seed, law, before, after)
                worse[law] += after < before - SLACK
                total[law] += 1
    print({law: (worse[law], total[law]) for law in sorted(total)})
    assert sum(worse.values()) >= 3


def test_tightening_a_limit_of_a_widened_case_never_improves() -> None:
    worse = 0
    for seed in itertools.islice(WIDENED_SEEDS, 0, None, 3):
        raw = widened_case(seed)
        before = optimum(raw)
        for harder in filter(admissible, tightened(raw)):
            after = optimum(harder)
            assert after <= before + SLACK, (seed, harder["limits"])
            worse += after < before - SLACK
    assert worse >= 5
