"""Every published finding: verdicts, scores, what fails and why, and what came of mending it.

    python benchmarks/studies/evidence.py --write

Prints docs/evidence.md, or writes it and the scores in README.md. Takes a minute or two on two
cores.
"""

from __future__ import annotations

import argparse
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from evidence_words import contradicts, identified, mending, prose, translation

from abscopt.optimizer.evidence.command import evidence
from abscopt.optimizer.evidence.document import RIVALS, SPLITS, baselines, evidence_document
from abscopt.optimizer.evidence.likelihood import comparisons, constant
from abscopt.optimizer.evidence.measures import ALIKE, CLEARLY
from abscopt.optimizer.evidence.requirements import Requirement
from abscopt.optimizer.evidence.score import Scored
from abscopt.optimizer.results.result import DISCLAIMER

PAGE = Path(__file__).resolve().parents[2] / "docs" / "evidence.md"
README = PAGE.parents[1] / "README.md"
MARKS = ("<!-- scores of evidence -->", "<!-- end of scores -->")
HORIZONS = "112, 200 and 365"
FIGURES = "86 figures"
FEW = 10
"""Cohorts below which likelihoods are not compared in words; status: assumed."""
LEAD = 0.1
"""Share of findings by which the released constants should lead the mean random set."""

REASONS = {
    name: " ".join(text.split())
    for name, text in tomllib.loads(
        Path(__file__).with_name("evidence_reasons.toml").read_text(encoding="utf-8")
    )["orders"].items()
}
"""Why the surrogate contradicts a verified finding; a test asks for exactly these."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Write docs/evidence.md.")
    parser.add_argument("--write", action="store_true")
    write = parser.parse_args().write
    results, required = evidence()
    text = "\n".join(page(results, required)) + "\n"
    if write:
        PAGE.write_text(text, encoding="utf-8")
        before, _, rest = README.read_text(encoding="utf-8").partition(MARKS[0])
        _, _, after = rest.partition(MARKS[1])
        lines = "\n".join(scores(evidence_document(results, required)))
        README.write_text(f"{before}{MARKS[0]}\n{lines}\n{MARKS[1]}{after}", encoding="utf-8")
    else:
        print(text)


def scores(document: dict[str, Any]) -> Iterator[str]:
    """Every score beside its baselines, as a table."""
    summary, sizes = document["summary"], document["effect_sizes"]
    yield from ["| | training | held back |", "|---|---|---|"]
    for label, key in (("orders reproduced", "surrogate"), ("by tumor BED alone", "tumor_bed")):
        yield f"| {label} | {' | '.join(_cell(summary[split][key]) for split in SPLITS)} |"
    for label in ("mean", "best"):
        shares = [f"{100 * summary[split]['random_constants'][label]:.0f} %" for split in SPLITS]
        yield f"| by random constants, {label} | {shares[0]} | {shares[1]} |"
    for name, label in RIVALS.items():
        cells = [f"{sizes[split]['fits'][name]['log_likelihood']:.1f}" for split in SPLITS]
        yield f"| log likelihood of published sizes: {label} | {cells[0]} | {cells[1]} |"
    cells = [f"{baselines()[split]['log_likelihood']['mean']:.1f}" for split in SPLITS]
    yield f"| log likelihood of published sizes: random constants, mean | {cells[0]} | {cells[1]} |"
    yield ""
    ahead = min(
        summary[split]["surrogate"]["share"] - summary[split]["random_constants"]["mean"]
        for split in SPLITS
    )
    if ahead < LEAD:
        yield (
            f"On orders the released constants are less than {100 * LEAD:.0f} points ahead of the "
            "mean random set on at least one half: the orders say little about the constants."
        )
    yield _reading(sizes)
    local = {name: sizes["local"]["fits"][name]["log_likelihood"] for name in RIVALS}
    yield (
        f"Of local treatment, kept apart ({sizes['local']['comparisons']} sizes): log likelihood "
        f"{local['model']:.1f}, of one constant {local['constant']:.1f}, of no effect "
        f"{local['no_effect']:.1f}."
    )


def page(results: Sequence[Scored], required: Sequence[Requirement]) -> Iterator[str]:
    """Lines of the page."""
    document = evidence_document(results, required)
    yield from ["# What the biology answers to", ""]
    yield from prose(
        f"""
        {DISCLAIMER}

        The list of published findings, `instances/evidence/findings.toml` and
        `further_findings.toml`, has {len(results)} comparisons of schedules, each with its source,
        how well it is known, the order that was published and, where there is one, its size with
        the 95 % interval. How a finding becomes a case is `instances/evidence/settings.toml`.
        Half of the cohorts of patients or mice, by a hash of their names, are the training half,
        the others are held back; no source is on both sides. That split, the translation and the
        rules of scoring were committed before anything was fitted to them, and so was the reading
        of trials as shares of patients; how far patients differ in what effectors do was added
        after sizes had been seen without it. Both halves had been looked at before, under an
        earlier split by finding: no half is blind.

        Written by `python benchmarks/studies/evidence.py --write`; the same from the command line
        is `abscopt evidence`.
        """
    )
    yield from identified()
    yield from contradicts([*comparisons(results), *comparisons(results, local=True)])
    yield from _failures(results)
    yield from _required(required)
    yield from _sizes(results, document["effect_sizes"])
    yield from _orders(results, document["summary"])
    yield from translation(results)
    yield from mending()
    yield from _contested(results)
    for split in SPLITS:
        yield from _findings(results, split)


def _sizes(results: Sequence[Scored], sizes: dict[str, Any]) -> Iterator[str]:
    """Likelihoods beside those of the rivals, and every comparison."""
    compared = comparisons(results)
    local = comparisons(results, local=True)
    yield from ["## Sizes of effects", ""]
    yield from prose(
        f"""
        Randomized comparisons of patients whose size was published, {len(compared)} of
        {sizes["all"]["cohorts"]} cohorts. The model's log ratio is that of hazards or odds of its
        shares of patients, averaged over times (`optimizer/evidence/patients.py`). Each cohort has
        weight 1, shared by its comparisons. "One constant" is one log ratio for whatever a trial
        adds, none between schedules of the same treatments: {constant(compared):.2f} if it is
        fitted to all. It and the factor are fitted to the other cohorts of the column than the one
        that is scored (leave one study out). The model has one number fitted to sizes, on the
        training half: how far patients differ in what effectors do.
        """
    )
    yield "| log likelihood (chi square) | training | held back | all |"
    yield "|---|---|---|---|"
    for name, label in RIVALS.items():
        cells = [sizes[half]["fits"][name] for half in (*SPLITS, "all")]
        shown = [f"{cell['log_likelihood']:.1f} ({cell['chi_square']:.1f})" for cell in cells]
        yield f"| {label} | {' | '.join(shown)} |"
    for label in ("mean", "best"):
        shown = [f"{baselines()[split]['log_likelihood'][label]:.1f}" for split in SPLITS]
        yield f"| random constants, {label} | {' | '.join(shown)} | |"
    counts = [f"{sizes[half]['comparisons']}" for half in (*SPLITS, "all")]
    inside = [f"{sizes[half]['inside_interval']}" for half in (*SPLITS, "all")]
    yield f"| comparisons | {' | '.join(counts)} |"
    yield f"| model inside the published interval | {' | '.join(inside)} |"
    yield ""
    yield from prose(_reading(sizes))
    apart = {name: sizes["local"]["fits"][name]["chi_square"] for name in ("model", "constant")}
    yield from prose(
        f"""
        Local treatment is kept apart, the last {len(local)} rows below: all visible lesions are
        irradiated in one arm only, or the irradiated ones are read. Chi square
        {apart["model"]:.0f}, of the constant {apart["constant"]:.0f}; it was 3198 while a nat of
        burden counted as a nat of hazard and all patients had one alpha. CHISEL and LUSTRE are
        among the {FIGURES} of local control that alpha and its spread were fitted to or tested
        on. That local treatment is kept apart was decided after its sizes were seen.
        """
    )
    yield "| finding | endpoint | arms | published (95 %) | model | chi square | half |"
    yield "|---|---|---|---|---|---|---|"
    for one in [*compared, *local]:
        low, high = one.effect.log_interval
        off = ((one.effect.log_value - one.predicted) / one.effect.standard_error) ** 2
        yield (
            f"| {one.finding.id} | {one.effect.endpoint} | {one.effect.of} against "
            f"{one.effect.against} | {one.effect.log_value:.2f} ({low:.2f} to {high:.2f}) | "
            f"{one.predicted:.2f} | {off:.1f} | {one.finding.split.replace('_', ' ')} |"
        )
    yield ""


def _reading(sizes: dict[str, Any]) -> str:
    """The verdict on sizes in words."""
    if sizes["all"]["cohorts"] < FEW:
        return "Published sizes are too few to compare the model with a constant."
    fitted = {name: sizes["all"]["fits"][name]["log_likelihood"] for name in RIVALS}
    if fitted["model"] >= fitted["constant"]:
        return "The model is likelier than one constant."
    word = "also" if fitted["model_times_factor"] < fitted["constant"] else "not"
    return (
        "The model is less likely than one constant whatever the schedule, and "
        f"{word} if a factor scales it: on sizes it orders schedules no better than a constant."
    )


def _orders(results: Sequence[Scored], summary: dict[str, Any]) -> Iterator[str]:
    yield from ["## Orders", ""]
    yield from prose(
        f"""
        * An order counts as reproduced if it holds at every horizon ({HORIZONS} days; one, two and
        three years where events of patients are counted; 30, 45 and 60 days in mice): `>` by at
        least {CLEARLY:g}, `>=` not below by more than {CLEARLY:g}, `~` within {ALIKE:g}; of the
        best arm's effect, count or time, or in nats of burden or of log hazard.

        * `~` counts only where a published interval lies within {ALIKE:g}: a trial too small to see
        a difference has not shown that there is none.

        * Only findings with a verified source are scored. Outside the range counts as not
        reproduced. Contested findings are judged under both scenarios and not scored.

        * Baselines: tumor BED alone, and {baselines()["sets"]} random sets of constants.
        """
    )
    yield from ["| | training | held back |", "|---|---|---|"]
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
    silent = [one.finding.id for one in results if one.surrogate == "not_informative"]
    yield from prose(
        f"""
        Not informative ({len(silent)}): {", ".join(f"`{name}`" for name in silent)}.

        The simulators are models of one tumor in mice: most of the list lies outside what they
        represent. Two findings (`moore-2021-cd8-depletion`, `vanpouille-box-2017-ifnar1`) are true
        almost by construction.
        """
    )


def _cell(score: dict[str, float]) -> str:
    return (
        f"{score['reproduced']} of {score['total']} ({100 * score['share']:.0f} %; "
        f"{score['outside_range']} outside)"
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
