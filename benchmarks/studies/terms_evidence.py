"""What terms that are off unless stated do to the likelihood of published effects.

    python benchmarks/studies/terms_evidence.py [--write]

Each term is read at several sizes: the likelihood of randomized comparisons of patients
(`optimizer/evidence/likelihood.py`), and the verdicts on all scored findings. Leave one study out:
for each cohort the size, none among them, is chosen by the likelihood of all other cohorts, and the
cohort counts at the chosen size. Where the model overstates effects, a term that weakens all of
them gains by that alone; so `effect_per_effector` is chosen likewise, with the term and without; a
term is worth a place in the default only if it is better in that comparison. `--write` puts the
numbers into `terms_evidence.json` and the section into `docs/terms.md`. Takes two to ten minutes.
"""

from __future__ import annotations

import argparse
import json
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from term_switches import EVIDENCE

from abscopt.models.arrays import FloatArray
from abscopt.optimizer.evidence.likelihood import Comparison, comparisons, fit, fits
from abscopt.optimizer.evidence.score import Scored, score_of, scored, trials
from abscopt.optimizer.evidence.settings import default_constants, scenario_constants

RESULT = Path(__file__).with_name("terms_evidence.json")
PAGE = Path(__file__).parents[2] / "docs" / "terms.md"
SCALES = (0.01, 0.02, 0.03, 0.045, 0.06)
"""Effects per effector among which the other cohorts choose; 0.06 is the default."""


@dataclass(frozen=True)
class Sized:
    """A term, its scenario, the constant that sizes it, its neutral value and others to try."""

    name: str
    scenario: str
    key: str
    neutral: float
    sizes: tuple[float, ...]


TERMS = (
    Sized("plateau of the gate (M40)", "gate-plateau", "gate_plateau", 0.0, (0.1, 0.3, 0.6)),
    Sized("a course's own loss (M41)", "own-loss", "own_loss", 0.0, (0.3, 1.0)),
    Sized("liver: release (M42)", "liver-release", "liver_release_factor", 1.0, (0.6, 0.3, 0.1)),
    Sized("liver: siphon (M42)", "liver-siphon", "liver_siphon_nats", 0.0, (0.3, 0.7, 1.6)),
    Sized(
        "mobilization by anti-CTLA-4 (M43)",
        "ctla4-mobilization",
        "ctla4_mobilization_per_day",
        0.0,
        (0.01, 0.03, 0.05),
    ),
    Sized(
        "depletion by anti-CTLA-4 (M44)", "ctla4-depletion", "ctla4_depletion", 0.0, (0.5, 1.5, 3.0)
    ),
    Sized("count before treatment (M45)", "count-before", "count_exponent", 0.0, (0.5, 1.0, 2.0)),
)
ABOUT = """
ln L: log likelihood of {comparisons} published sizes of {cohorts} cohorts of patients, each
counted once. The default has {alone:.2f}, one constant whatever the schedule {constant:.2f}, no
effect at all {none:.2f}. `left out`: for each cohort all others choose the size, none among them.
`with scale`: they choose the effect per effector, too, by which alone, without any term, it would
be {scaled:.2f}; what a term gains by weakening all effects is gained there without it.
`reproduced`: scored findings of mice and patients at the size of the scenario, of {scored};
{reproduced} by default. A siphon is the same in all arms of a trial unless one of them irradiates
a liver lesion, and cohorts do not state counts before treatment, so sizes say nothing of some
terms.
"""

CAVEAT = (
    "None is part of the default: a gain that needs another scale waits until the scale is"
    " calibrated. Sizes are assumed, and were partly chosen on findings that are counted here: a"
    " finding gained is no test of a term."
)

LEAST = 0.05
"""Gain of ln L below which a term is no better: sizes and scales are read on grids."""

TOGETHER = {
    "gate_plateau": 0.3,
    "own_loss": 1.0,
    "liver_release_factor": 0.3,
    "ctla4_mobilization_per_day": 0.03,
    "ctla4_depletion": 1.5,
    "count_exponent": 1.0,
}
"""All terms but the siphon at the sizes of their scenarios."""


def by_cohort(compared: Sequence[Comparison], predictions: FloatArray) -> dict[str, float]:
    """ln L of each cohort's comparisons; they add up to that of all."""
    cohorts = [comparison.finding.patients for comparison in compared]
    found = {}
    for cohort in dict.fromkeys(cohorts):
        rows = [i for i, name in enumerate(cohorts) if name == cohort]
        found[cohort] = fit([compared[i] for i in rows], predictions[rows]).log_likelihood
    return found


def left_out(likelihoods: Sequence[dict[str, float]]) -> float:
    """Sum over cohorts of ln L at the size that the others choose, the first of equals."""
    total = 0.0
    for cohort in likelihoods[0]:
        others = [sum(v for k, v in one.items() if k != cohort) for one in likelihoods]
        total += likelihoods[int(np.argmax(others))][cohort]
    return total


def under(**changed: float) -> list[Scored]:
    """Verdicts on every finding with some constants changed."""
    return scored(default_constants().model_copy(update=changed))


def by_scale(**changed: float) -> list[dict[str, float]]:
    """ln L of each cohort at every scale, with some other constants changed."""
    sized = [finding.id for finding, _ in trials() if finding.effects]
    found = []
    for scale in SCALES:
        constants = default_constants().model_copy(update={"effect_per_effector": scale} | changed)
        found.append(likelihood_of(scored(constants, only=sized)))
    return found


def likelihood_of(results: Sequence[Scored]) -> dict[str, float]:
    """ln L of each cohort under a set of constants."""
    compared = comparisons(results)
    return by_cohort(compared, np.array([c.predicted for c in compared]))


def verdicts(results: Sequence[Scored], before: Sequence[Scored]) -> dict[str, Any]:
    """Counts of scored findings, and which changed sides."""
    score = score_of(results)
    moved: dict[str, list[str]] = {"gained": [], "lost": []}
    for new, old in zip(results, before, strict=True):
        if new.counts and new.surrogate != old.surrogate:
            moved["gained" if new.surrogate == "reproduced" else "lost"].append(new.finding.id)
    return {"reproduced": score.reproduced, "scored": score.total} | moved


def measured() -> dict[str, Any]:
    """Every number of the section."""
    before = under()
    rivals = fits(comparisons(before))
    off = likelihood_of(before)
    scaled = by_scale()
    found: dict[str, Any] = {
        "format": 1,
        "comparisons": len(comparisons(before)),
        "cohorts": len(off),
        "default": {
            "log_likelihood": round(sum(off.values()), 2),
            "left_out_scaled": round(left_out(scaled), 2),
            **verdicts(before, before),
        },
        "rivals": {name: round(one.log_likelihood, 2) for name, one in rivals.items()},
        "terms": [],
    }
    for term in TERMS:
        runs = [under(**{term.key: size}) for size in term.sizes]
        likelihoods = [likelihood_of(run) for run in runs]
        totals = [round(sum(one.values()), 2) for one in likelihoods]
        size = float(getattr(scenario_constants(term.scenario), term.key))
        stated = term.sizes.index(size)
        both_chosen = [one for size in term.sizes for one in by_scale(**{term.key: size})]
        found["terms"].append(
            {
                "name": term.name,
                "scenario": term.scenario,
                "key": term.key,
                "sizes": dict(zip(map(str, term.sizes), totals, strict=True)),
                "stated": size,
                "left_out": round(left_out([off, *likelihoods]), 2),
                "left_out_scaled": round(left_out([*scaled, *both_chosen]), 2),
                **verdicts(runs[stated], before),
            }
        )
        print(found["terms"][-1], flush=True)
    both = under(**TOGETHER)
    found["together"] = {
        "log_likelihood": round(sum(likelihood_of(both).values()), 2),
        **verdicts(both, before),
    }
    return found


def section(found: dict[str, Any]) -> str:
    """The section of `docs/terms.md`."""
    default, rivals = found["default"], found["rivals"]
    alone, scaled = default["log_likelihood"], default["left_out_scaled"]
    better = [t["name"] for t in found["terms"] if t["left_out_scaled"] > scaled + LEAST]
    about = ABOUT.format(
        comparisons=found["comparisons"],
        cohorts=found["cohorts"],
        alone=alone,
        scaled=scaled,
        constant=rivals["constant"],
        none=rivals["no_effect"],
        scored=default["scored"],
        reproduced=default["reproduced"],
    )
    lines = [
        EVIDENCE,
        "",
        *textwrap.wrap(" ".join(about.split()), 100),
        "",
        "Written by `python benchmarks/studies/terms_evidence.py --write`.",
        "",
        "| term | scenario | ln L by size | left out | with scale | reproduced | gained | lost |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for term in found["terms"]:
        sizes = ", ".join(f"{size}: {value:.2f}" for size, value in term["sizes"].items())
        lines.append(
            f"| {term['name']} | `{term['scenario']}` | {sizes} | {term['left_out']:.2f}"
            f" | {term['left_out_scaled']:.2f} | {term['reproduced']}"
            f" | {_names(term['gained'])} | {_names(term['lost'])} |"
        )
    both = found["together"]
    lines += [
        f"| all but the siphon | | {both['log_likelihood']:.2f} | | | {both['reproduced']}"
        f" | {_names(both['gained'])} | {_names(both['lost'])} |",
        "",
        *textwrap.wrap(
            f"Better with scale by more than {LEAST:g}: {_names(better)}. {CAVEAT}", 100
        ),
    ]
    return "\n".join(lines) + "\n"


def _names(ids: Sequence[str]) -> str:
    return ", ".join(ids) or "none"


def with_section(page: str, text: str) -> str:
    """The page with the section at its end."""
    return page.split(EVIDENCE)[0].rstrip() + "\n\n" + text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the JSON file and the section")
    write = parser.parse_args().write
    found = measured()
    print(section(found))
    if write:
        RESULT.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
        page = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(with_section(page, section(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
