"""Every published finding: verdicts, scores, what fails and why, and what came of mending it.

    python benchmarks/studies/evidence.py --write

Prints docs/evidence.md, or writes it. Takes a minute or two on two cores.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from abscopt.optimizer.evidence.command import evidence
from abscopt.optimizer.evidence.document import CALIBRATION, SPLITS, evidence_document
from abscopt.optimizer.evidence.measures import ALIKE, CLEARLY
from abscopt.optimizer.evidence.requirements import Requirement, requirements
from abscopt.optimizer.evidence.score import Scored, score_of, scored
from abscopt.optimizer.evidence.settings import scenario_constants
from abscopt.optimizer.results.result import DISCLAIMER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence.md"
MENDED = "repeated-release"
WEAK = ("vanpouille-box-2017-repeated-fractions", "moore-2021-pulsar-spacing")
HORIZONS = "112, 200 and 365"

# Why the surrogate contradicts a verified finding; a test asks for exactly these.
REASONS = {
    "young-2016-ctla4-before": (
        "By default anti-CTLA-4 raises priming (Serre's factor), which is best just after "
        "radiation. Depletion of regulatory T cells, the mechanism offered by the authors, is "
        "the scenario `treg-tgfb` with an agent of the suppression phase: see the case "
        "`young-timing`."
    ),
    "young-2016-ox40-day-after": (
        "The better days differ from the worse ones in the right direction, but by less than "
        "the margin of 0.05 nat: 20 Gy hardly primes under the gate."
    ),
    "grapin-2019-growth-delay": (
        "Iso-BED schedules kill alike, and the gate gives 2 Gy no release at all: without "
        "blockade 18 x 2 cannot do better than one large fraction."
    ),
    "frey-2017-infiltration-window": (
        "Effectors still rise on day 14: release is cleared over two weeks and effectors are "
        "lost at 6 % a day. The window of days 5-10 would need faster loss than the published "
        "fits allow."
    ),
    "lee-2009-ablative-vs-fractionated": (
        "The TREX1 switch closes the gate at 20 Gy. Lee 2009 and Vanpouille-Box 2017 disagree "
        "here; the gate takes the side of the latter."
    ),
    "rtog-0617-2015-74-gy": (
        "More dose kills more clonogens, and nothing in the objective stands for death by "
        "cardiac or lymphocyte toxicity: that is what limits are for (the arm breaks seven of "
        "them on the case stage3-crt)."
    ),
    "proclaim-2016-doublets": (
        "The library gives the enhancement of a doublet to one drug for a week per dose; "
        "cisplatin-etoposide then sensitizes more fractions than cisplatin-pemetrexed. 0.28 "
        "nat apart, 0.25 would count as alike."
    ),
    "mdacc-2020-radiation-vs-none": (
        "The trial alone found no gain of 50/4 over pembrolizumab; pooled with PEMBRO-RT the "
        "gain is large. The surrogate follows the pooled rates, and cannot follow both."
    ),
    "lu002-2024-local-consolidation": (
        "Local consolidation removes most clonogens of the model. LU002 (with blockade) and "
        "Gomez 2019 (before blockade) disagree; the surrogate sides with the latter."
    ),
    "welsh-2019-lung-vs-liver": (
        "The model has no difference between organs but volume, shares and doses, which the "
        "list sets equal."
    ),
    "vanpouille-box-2017-repeated-fractions": (
        "The first 8 Gy releases nearly all there is (telescoping antigen); see below."
    ),
    "moore-2021-pulsar-spacing": (
        "Spacing costs effectors that are in the beam and gains nothing; see below."
    ),
    "dovedi-2014-concomitant-vs-sequential": (
        "In the right direction at days 30 and 45 (0.34 and 0.14 nat), below the margin at "
        "day 60: late blockade catches up."
    ),
    "kosinsky-2018-blockade-interval": (
        "In the right direction at days 30 and 45; reversed by 0.02 nat at day 60, where "
        "blockade from day 12 is the fresher."
    ),
    "chen-2022-iso-bed": (
        "The surrogate prefers one fraction of 10 Gy, as its gate peaks there; the published "
        "order peaks at two fractions of 6.2 Gy."
    ),
    "chen-2020-lymphocytes-gate": (
        "A course's lymphocyte loss lowers the effectors that other lesions raise, not those "
        "of its own release, and the count before treatment does not enter: with one "
        "irradiated lesion the count hardly matters."
    ),
    "altorki-2023-disease-free-survival": (
        "A gain in local response is a gain in the objective; that response need not become "
        "survival is not in the model."
    ),
    "keynote-867-2024-pembrolizumab": (
        "A gain of 0.39 nat where the trial found none; I-SABR, with the same structure, "
        "found one. Both are on the list."
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/evidence.md.")
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    results, required = evidence()
    text = "\n".join(page(results, required)) + "\n"
    if write:
        PAGE.write_text(text, encoding="utf-8")
    else:
        print(text)


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


def page(results: Sequence[Scored], required: Sequence[Requirement]) -> Iterator[str]:
    """Lines of the page."""
    summary = evidence_document(results, required)["summary"]
    calibration = json.loads(CALIBRATION.read_text(encoding="utf-8"))
    yield from ["# What the biology answers to", ""]
    yield from prose(
        f"""
        {DISCLAIMER}

        The list of published findings is `instances/evidence/findings.toml`: {len(results)}
        comparisons of schedules, each with its source, how well it is known, and the order that
        was published. Half of them, by a hash of their names, are the training half; the other
        half is held back. How a finding becomes a case is `instances/evidence/settings.toml`.
        List, split, settings and the rules of scoring were committed before the calibration was
        first run.

        * An order counts as reproduced if it holds at every horizon ({HORIZONS} days; 30, 45 and
        60 days in mice): `>` by at least {CLEARLY:g}, `~` within {ALIKE:g}, `>=` not below by more
        than {CLEARLY:g}; of the best arm's effect or count, or in nats where burdens are compared.
        * Only findings with a verified source are scored. Outside the range counts as not
        reproduced.
        * Contested findings (blockade before radiation) are judged under both scenarios and not
        scored.
        * Baselines: tumor BED alone, and {calibration["sets"] - 1} random sets of constants.

        Written by `python benchmarks/studies/evidence.py --write`; the same from the command line
        is `abscopt evidence`.
        """
    )
    yield from ["## Scores", "", "| | training | held back |", "|---|---|---|"]
    for name, key in (("surrogate", "surrogate"), ("tumor BED alone", "tumor_bed")):
        cells = [_cell(summary[split][key]) for split in SPLITS]
        yield f"| {name} | {cells[0]} | {cells[1]} |"
    for name in summary["training"]["simulators"]:
        cells = [_cell(summary[split]["simulators"][name]) for split in SPLITS]
        yield f"| {name} (published model) | {cells[0]} | {cells[1]} |"
    for label in ("mean", "best"):
        shares = [f"{100 * summary[split]['random_constants'][label]:.0f} %" for split in SPLITS]
        yield f"| random constants, {label} | {shares[0]} | {shares[1]} |"
    yield ""
    yield from _reading(calibration)
    yield from _required(required)
    yield from _failures(results)
    yield from _mending()
    yield from _contested(results)
    for split in SPLITS:
        yield from _findings(results, split)


def _cell(score: dict[str, float]) -> str:
    return (
        f"{score['reproduced']} of {score['total']} ({100 * score['share']:.0f} %; "
        f"{score['outside_range']} outside)"
    )


def _reading(calibration: dict[str, Any]) -> Iterator[str]:
    training, held_back = (calibration["scores"][split] for split in SPLITS)
    yield from prose(
        f"""
        The calibration (`benchmarks/studies/calibrate.py`, every set tried in
        `benchmarks/studies/calibration.csv`) found no set of constants that reproduces more of the
        training half than the released one: {training["chosen"]} of {training["total"]}, the best
        of all {calibration["sets"]} sets, which 38 random sets reach as well; the released one is
        the nearest to itself. The released constants therefore stay. The aim of 90 %
        is missed, and no choice of constants within the ranges comes near it: some findings
        contradict each other (MDACC and the pooled rates, LU002 and Gomez 2019, Lee 2009 and the
        TREX1 switch), others need terms that the structure does not have; each is named below.

        On the held-back half random constants do better on average than the released ones
        ({100 * held_back["random_mean"]:.0f} % against
        {100 * held_back["chosen"] / held_back["total"]:.0f} %). About half of that goes with the
        release of dying cells at later fractions, which the released set does not have (its rank
        correlation with the held-back score is 0.43, with the training score -0.57). To adopt it
        from there would have been to calibrate on the held-back half; it is the scenario
        `{MENDED}` instead, whose size was chosen with the two findings below in view.

        What was seen before: the verdicts of the released set on both halves were looked at while
        the settings were written. Two of their rules were changed then, before anything was
        calibrated: mice got the three constants of the case `young-timing`, and responses out of
        field are read on tumors instead of on the systemic effect, because resistance shows only
        there (this turned one verdict, `schoenfeld-2022-hypofractionated`). The released set is
        therefore not wholly blind to the held-back half; the random sets share those settings.

        The simulators are models of one tumor in mice: most of the list lies outside what they
        represent.
        """
    )


def _required(required: Sequence[Requirement]) -> Iterator[str]:
    yield from ["## Required at every horizon", ""]
    yield from [f"Systemic effect in nats at {HORIZONS} days.", ""]
    for one in required:
        yield f"* {'Holds' if one.holds else 'FAILS'}: {one.statement}."
        for name, values in one.numbers.items():
            yield f"  - {name}: {', '.join(f'{value:.2f}' for value in values)}"
    yield ""


def _failures(results: Sequence[Scored]) -> Iterator[str]:
    yield from ["## Not reproduced, by name", ""]
    for split in SPLITS:
        yield from [f"{split.replace('_', ' ').capitalize()}:", ""]
        for one in results:
            if one.finding.split == split and one.counts and one.surrogate != "reproduced":
                why = one.reason or REASONS[one.finding.id]
                label = "outside the range" if one.reason else "contradicted"
                yield f"* `{one.finding.id}` ({label}). {why}"
        yield ""


def _mending() -> Iterator[str]:
    """The two known weaknesses, without and with the scenario that is meant to mend them."""
    default, mended = scenario_constants("default"), scenario_constants(MENDED)
    before, after = scored(default), scored(mended)
    yield from ["## Two known weaknesses, and a mechanism", ""]
    yield from prose(
        f"""
        8 x 1 should be clearly below 8 x 3, and pulses ten days apart should beat daily fractions.
        Two terms with a source were added, off by default. `repeat_release`: dying cells that are
        not yet cleared release again at each later fraction (repeated sub-threshold doses amplify
        the interferon signal, Vanpouille-Box 2017). `release_regrowth`: release comes from the
        tumor that is there on the day, regrown since the fraction before (the antigen term of
        Serre 2016 and Cho 2023). The scenario `{MENDED}` has 0.25 and 1. They are single numbers
        per course, so the optimizer stays exact. What came of it:
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
    yield from prose(
        """
        So the number of fractions is mended. Spacing is mended where the second pulse has had time
        to work and the tumor regrows fast (mice; days 45 and 60), not at day 30, and not in
        patients, whose tumors hardly regrow in ten days. The case `pulsar` decides by it. The
        cost is the last requirement above, which the scenario breaks at a year.
        """
    )


def _contested(results: Sequence[Scored]) -> Iterator[str]:
    yield from ["## Contested: blockade before radiation", ""]
    yield from ["| finding | status | supports | helps | harms |", "|---|---|---|---|---|"]
    for one in results:
        if one.finding.contested is not None:
            helps, harms = (one.scenarios[name] for name in one.finding.contested)
            supports = one.finding.supports or "neither"
            yield f"| {one.finding.id} | {one.finding.status} | {supports} | {helps} | {harms} |"
    yield ""


def _findings(results: Sequence[Scored], split: str) -> Iterator[str]:
    yield from [f"## {split.replace('_', ' ').capitalize()} half", ""]
    yield "| finding | source | status | expected | surrogate | tumor BED | published models |"
    yield "|---|---|---|---|---|---|---|"
    for one in results:
        if one.finding.split != split:
            continue
        finding = one.finding
        models = ", ".join(
            f"{name} {'yes' if verdict == 'reproduced' else 'no'}"
            for name, verdict in one.simulators.items()
            if verdict in ("reproduced", "contradicted")
        )
        status = finding.status + ("" if one.counts else " (not scored)")
        expected = "; ".join(finding.expected).replace("|", "/")
        yield (
            f"| {finding.id} | {finding.source.replace('|', '/')} | {status} | {expected} | "
            f"{one.surrogate.replace('_', ' ')} | {one.baseline.replace('_', ' ')} | "
            f"{models or '-'} |"
        )
    yield ""


if __name__ == "__main__":
    main()
