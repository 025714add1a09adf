"""Solution files of other solvers: the value of every choice that they name.

SCIP, CBC, Gurobi and HiGHS (raw) write names followed by values, GLPK's report as well, on one line
or two; CPLEX writes XML, `glpsol -w` numbers, HiGHS' pretty style a table.
"""

from __future__ import annotations

import re

from abscopt.instances.load import InputError, Problem

CHOICE = re.compile(r"[xy]\(\S*\)")
PRETTY = re.compile(r"^ *Index +Status +Lower +Upper +Primal\b.* Name$", re.MULTILINE)
"""Heading of the table of columns in HiGHS' pretty style."""


def solution_values(
    text: str, file: str, programme: str | None = None
) -> dict[str, tuple[float, str]]:
    """Value and place of every named choice in a solution file; raises InputError."""
    if re.search(r"^s (mip|bas|ipt) ", text, re.MULTILINE):
        pairs = _numbered(text, file, programme)
    elif "<CPLEXSolution" in text:
        pairs = [
            (_attribute(line, "name"), _attribute(line, "value"), f"line {number}")
            for number, line in enumerate(text.splitlines(), 1)
            if line.lstrip().startswith("<variable ")
        ]
    elif PRETTY.search(text):
        pairs = _tabulated(text)
    else:
        pairs = _listed(text)
    values: dict[str, tuple[float, str]] = {}
    for name, value, place in pairs:
        if not CHOICE.fullmatch(name):
            continue
        try:
            number = float(value)
        except ValueError:
            rule = "must be followed by its value"
            raise InputError([Problem(file, place, f"{name} {value}"[:120], rule)]) from None
        if name in values:
            raise InputError([Problem(file, place, name, "given twice")])
        values[name] = (number, place)
    if not values:
        rule = "no value of a choice of a course or plan, such as x(lung,none) 1"
        raise InputError([Problem(file, "file", "nothing", rule)])
    return values


def _listed(text: str) -> list[tuple[str, str, str]]:
    """Names followed by values, on one line or (GLPK's report) on two; duals are left out."""
    pairs: list[tuple[str, str, str]] = []
    waiting: tuple[str, str] | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(("# Dual", "# Basis")):
            break
        for token in line.split():
            if CHOICE.fullmatch(token):
                if waiting is not None:
                    pairs.append((waiting[0], "", waiting[1]))
                waiting = (token, f"line {number}")
            elif waiting is not None and token != "*":
                pairs.append((waiting[0], token, waiting[1]))
                waiting = None
    if waiting is not None:
        pairs.append((waiting[0], "", waiting[1]))
    return pairs


def _tabulated(text: str) -> list[tuple[str, str, str]]:
    """Names and values of HiGHS' pretty style: a table whose columns are as wide as its heading."""
    pairs, heading = list[tuple[str, str, str]](), ""
    for number, line in enumerate(text.splitlines(), 1):
        if PRETTY.match(line):
            heading = line
        elif line.startswith("Rows"):
            break
        elif heading:
            value = line[heading.index("Upper") + len("Upper") : heading.index("Primal") + 6]
            pairs.append((line[heading.index("Name") :].strip(), value.strip(), f"line {number}"))
    return pairs


def _numbered(text: str, file: str, programme: str | None) -> list[tuple[str, str, str]]:
    """Columns by number: `j 12 1` of `glpsol -w`."""
    if programme is None:
        rule = "this format numbers the columns: give the written programme with --programme"
        raise InputError([Problem(file, "file", "glpsol -w", rule)])
    names = _names_in_order(programme)
    pairs = []
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r"j (\d+) (?:\w )?(\S+)", line)
        if match is None:
            continue
        column = int(match.group(1))
        if not 1 <= column <= len(names):
            rule = f"the programme has {len(names)} columns"
            raise InputError([Problem(file, f"line {number}", str(column), rule)])
        pairs.append((names[column - 1], match.group(2), f"line {number}"))
    return pairs


def _names_in_order(programme: str) -> list[str]:
    """Column names of an MPS or LP file that this package wrote, in the order of a reader.

    Readers of LP files number columns as they come, in the objective first.
    """
    if "\nCOLUMNS\n" in programme:
        section = programme.partition("\nCOLUMNS\n")[2].partition("\nRHS\n")[0]
        lines = (line for line in section.splitlines() if "'MARKER'" not in line)
        return list(dict.fromkeys(line.split()[0] for line in lines))
    section = programme.partition("\nMaximize\n")[2].partition("\nBounds\n")[0]
    return list(dict.fromkeys(re.findall(r"[-+][\d.e+-]+ ([A-Za-z]\S*)", section)))


def _attribute(line: str, key: str) -> str:
    quoted = re.search(rf'\b{key}="([^"]*)"', line)
    return quoted.group(1).replace("&amp;", "&") if quoted else ""
