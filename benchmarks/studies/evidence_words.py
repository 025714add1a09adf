"""Parts of docs/evidence.md that are mostly words; `evidence.py` writes the page."""

from __future__ import annotations

import json
import math
import textwrap
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from abscopt.optimizer.evidence.document import SPLITS
from abscopt.optimizer.evidence.likelihood import Comparison
from abscopt.optimizer.evidence.requirements import requirements
from abscopt.optimizer.evidence.score import SCORED, Scored, score_of, scored
from abscopt.optimizer.evidence.settings import scenario_constants, times_of_patients

FIRST = Path(__file__).with_name("evidence_first.json")
"""Verdicts of the released constants under the translation of versions 0.3 and 0.4."""
FIT = Path(__file__).with_name("evidence_fit.json")
SIZES = {
    name: " ".join(text.split())
    for name, text in tomllib.loads(
        Path(__file__).with_name("evidence_reasons.toml").read_text(encoding="utf-8")
    )["sizes"].items()
}
"""Why a size is missed."""
MENDED = "repeated-release"
WEAK = ("vanpouille-box-2017-repeated-fractions", "moore-2021-pulsar-spacing")


def prose(text: str) -> Iterator[str]:
    """Paragraphs and list entries, wrapped; each is followed by an empty line or another entry."""
    for part in textwrap.dedent(text).strip().split("\n\n"):
        entries = part.split("\n* ")
        for i, entry in enumerate(entries):
            words = " ".join(entry.split())
            words = words if i == 0 else f"* {words}"
            indent = "  " if words.startswith("* ") else ""
            yield textwrap.fill(words, 100, subsequent_indent=indent, break_on_hyphens=False)
        yield ""


def identified() -> Iterator[str]:
    """What the sizes say of the constants of scale, and what they do not."""
    found = json.loads(FIT.read_text(encoding="utf-8"))
    training, held, left = found["training"], found["held_back"], found["left_out"]
    yield from ["## What is identified", ""]
    yield from prose(
        f"""
        * Local control by dose, as a slope: a fit of its own (`docs/local-control.md`). With it the
        sizes of SABR-COMET and LUSTRE come out inside their intervals, though nothing was fitted to
        trials of survival.

        * That adding blockade helps on the whole: without any effect the log likelihood of the
        training half falls from {training["log_likelihood"]:.1f} to {training["no_effect"]:.1f}.

        * That effects depend on the schedule far less than the effect of the median patient would
        say. Patients must differ widely in what effectors do (below): who responds at all decides
        more than how a schedule changes the effect.
        """
    )
    yield from ["## What is not identified", ""]
    yield from prose(
        f"""
        The constants that set sizes, on the {training["comparisons"]} systemic comparisons of the
        training half, all others at their defaults (`benchmarks/studies/evidence_fit.py`). Profile
        intervals of 95 %; the second allows for sizes that scatter more than their intervals say
        (chi square {training["dispersion"]:.1f} per degree of freedom). The defaults of the library
        are unchanged.
        """
    )
    yield "| constant | default | best | interval | if sizes scatter |"
    yield "|---|---|---|---|---|"
    default = scenario_constants("default")
    spread = times_of_patients()["effect_spread"]
    for name, profile in found["profiles"].items():
        cells = []
        for kind in ("interval", "dispersed"):
            ends = [
                f"{value:.2g}" if bounded else "not bounded"
                for value, bounded in zip(profile[kind], profile[f"{kind}_bounded"], strict=True)
            ]
            cells.append(" to ".join(ends) if any(profile[f"{kind}_bounded"]) else "not bounded")
        value = getattr(default, name, spread)
        yield f"| `{name}` | {value:g} | {profile['best']:.2g} | {cells[0]} | {cells[1]} |"
    yield ""
    systemic, alone = left["systemic"], found["left_out_spread_alone"]["systemic"]
    yield from prose(
        f"""
        Log likelihood {training["log_likelihood"]:.1f} at the best of the grid, against
        {training["constant"]:.1f} for one constant fitted to the same half. From there the
        held-back half has {held["log_likelihood"]:.1f}, from the constant
        {held["constant"]:.1f}. With each of the {systemic["cohorts"]} cohorts predicted from the
        most likely constants of all others {systemic["model"][0]:.1f}, against
        {systemic["constant"][0]:.1f} for the constant
        ({alone["model"][0]:.1f} with the spread alone fitted): the constants cannot be learned from
        some trials for others better than a benefit that knows nothing of the schedule.

        The likelihood rises with the spread of effects between patients to the end of the grid, and
        in that limit the schedule does not matter. A spread of {spread:g} is taken, the least
        inside the interval on the training half at the library's constants. It gives
        {_alone("cheers-2023-response", "blockade")} % of the patients of CHEERS a response to
        blockade alone (11 of 51 had one) and
        {_alone("theelen-2020-pooled-response", "pembrolizumab")} % of those of the pooled trials of
        pembrolizumab (15 of 76): nothing was fitted to these rates.

        Also not identified: the start of the drug (no randomized comparison of it is narrow), the
        order and the gaps of courses in patients, the gate above 12 Gy (KEYNOTE-867 with 18 Gy and
        I-SABR with 12.5 Gy differ as it says, but so do their patients), and the sign of blockade
        before radiation (below).

        """
    )
    best = sorted(found["scenarios"].items(), key=lambda item: -item[1][2])
    yield from prose(
        f"""
        Scenarios of the library as they are, log likelihood of all systemic sizes (training half,
        held-back half), where the constant, from the other cohorts, has
        {systemic["constant"][0]:.1f}:
        {"; ".join(f"`{n}` {v[2]:.1f} ({v[0]:.1f}, {v[1]:.1f})" for n, v in best)}.
        Anti-CTLA-4 that mobilizes gains by one trial, CA184-043, the only one of it alone after
        radiation; harm by blockade present at irradiation gains a little on both halves, by less
        than sizes scatter. They were picked from this list, so no default follows from them.
        """
    )
    yield from prose(
        """
        Also tried, left out in the same way: a spread about the mean patient, not the median one,
        on a coarser quadrature and with local treatment fitted along, -15.1; the median one with
        local treatment fitted along, -17.6; both below the constant. The first was given up because
        a case should stand for the patient in the middle, before the second was seen.
        """
    )


def _alone(name: str, arm: str) -> str:
    """Percent of patients who respond in an arm, at the last horizon."""
    (found,) = scored(only=[name])
    return f"{100 * math.exp(-math.exp(-float(found.measures[arm][-1]))):.0f}"


def contradicts(compared: Sequence[Comparison]) -> Iterator[str]:
    """Sizes outside which the model lies, by name."""
    yield from ["## What contradicts us", ""]
    outside = [one for one in compared if not one.inside]
    yield from prose(
        f"""
        Of {len(compared)} published sizes {len(outside)} have intervals that do not hold the
        model's (log ratios, more is better; published interval in brackets):
        """
    )
    for one in sorted(outside, key=_distance, reverse=True):
        low, high = one.effect.log_interval
        yield from prose(
            f"""
            * `{one.finding.id}` ({one.effect.endpoint}): {one.effect.log_value:.2f} ({low:.2f} to
            {high:.2f}), model {one.predicted:.2f}. {SIZES.get(one.finding.id, "")}
            """
        )


def _distance(one: Comparison) -> float:
    return abs(one.effect.log_value - one.predicted) / one.effect.standard_error


def translation(results: Sequence[Scored]) -> Iterator[str]:
    """What changed since the first translation, old and new score side by side."""
    first: dict[str, str] = json.loads(FIRST.read_text(encoding="utf-8"))["verdicts"]
    old = [one for one in results if one.finding.id in first]
    yield from ["## Translated anew", ""]
    yield from prose(
        """
        In versions 0.3 and 0.4 hidden disease was built as a visible metastasis beside itself,
        progression and survival were read as the mean burden of all lesions, mice had three
        constants on a faster clock of which 85 % of the effect of 8 Gy x 3 came without any
        treatment, and "no difference" counted whatever its interval. Now:

        * `occult` is hidden disease and nothing else, with half of the effect however many lesions
        are visible, as in the bundled cases of early and of stage III disease;

        * progression is that of the first lesion to grow, `-max_l [u_l(h) - u_l(0)]`, survival
        the total burden, `-ln sum_l exp u_l(h)`; resected lesions are not read;

        * survival of mice is the time until the tumors are 20 times their size at the first
        treatment;

        * interferon of irradiated cells is read as release, infiltration as what primes on that
        day;

        * depletion of CD8 T cells, cells that release nothing, and lymphocyte counts are
        conditions of an arm; a doublet with pemetrexed has the enhancement that the library's rule
        gives its course;

        * mice keep the library's clearance, delay and loss of effectors, and an untreated mouse
        shows less than a fifth of the effect of schedules that prime (the pool before treatment was
        lowered twice for that; the lower one costs a verdict); single doses in mice are linear
        beyond 10 Gy;

        * deaths by toxicity (RTOG 0617) are a matter of limits, outside the range.
        """
    )
    yield from ["| split of 0.4, by finding | training | held back |", "|---|---|---|"]
    for label, verdict_of_one in (
        ("translation of 0.4", lambda one: first[one.finding.id]),
        ("this translation", lambda one: one.surrogate),
    ):
        cells = []
        for split in SPLITS:
            verdicts = [
                verdict_of_one(one)
                for one in old
                if one.finding.first_split == split and one.finding.status == SCORED
            ]
            counted = [v for v in verdicts if v not in ("scenario", "not_informative")]
            right = counted.count("reproduced")
            cells.append(f"{right} of {len(counted)} ({100 * right / len(counted):.0f} %)")
        yield f"| {label} | {cells[0]} | {cells[1]} |"
    yield ""
    changed = [
        f"`{one.finding.id}` {first[one.finding.id]} -> {one.surrogate}".replace("_", " ")
        for one in old
        if first[one.finding.id] != one.surrogate
    ]
    yield from prose(f"Verdicts that changed: {'; '.join(changed)}.")
    yield from prose(
        """
        Two statements of earlier versions of this page were wrong. It said that some findings
        contradict each other (MDACC and the pooled rates, LU002 and Gomez 2019, Lee 2009 and the
        TREX1 switch): under its own margins none of the three pairs did, and a trial that is too
        small to see a difference contradicts nothing. And it said that no set of constants
        reproduces more than the released one: the two constants that matter most,
        `effect_per_effector` and `release_factor`, were not among those varied.
        """
    )


def mending() -> Iterator[str]:
    """The two known weaknesses, without and with the scenario that is meant to mend them."""
    default, mended = scenario_constants("default"), scenario_constants(MENDED)
    before, after = scored(default), scored(mended)
    yield from ["## Two known weaknesses, and a mechanism", ""]
    yield from prose(
        f"""
        8 x 1 should be below 8 x 3, and pulses ten days apart should beat daily fractions. Two
        terms with a source were added, off by default. `repeat_release`: dying cells that are not
        yet cleared release again at each later fraction (repeated sub-threshold doses amplify the
        interferon signal, Vanpouille-Box 2017). `release_regrowth`: release comes from the tumor
        that is there on the day, regrown since the fraction before (the antigen term of Serre 2016
        and Cho 2023). The scenario `{MENDED}` has 0.25 and 1. They are single numbers per course,
        so the optimizer stays exact. Read as release, 8 x 3 exceeds 8 x 1 without them already.
        """
    )
    for name in WEAK:
        for label, results in (("default", before), (MENDED, after)):
            one = next(r for r in results if r.finding.id == name)
            arms = "; ".join(
                f"{arm} {', '.join(f'{value:.2f}' for value in values)}"
                for arm, values in one.measures.items()
            )
            yield f"* `{name}`, {label}: {one.surrogate} ({arms})."
    changed = [
        f"`{b.finding.id}` {b.surrogate} -> {a.surrogate}"
        for b, a in zip(before, after, strict=True)
        if a.surrogate != b.surrogate
    ]
    yield ""
    yield f"Verdicts that the scenario changes: {'; '.join(changed)}."
    for split in SPLITS:
        one, other = (
            score_of([r for r in results if r.finding.split == split])
            for results in (before, after)
        )
        yield (
            f"{split.replace('_', ' ').capitalize()}: {one.reproduced} reproduced by default, "
            f"{other.reproduced} in the scenario, of {one.total}."
        )
    failed = [r for r in requirements(mended) if not r.holds]
    for requirement in failed:
        numbers = "; ".join(
            f"{name} {', '.join(f'{value:.2f}' for value in values)}"
            for name, values in requirement.numbers.items()
        )
        yield f"In the scenario this requirement fails: {requirement.statement} ({numbers})."
    yield ""
