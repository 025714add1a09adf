"""What was learned, for a person and for another program; and its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.ensemble.study.document import csv_text
from abscopt.optimizer.learning.explained import surprises
from abscopt.optimizer.learning.learned import TABLES
from abscopt.optimizer.learning.posterior import ensemble_toml
from abscopt.optimizer.learning.tempering import effective
from abscopt.optimizer.results.files import write_folder
from abscopt.optimizer.results.result import (
    DISCLAIMER,
    heading,
    sealed,
    versions,
)
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import change_lines

if TYPE_CHECKING:
    from abscopt.optimizer.learning.update import Update
    from abscopt.optimizer.results.text.plain import Table

POSTERIOR = "posterior.toml"


def document(update: Update) -> dict[str, Any]:
    """What `update --json` prints, sealed."""
    case = update.prior.case
    return sealed(
        {
            **heading("update", case),
            "schedule": update.schedule.to_json(case),
            "ensemble": update.prior.name,
            "left_out": list(update.prior.left_out),
            "effective_members": update.effective,
            "collapsed": update.collapsed,
            "resampled": update.resampled,
            "stopped": update.stopped,
            "temperatures": list(update.temperatures),
            "acceptance": list(update.acceptance),
            "evaluations": update.evaluations,
            "log_evidence": update.log_evidence,
            "information_nats": update.information,
            "lines": lines(update),
            **{name: rows(update) for name, rows in TABLES.items()},
            "posterior": [
                {
                    "name": member.name,
                    "weight": member.weight,
                    "changes": {change.key: change.value for change in member.changes},
                }
                for member in update.posterior.members
            ],
            "particles": update.particles,
            "seed": update.seed,
            "versions": versions(),
        }
    )


def text(update: Update, as_json: bool) -> str:
    """What `update` prints."""
    if as_json:
        return json.dumps(document(update), indent=2, allow_nan=False)
    return report(update).rstrip("\n")


def write(update: Update, folder: str) -> None:
    """Write `posterior.toml`, `update.json`, `update.txt` and CSV tables; raises InputError."""
    files = {f"update_{name}.csv": csv_text(rows(update)) for name, rows in TABLES.items()}
    files["update.txt"] = report(update)
    files["update.json"] = text(update, as_json=True) + "\n"
    files[POSTERIOR] = ensemble_toml(
        update.posterior, " ".join(" ".join(line.split()) for line in lines(update))
    )
    write_folder(folder, files)


def lines(update: Update) -> list[str]:
    """How well the members stand for the posterior, what was learned in all, what surprises."""
    members, number = len(update.members.weights), update.effective
    said = [
        f"Members    {members} of ensemble {update.prior.name}; effective number after weighing "
        f"{number:.1f}."
    ]
    if update.resampled:
        said.append(
            f"Resampled  the members collapsed: {update.particles} particles moved through "
            f"{len(update.temperatures)} temperatures, effective number "
            f"{effective(update.after.weights):.0f}, {100 * min(update.acceptance):.0f} to "
            f"{100 * max(update.acceptance):.0f} % of steps accepted."
        )
    elif update.collapsed and update.stopped:
        said.append("Collapsed  time ended before particles were moved: few members stand for all.")
    elif update.collapsed:
        said.append(
            "Collapsed  listed members cannot be moved: few of them stand for all; more members, "
            "or an ensemble of ranges, would say more."
        )
    said.append(
        f"Learned    {update.information:.2f} nats about all parameters together; log evidence "
        f"{update.log_evidence:.2f}."
    )
    for i, chance in surprises(update.likelihood, update.before):
        observation = update.observations[i]
        said.append(
            f"Surprise   {observation.name}: {observation.value:.3g} {observation.unit} has a "
            f"chance of {chance:.1g} under the ensemble as a whole."
        )
    return said


def report(update: Update) -> str:
    """Everything for a person, what counts first."""
    case = update.prior.case
    parts: list[object] = [f"{case.name}: {case.title}", *change_lines(case), *lines(update), ""]
    parts.append(_observations(update))
    table, silent = _parameters(update)
    parts.append(table)
    if silent:
        parts.append(f"Nothing learned about  {', '.join(silent)}")
    if update.prior.left_out:
        parts.append(f"Not in this case  {', '.join(update.prior.left_out)}")
    count = len(update.posterior.members)
    parts.append(f"Posterior  {count} members with weights ({POSTERIOR} with --out)")
    return plain_text([*parts, "", DISCLAIMER])


def _observations(update: Update) -> Table:
    table = plain_table(
        "Predicted before and after (median, 5 % to 95 %; without the error of the measurement)",
        "Observation", ">Measured", "Unit", ">Before", ">After", ">Off by sd",
    )  # fmt: skip
    for row in TABLES["observations"](update):
        table.add_row(
            row["observation"],
            f"{'' if row['seen'] else '< '}{row['measured']:.3g}",
            row["unit"],
            _range(row, "prior"),
            _range(row, "posterior"),
            f"{row['deviation_sd']:+.1f}" if row["deviation_sd"] is not None else "-",
        )
    return table


def _parameters(update: Update) -> tuple[Table, list[str]]:
    """Table of what was learned, and parameters about which nothing was."""
    table = plain_table(
        "Learned about (median, 5 % to 95 %)", "Parameter", ">Before", ">After", ">Nats"
    )
    silent = []
    for row in TABLES["parameters"](update):
        if not row["learned"]:
            silent.append(row["parameter"])
            continue
        table.add_row(
            row["parameter"],
            _range(row, "prior"),
            _range(row, "posterior"),
            f"{row['information_nats']:.2f}",
        )
    return table, silent


def _range(row: dict[str, Any], label: str) -> str:
    if row.get(f"{label}_probable") is not None:
        return str(row[f"{label}_probable"])
    low, middle, high = (row[f"{label}_quantile_{level}"] for level in (5, 50, 95))
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"
