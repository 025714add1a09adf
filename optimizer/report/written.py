"""Pages, pictures and calendar files on disk, and what is said where the extra is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from abscopt.instances.load import InputError, Problem
from abscopt.optimizer.report.finding import Finding
from abscopt.optimizer.report.pictures import STUDIES
from abscopt.optimizer.report.sources import source_of
from abscopt.optimizer.results.files import write_file

if TYPE_CHECKING:
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.ranged.sensitivity import Sensitivity
    from abscopt.optimizer.results.result import Result

EXTRA = ("matplotlib", "jinja2", "markupsafe", "icalendar")


@contextmanager
def extra() -> Iterator[None]:
    """Imports of the extra `report`; one that is missing is an error of the user's installation."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in EXTRA:
            raise
        rule = "is not installed: pip install 'abscopt[report]'"
        raise InputError([Problem("abscopt", "extra report", error.name, rule)]) from None


def refuse_without_extra() -> None:
    """Raise InputError where the extra is not installed: before a solve, not after it."""
    with extra():
        import icalendar  # noqa: F401
        import jinja2  # noqa: F401
        import matplotlib  # noqa: F401


def write_picture(file: str, case: str | None, kind: str, out: str) -> None:
    """Draw one kind of picture of a result, or of what another command wrote; raises InputError."""
    with extra():
        from abscopt.optimizer.report.plots import figure_of, save
        from abscopt.optimizer.report.studies import study_figure
    if kind in STUDIES:
        if case is not None:
            rule = f"goes with results; --kind {kind} needs no case"
            raise InputError([Problem("--case", "name", case, rule)])
        save(study_figure(source_of(file, kind), kind), out)
        return
    save(figure_of(Finding.of_file(file, case), kind), out)


def write_page(files: Sequence[str], case: str | None, out: str | None, ics: str | None) -> None:
    """Write the page of some result files, and the calendar file of the only one."""
    if ics is not None and len(files) > 1:
        rule = "goes with one result only"
        raise InputError([Problem("--ics", "files", f"{len(files)} results", rule)])
    _write([Finding.of_file(file, case) for file in files], out, ics)


def write_page_of(
    result: Result, case: Instance, out: str, robustness: dict[str, Any] | None
) -> None:
    """Write the page of an answer that was just found, and of what an ensemble says of it."""
    _write([Finding.of_result(result, case, robustness)], out, None, "--report")


def _write(
    findings: Sequence[Finding], out: str | None, ics: str | None, option: str = "--out"
) -> None:
    with extra():
        from abscopt.optimizer.report.ics import ics_text
        from abscopt.optimizer.report.pages.page import page
    if out is not None:
        write_file(out, page(findings), option)
    if ics is not None:
        write_file(ics, ics_text(findings[0]), "--ics")


def refuse_tornado(out: str) -> None:
    """Raise InputError where a tornado cannot be drawn to a file: before solves, not after them."""
    with extra():
        from abscopt.optimizer.report.plots import refuse_ending
    refuse_ending(out, "--plot")


def write_tornado(study: Sensitivity, out: str) -> None:
    """Draw what an answer depends on; raises InputError."""
    with extra():
        from abscopt.optimizer.report.plots import save
        from abscopt.optimizer.report.tornado import tornado
    save(tornado(study), out)
