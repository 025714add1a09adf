"""Parts of docs/evidence.md that are mostly words; `evidence.py` writes the page."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from abscopt.optimizer.evidence.document import SPLITS
from abscopt.optimizer.evidence.requirements import requirements
from abscopt.optimizer.evidence.score import SCORED, Scored, score_of, scored
from abscopt.optimizer.evidence.settings import scenario_constants

FIRST = Path(__file__).with_name("evidence_first.json")
"""Verdicts of the released constants under the translation of versions 0.3 and 0.4."""
PROFILE = Path(__file__).with_name("evidence_profile.json")
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
    """What the training half says of the constants of scale."""
    found = json.loads(PROFILE.read_text(encoding="utf-8"))
    yield from ["## What is identified", ""]
    yield from prose(
        f"""
        The two constants of scale on the {found["comparisons"]} comparisons of the training half
        (`benchmarks/studies/evidence_profile.py`), all others at their defaults. Profile intervals
        of 95 %; the defaults are unchanged.
        """
    )
    yield from ["| constant | default | best | interval |", "|---|---|---|---|"]
    default = scenario_constants("default")
    for name in ("effect_per_effector", "release_factor"):
        low, high = (f"{value:.2g}" for value in found[name]["interval"])
        low = low if found[name]["bounded"][0] else "not bounded"
        high = high if found[name]["bounded"][1] else "not bounded"
        yield (
            f"| `{name}` | {getattr(default, name):g} | {found[name]['best']:.2g} | "
            f"{low} to {high} |"
        )
    yield ""
    released = found["released"]
    ahead = "a" if found["best"] >= released["constant"] else "no"
    yield from prose(
        f"""
        Log likelihood {found["best"]:.1f} at the best of the grid and {released["model"]:.1f} at
        the defaults, against {released["constant"]:.1f} for one constant from the other cohorts and
        {released["no_effect"]:.1f} for no effect. Where an end is not bounded the sizes do not tell
        the constant; {ahead} pair of the two makes the model likelier than one constant.
        """
    )


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
