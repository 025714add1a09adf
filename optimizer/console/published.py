"""The commands on what is published: evidence, library, trials, simulate."""

from __future__ import annotations

import click

from abscopt.instances.changes.change import Change
from abscopt.optimizer.console.guard import say, say_json
from abscopt.optimizer.console.judged import case_of
from abscopt.optimizer.console.options import changes_options, cross_option
from abscopt.optimizer.progress import ProgressLine
from abscopt.optimizer.results.result import DISCLAIMER, FORMAT

LIBRARY = (
    "sets", "limits", "tissues", "tumors", "drugs", "regimens", "scenarios", "ensembles", "trials",
)  # fmt: skip


@click.command("simulate")
@click.argument("case", metavar="NAME|FILE")
@click.argument("schedule_file", metavar="SCHEDULE")
@cross_option
@click.option(
    "--beyond-validity", is_flag=True, help="Run models outside the range they state, too."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@changes_options
def simulate_command(
    case: str,
    schedule_file: str,
    cross: bool,
    beyond_validity: bool,
    as_json: bool,
    changes: tuple[Change, ...],
) -> None:
    """A schedule, the standard regimen and alternatives in published forward models."""
    instance = case_of(case, changes, schedule_file)
    from abscopt.optimizer.results.reading.schedule_files import schedule_of_file

    schedule = schedule_of_file(schedule_file, instance, cross=cross)
    from abscopt.optimizer.simulation.document import simulation

    document, text = simulation(instance, schedule, "schedule", beyond_validity)
    if as_json:
        say_json(document)
    else:
        say(text.rstrip("\n"))


@click.command("evidence")
@click.option("--only", metavar="ID", multiple=True, help="Only this finding; may be repeated.")
@click.option(
    "--scenario", metavar="NAME", default="default", show_default=True,
    help="Immune constants of the library to judge with.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def evidence_command(only: tuple[str, ...], scenario: str, as_json: bool) -> None:
    """Which published findings the model reproduces, and which it does not.

    Every finding is evaluated by the judge's surrogate, by each published forward model that can
    express it, and by tumor BED alone.
    """
    from abscopt.optimizer.evidence.command import evidence
    from abscopt.optimizer.evidence.document import evidence_document, evidence_report

    with ProgressLine() as progress:
        results, requirements = evidence(only, scenario, progress)
    if as_json:
        say_json(evidence_document(results, requirements))
    else:
        say(evidence_report(results, requirements).rstrip("\n"))


@click.command("library")
@click.argument("table", metavar="[TABLE]", type=click.Choice(LIBRARY), required=False)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def library_command(table: str | None, name: str | None, as_json: bool) -> None:
    """What the library holds: values with their source and status.

    TABLE is sets, limits, tissues, tumors, drugs, regimens, scenarios, ensembles or trials.
    """
    from abscopt.optimizer.results.text import library_report as shown

    if as_json:
        say_json(shown.library_document(table, name))
    elif table is None:
        say(shown.tables_report().rstrip("\n"))
    elif name is None:
        say(shown.entries_report(table).rstrip("\n"))
    else:
        say(shown.entry_report(table, name).rstrip("\n"))


@click.command("trials")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def trials_command(as_json: bool) -> None:
    """Arms of published trials, for `evaluate CASE --regimen NAME`."""
    _say_trials("trials", as_json)


@click.command("regimens", hidden=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def regimens_command(as_json: bool) -> None:
    """The old name of `trials`; regimens of drugs are in `library regimens`."""
    _say_trials("regimens", as_json)


def _say_trials(kind: str, as_json: bool) -> None:
    from abscopt.instances.trials import trial_arms

    arms = trial_arms()
    if as_json:
        rows = {name: arm.model_dump(mode="json") for name, arm in arms.items()}
        say_json({"format": FORMAT, "kind": kind, "notice": DISCLAIMER, kind: rows})
        return
    width = max(len(name) for name in arms)
    for name, arm in arms.items():
        say(f"{name:<{width}}  {arm.title} ({arm.trial})")
