"""The commands that make pages and pictures of results."""

from __future__ import annotations

import click

from abscopt.optimizer.report.pictures import PICTURES, STUDIES


@click.command("report")
@click.argument("results", metavar="RESULT...", nargs=-1, required=True)
@click.option("--out", metavar="FILE", help="Write one self-contained HTML page.")
@click.option("--ics", metavar="FILE", help="Write the days of one result as a calendar file.")
@click.option("--case", metavar="NAME|FILE", help="Case of the results; default: the one named.")
def report_command(
    results: tuple[str, ...], out: str | None, ics: str | None, case: str | None
) -> None:
    """One page of results for a person: decision, gain, calendar, control, limits, proof."""
    if out is None and ics is None:
        raise click.UsageError("give --out FILE or --ics FILE")
    from abscopt.optimizer.report.written import write_page

    write_page(results, case, out, ics)


@click.command("plot")
@click.argument("result", metavar="FILE")
@click.option(
    "--kind", type=click.Choice([*PICTURES, *STUDIES]), default="calendar", show_default=True,
    help="What to draw.",
)  # fmt: skip
@click.option("--out", metavar="FILE", required=True, help="PNG, SVG or PDF, by its ending.")
@click.option("--case", metavar="NAME|FILE", help="Case of the result; default: the one named.")
def plot_command(result: str, kind: str, out: str, case: str | None) -> None:
    """Draw a result: calendar, use of limits, control, courses over time, proof.

    Of what `robustness --json` writes: spread (control over the ensemble) and identification; of
    `pareto --json`: frontier; of `solve --log`: progress (bound and schedule over time).
    """
    from abscopt.optimizer.report.written import write_picture

    write_picture(result, case, kind, out)
