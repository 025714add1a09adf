"""What robustness study, for a person and for another program; and its files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from abscopt.optimizer.ensemble.study.frames import TABLES, Rows
from abscopt.optimizer.ensemble.study.robustness import QUANTILES, Robustness
from abscopt.optimizer.results.files import write_folder
from abscopt.optimizer.results.result import DISCLAIMER, heading, sealed, versions
from abscopt.optimizer.results.text.csv_rows import csv_rows
from abscopt.optimizer.results.text.plain import plain_table, plain_text
from abscopt.optimizer.results.text.wording import change_lines

if TYPE_CHECKING:
    from abscopt.optimizer.results.text.plain import Table


def document(study: Robustness) -> dict[str, Any]:
    """What `robustness --json` prints, sealed."""
    case = study.ensemble.case
    return sealed(
        {
            **heading("robustness", case),
            "schedule": study.pool.schedules[study.schedule].to_json(case),
            "versions": versions(),
        }
        | findings(study)
    )


def findings(study: Robustness) -> dict[str, Any]:
    """Its findings: lines, summary and tables."""
    return {
        "ensemble": study.ensemble.name,
        "left_out": list(study.ensemble.left_out),
        "unit": study.unit,
        "gap": study.gap,
        "matters_above": study.matters,
        "stopped": study.stopped,
        "lines": study.lines(),
        "summary": study.summary(),
        **{name: rows(study) for name, rows in TABLES.items()},
    }


def text(study: Robustness, as_json: bool) -> str:
    """What `robustness` prints."""
    if as_json:
        return json.dumps(document(study), indent=2, allow_nan=False)
    return report(study).rstrip("\n")


def write(study: Robustness, folder: str) -> None:
    """Write `robustness.json`, `robustness.txt` and one CSV per table; raises InputError."""
    files = {f"robustness_{name}.csv": csv_text(rows(study)) for name, rows in TABLES.items()}
    files["robustness.txt"] = report(study)
    files["robustness.json"] = text(study, as_json=True) + "\n"
    write_folder(folder, files)


def csv_text(rows: Rows) -> str:
    """Rows as CSV; empty without rows."""
    if not rows:
        return ""
    return csv_rows(list(rows[0]), rows)


def report(study: Robustness) -> str:
    """Everything for a person, the two lines first."""
    case, summary = study.ensemble.case, study.summary()
    lines: list[object] = [f"{case.name}: {case.title}", *change_lines(case), *study.lines(), ""]
    lines += [_members(study), _control(study), _decisions(study)]
    if study.drivers:
        lines.append(_drivers(study))
    lines += _summary_lines(study, summary)
    if study.ensemble.left_out:
        lines.append(f"Not in this case  {', '.join(study.ensemble.left_out)}")
    return plain_text([*lines, "", DISCLAIMER])


def _members(study: Robustness) -> Table:
    table = plain_table(
        f"Value in each member ({study.unit}; ! breaks a limit)", "Member", ">Weight",
        ">Schedule", ">Standard", ">Gain", ">Best known", ">Bound", ">Regret", "Own solve",
    )  # fmt: skip
    for row in TABLES["members"](study):
        table.add_row(
            row["member"],
            f"{row['weight']:.3g}",
            _number(row["value"]) + ("" if row["keeps_limits"] else "!"),
            _number(row["standard_value"]) + ("!" if row["standard_keeps_limits"] is False else ""),
            _number(row["gain"], "+"),
            *(_number(row[key]) for key in ("best_known", "bound", "regret")),
            row["status"],
        )
    return table


def _control(study: Robustness) -> Table:
    levels = [f">{100 * level:.0f} %" for level in QUANTILES]
    days = study.ensemble.case.days
    table = plain_table(
        f"Control on day {days}: mean and quantiles over members (%)", "Lesion", "Of", ">Mean",
        *levels,
    )  # fmt: skip
    for row in TABLES["control"](study):
        numbers = [row["mean"], *(row[f"quantile_{100 * level:.0f}"] for level in QUANTILES)]
        table.add_row(row["lesion"], row["of"], *(f"{100 * number:.2f}" for number in numbers))
    return table


def _decisions(study: Robustness) -> Table:
    table = plain_table(
        f"Decisions (cost: largest loss in any member of fixing it, {study.unit})", "Decision",
        "Most choose", ">Share", ">Cost", "Or", ">Cost", "Schedule", "Verdict",
    )  # fmt: skip
    for row in TABLES["decisions"](study):
        about = "" if row["exact"] else "<="
        table.add_row(
            row["decision"],
            row["chosen"],
            f"{100 * row['share']:.0f} %",
            about + _number(row["cost_of_chosen"], absent="n/a"),
            row["alternative"] or "-",
            "-" if row["alternative"] is None else about + _number(row["cost_of_alternative"]),
            row["schedule"],
            row["verdict"],
        )
    return table


def _drivers(study: Robustness) -> Table:
    table = plain_table(
        "What drives value and gain: Sobol' indices (95 % interval)", "Of", "Parameter",
        ">First", "", ">Total", "",
    )  # fmt: skip
    for driver in study.drivers:
        table.add_row(
            driver.quantity,
            driver.parameter,
            f"{driver.first:.2f}",
            f"{driver.first_low:.2f} to {driver.first_high:.2f}",
            f"{driver.total:.2f}",
            f"{driver.total_low:.2f} to {driver.total_high:.2f}",
        )
    return table


def _summary_lines(study: Robustness, summary: dict[str, Any]) -> list[str]:
    unit = study.unit
    lines = [
        f"Mean        {summary['mean']:.4f} {unit}; best mean of {summary['schedules_compared']} "
        f"schedules compared {_number(summary['best_in_mean'])} {unit}",
        f"Limits      kept in {100 * summary['keeps_limits']:.0f} % of the members",
    ]
    if summary["gain_quantiles"] is not None:
        low, middle, high = summary["gain_quantiles"]
        lines.append(
            f"Gain        median {middle:+.4f} {unit}; 10 % below {low:+.4f}, 10 % above "
            f"{high:+.4f}"
        )
    lines += [
        f"Regret      mean {_number(summary['mean_regret'])} {unit}, largest "
        f"{_number(summary['largest_regret'])} {unit}",
        f"Price       of robustness: the best mean gives up "
        f"{_number(summary['price_of_robustness'])} {unit} in the case as stated",
        f"Knowing     which member it is would be worth at most "
        f"{_number(summary['evpi_at_most'])} {unit} in the mean (EVPI)",
        f"Matters     a decision whose cost is above {study.matters:g} {unit}; members solved to "
        f"{study.gap:g} {unit}: {summary['solved']} of {summary['members']}",
    ]
    return lines


def _number(value: float | None, sign: str = "", absent: str = "-") -> str:
    return absent if value is None else f"{value:{sign}.4f}"
