"""The commands that make a case of what other programs export."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from abscopt.instances.load import printable
from abscopt.optimizer.console.guard import say
from abscopt.optimizer.console.options import Within

if TYPE_CHECKING:
    from abscopt.instances.dvh.command import Answer

Command = Callable[..., Any]


def structure_options(prescription: str) -> Callable[[Command], Command]:
    """Limit set, map, prescription (with this help) and file of a case made of structures."""
    options = (
        click.option("--set", "limit_set", metavar="LIMIT_SET", required=True, help="Its limits."),
        click.option(
            "--map", "map_file", metavar="MAP", help="Structures to organs; printed if absent."
        ),
        click.option("--rx", metavar="50/5", help=prescription),
        click.option("--out", metavar="CASE", help="Write the case there; default: print it."),
    )

    def with_options(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return with_options


def measure_option(structures: str) -> Callable[[Command], Command]:
    """Further measures to say, of which structures."""
    words = f"Say D2cc, D95% or V20Gy of every {structures}, too; may be repeated."
    return click.option("--measure", "measures", metavar="NAME", multiple=True, help=words)


@click.group("import")
def import_group() -> None:
    """Make a case of what other programs export."""


@import_group.command("dvh")
@click.argument("files", metavar="FILES...", nargs=-1, required=True)
@structure_options("Prescription: total dose in Gy / fractions.")
@click.option(
    "--type", "kind", type=click.Choice(["cumulative", "differential"]),
    help="Kind of histogram, of files that do not say it; default: cumulative.",
)  # fmt: skip
@measure_option("structure")
def import_dvh_command(
    files: tuple[str, ...],
    limit_set: str,
    map_file: str | None,
    rx: str | None,
    out: str | None,
    kind: Any,
    measures: tuple[str, ...],
) -> None:
    """A case from dose-volume histograms: text tables and exports of planning systems.

    Sparing factors are doses of the plan over its prescription, at the points that the limit set
    counts. Without --map a map of all structures is printed, to be filled in (exit code 2).
    """
    from abscopt.instances.dvh.command import answer

    _hand_over(answer(files, limit_set, map_file, rx, kind, measures), out)


@import_group.command("dicom")
@click.argument("paths", metavar="PATHS...", nargs=-1, required=True)
@structure_options("Prescription; default: that of the RT plan.")
@measure_option("mapped structure")
def import_dicom_command(
    paths: tuple[str, ...],
    limit_set: str,
    map_file: str | None,
    rx: str | None,
    out: str | None,
    measures: tuple[str, ...],
) -> None:
    """A case from DICOM RT doses, structure sets and plans: files, or folders of them.

    Histograms are computed from dose and contours, then used as by `import dvh`. Nothing that
    identifies a person is written. Needs pip install 'abscopt[dicom]'.
    """
    from abscopt.instances.dicom.command import answer

    _hand_over(answer(paths, limit_set, map_file, rx, measures), out)


@import_group.command("matrad")
@click.argument("files", metavar="FILES...", nargs=-1, required=True)
@structure_options("Prescription: total dose in Gy / fractions.")
@click.option(
    "--dose", "quantity", default="physicalDose", show_default=True, metavar="FIELD",
    help="Field of resultGUI: the dose of one fraction in Gy.",
)  # fmt: skip
@measure_option("mapped structure")
def import_matrad_command(
    files: tuple[str, ...],
    limit_set: str,
    map_file: str | None,
    rx: str | None,
    out: str | None,
    quantity: str,
    measures: tuple[str, ...],
) -> None:
    """A case from doses of a fraction and voxels of structures: matRad's ct, cst, pln and
    resultGUI in MATLAB files (-v7), or plain arrays in a NumPy archive (.npz).

    Histograms are computed from dose and voxels, then used as by `import dvh`.
    """
    from abscopt.instances.voxels.command import answer

    _hand_over(answer(files, limit_set, map_file, rx, quantity, measures), out)


@import_group.command("adaptfx")
@click.argument("file", metavar="FILE")
@click.option("--out", metavar="CASE", help="Write the case there; default: print it.")
@click.option(
    "--bed-step", default=0.5, show_default=True, metavar="GY",
    help="Doses on the menu: multiples of it in tumor BED.",
)  # fmt: skip
def import_adaptfx_command(file: str, out: str | None, bed_step: float) -> None:
    """A case from an instruction file of adaptfx (algorithms oar, frac, tumor)."""
    from abscopt.instances.dvh.command import Answer
    from abscopt.instances.neighbors.adaptfx import answer

    text, remarks = answer(file, bed_step)
    _hand_over(Answer(text, True, remarks), out)


@import_group.command("cerr-roe")
@click.argument("protocol", metavar="PROTOCOL")
@click.option("--criteria", metavar="FILE", help="Its criteria; default: the file that it names.")
@click.option("--target", metavar="STRUCTURE", help="Structure of the target; asked if absent.")
@click.option("--tumor", metavar="NAME", help="Tumor of the library; asked if absent.")
@click.option("--where", metavar="ORGAN", help="Where the lesion is; asked if absent.")
@click.option(
    "--penalty", type=Within(0, 1e6, min_open=True), metavar="P",
    help="Guidelines as soft limits: objective lost per unit of use above 1; default: left out.",
)  # fmt: skip
@click.option("--out", metavar="MAP", help="Write the map there; default: print it.")
def import_cerr_roe_command(
    protocol: str,
    criteria: str | None,
    target: str | None,
    tumor: str | None,
    where: str | None,
    penalty: float | None,
    out: str | None,
) -> None:
    """A map for `import dvh` and `import dicom` from a protocol and criteria of CERR-ROE.

    Limits are corrected for fraction size, as there: with `--set none` they are all of the case's.
    """
    from abscopt.instances.dvh.command import Answer
    from abscopt.instances.neighbors.cerr_roe import answer

    text, remarks, complete = answer(protocol, criteria, target, tumor, where, penalty)
    _hand_over(Answer(text, complete, remarks), out, "give it with --set none --map to import dvh")


def _hand_over(made: Answer, out: str | None, onward: str = "") -> None:
    """Write a case or print it; a map to fill in is printed, with exit code 2.

    Parameters
    ----------
    onward : what to do with the file; if empty, to solve it
    """
    from abscopt.optimizer.results.files import write_file

    if out is None or not made.complete:
        say(made.text.rstrip("\n"))
    else:
        write_file(out, made.text, "--out")
    for line in made.remarks:
        say(printable(line), err=True)
    if not made.complete:
        sys.exit(2)
    if out is not None:
        say(f"{out}: written; {onward or f'solve it with `abscopt solve {out}`'}", err=True)
