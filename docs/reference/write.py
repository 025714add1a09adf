"""Write `symbols.md` (from the schema of cases) and `programme.md` (from the docstrings).

`python docs/reference/write.py` writes both beside this file; `tests/test_reference.py` checks
that they are what it would write.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from abscopt.instances.limits import Limit
from abscopt.instances.schema import json_schema
from abscopt.instances.sources import library

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONSTRAINTS = ROOT / "optimizer" / "programme" / "constraints"

SYMBOLS: dict[str, dict[str, str]] = {
    "Instance": {"horizon_days": "h"},
    "Objective": {"conceded_at_nats": "L", "conceded_slope": "ρ", "gap": "ε"},
    "Lesion": {
        "weight": "w",
        "volume_cm3": "V",
        "alpha_per_gy": "α",
        "alpha_beta_gy": "α/β",
        "lql_transition_gy": "d_T",
        "clonogens": "N₀",
        "oxygen_modification_factor": "OMF",
        "reoxygenation_days": "T_ox",
        "repair_half_time_hours": "T_rep",
        "growth_doubling_time_days": "T_g",
        "repopulation_doubling_time_days": "T_d",
        "kick_off_days": "T_k",
        "immunogenicity": "ι",
        "effector_share": "H",
        "precursor_share": "σ",
        "effector_kill_per_fraction": "λ",
        "lymphocyte_loss_per_fraction": "κ",
        "lymphocyte_effect_per_fraction": "λ′",
        "sparing": "δ",
    },
    "Clone": {"share": "π", "alpha_per_gy": "α_c", "alpha_beta_gy": "(α/β)_c"},
    "Technique": {"irradiated_share": "f", "node_factor": "ν"},
    "Immune": {
        "gate_low_gy": "D_lo",
        "gate_low_exponent": "a_lo",
        "gate_high_gy": "D_hi",
        "gate_high_exponent": "a_hi",
        "volume_exponent": "ξ",
        "preblockade_sign": "θ",
        "clearance_per_day": "c",
        "priming_delay_days": "τ",
        "precursors_initial": "R₀",
        "precursor_inflow_per_day": "ρ₀",
        "precursor_loss_per_day": "η_R",
        "mobilization_per_day": "m₀",
        "blockade_mobilization_per_day": "m₁",
        "effector_loss_per_day": "η",
        "effect_per_effector": "ω",
        "blockade_effect": "g",
        "ctla4_threshold": "r₄",
        "effect_maximum_nats": "Z_max",
        "release_regrowth": "ψ",
        "repeat_release": "χ",
        "suppression_above_gy": "d_q",
        "suppression_per_gy": "q_d",
        "suppression_after_days": "t_q",
        "suppression_per_day": "q_t",
        "pdl1_upregulation": "q_P",
        "gate_plateau": "f_u",
        "own_loss": "κ_o",
        "liver_release_factor": "ι_l",
        "liver_siphon_nats": "s_l",
        "ctla4_mobilization_per_day": "m₄",
        "ctla4_depletion": "θ₄",
        "count_exponent": "p_A",
        "count_reference_1e9_per_l": "ALC_r",
        "burden_limit_cm3": "V*",
        "burden_blockade": "b",
    },
    "Lymphocytes": {"initial_1e9_per_l": "ALC₀", "recovery_half_time_days": "T_L"},
    "CrossMoment": {"value": "q_ss′"},
    "Organ": {"alpha_beta_gy": "r", "sensitizer_enhancement_ratio": "R_o"},
    "Drug": {
        "sign": "s_p",
        "strength": "e_p",
        "clearance_l_per_day": "CL",
        "central_volume_l": "V₁",
        "intercompartmental_clearance_l_per_day": "Q",
        "peripheral_volume_l": "V₂",
        "clearance_emax": "E_CL",
        "clearance_t50_days": "T₅₀",
        "clearance_hill": "γ_CL",
        "ec50_mg_per_l": "EC₅₀",
        "occupancy_hill": "γ",
        "irae_risk_per_dose": "p",
        "sensitizer_enhancement_ratio": "SER",
        "sensitizing_days": "W",
        "equivalent_bed_gy_per_dose": "B",
        "cytotoxic_log_kill_per_dose": "k",
        "lymphocyte_log_loss_per_dose": "ℓ_L",
        "precursor_log_loss_per_dose": "ℓ_R",
    },
    "NtcpLimit": {"td50_gy": "TD₅₀", "m": "m", "volume_exponent": "n"},
    "Histogram": {"doses": "δ_i", "shares": "v_i"},
}
"""Table -> key -> symbol in `model.md` and in the docstrings."""

UNITS = {
    "per_gy": "per Gy",
    "gy2": "Gy²",
    "gy": "Gy",
    "mg_per_l": "mg/L",
    "l_per_day": "L per day",
    "1e9_per_l": "10⁹ per L",
    "ml_per_min": "mL/min",
    "per_cm3": "per cm³",
    "cm3": "cm³",
    "kg": "kg",
    "m2": "m²",
    "per_day": "per day",
    "days": "days",
    "day": "day",
    "hours": "hours",
    "nats": "nat",
    "per_fraction": "nat per fraction",
    "loss_per_dose": "nat per dose",
    "kill_per_dose": "nat per dose",
    "gy_per_dose": "Gy per dose",
    "weekdays": "0 = Monday to 6",
    "l": "L",
}
"""End of a key -> unit; the longest end counts."""

PLAIN = {"fractions_per_day": "fractions"}
"""Keys whose end is not their unit."""

LIBRARIES = {
    "Lesion": "tumors",
    "Organ": "tissues",
    "Drug": "drugs",
    "Regimen": "regimens",
    "Immune": "scenarios",
    "Ensemble": "ensembles",
}


def unit_of(key: str, entry: dict[str, Any]) -> str:
    """Unit of a key: that of its usual range, else the one that its name ends with."""
    if key in PLAIN:
        return PLAIN[key]
    if key.startswith(("min_days_", "max_days_", "days_")):
        return "days"
    stated = entry.get("usual_range", {}).get("unit", "")
    ends = [end for end in UNITS if key == end or key.endswith(f"_{end}")]
    return UNITS[max(ends, key=len)] if ends else stated.replace("cm3", "cm³")


def _alternatives(entry: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield entry
    for choice in (*entry.get("anyOf", ()), *entry.get("oneOf", ())):
        yield from _alternatives(choice)


def range_of(entry: dict[str, Any]) -> str:
    """Hard range of the schema, its choices, and the usual range where there is one."""
    parts = []
    for one in _alternatives(entry):
        if "enum" in one or "const" in one:
            values = one.get("enum", [one.get("const")])
            parts.append(", ".join(f"`{value}`" for value in values))
        low, high = (
            next((f"{sign} {one[key]:g}" for key, sign in signs if key in one), "")
            for signs in (
                (("minimum", "≥"), ("exclusiveMinimum", ">")),
                (("maximum", "≤"), ("exclusiveMaximum", "<")),
            )
        )
        if low or high:
            parts.append(f"{low}, {high}".strip(", "))
    usual = entry.get("usual_range")
    if usual:
        parts.append(f"usual {usual['minimum']:g} to {usual['maximum']:g} ({usual['reason']})")
    return "; ".join(parts)


def _kinds_of_limits(table: type[Limit]) -> Iterator[type[Limit]]:
    for derived in table.__subclasses__():
        yield from _kinds_of_limits(derived)
        if "kind" in derived.model_fields:
            yield derived


def _library_entries(table: str) -> Iterator[dict[str, Any]]:
    if table in LIBRARIES:
        entries = library(LIBRARIES[table]).values()
        yield from (entry for entry in entries if isinstance(entry, dict))
    kinds = {kind.__name__: kind for kind in _kinds_of_limits(Limit)}
    if table in kinds:
        (kind,) = kinds[table].model_fields["kind"].annotation.__args__  # type: ignore[union-attr]
        for stated in library("limits")["sets"].values():
            yield from (one for one in stated["limits"].values() if one.get("kind") == kind)


def status_of(table: str, key: str) -> str:
    """How many library entries that state a key have which status; `case` where none does."""
    stated = [entry["status"] for entry in _library_entries(table) if key in entry]
    if not stated:
        return "case"
    return "library: " + ", ".join(f"{n} {name}" for name, n in sorted(Counter(stated).items()))


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _default(entry: dict[str, Any]) -> str:
    default = entry.get("default")
    if default in (None, [], {}, "") or isinstance(default, dict):
        return ""
    return f"`{default}`"


def symbols_page() -> str:
    """One table per table of the case file: every key."""
    schema = json_schema()
    definitions = {"Instance": schema, **schema["$defs"]}
    lines = [
        "# Symbols",
        "",
        "Every key of a case file, by table of the schema (`abscopt instances schema`). The range "
        "is the hard one of the schema; beyond the usual one a case is refused unless it says "
        "`allow_unusual = true`. Source and status: entries of the library name their own "
        "`source`, and the column counts their `status`; `case` says that the case file states "
        "the value and its `provenance` or the table's `source` and `status` answer for it. "
        "Equations that use a symbol are in `model.md`.",
        "",
        "Written by `python docs/reference/write.py`.",
        "",
    ]
    for table, definition in definitions.items():
        lines += [f"## {table}", "", _cell(definition["description"].split("\n\n")[0]), ""]
        lines += ["| symbol | key | meaning | unit | default | range | source and status |"]
        lines += ["|---|---|---|---|---|---|---|"]
        for key, entry in definition["properties"].items():
            symbol = SYMBOLS.get(table, {}).get(key, "")
            cells = (
                symbol,
                f"`{key}`",
                entry.get("description", ""),
                unit_of(key, entry),
                _default(entry),
                range_of(entry),
                status_of(table, key),
            )
            lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def constraints() -> Iterator[tuple[Path, str, str, list[str]]]:
    """(module, function, docstring, names of its constraints) of every constraint function."""
    stated = re.compile(r"model\.(\w+) = (?:pyo\.Constraint|_needs_one)\(")
    for path in sorted(CONSTRAINTS.glob("*.py")):
        source = path.read_text(encoding="utf-8")
        for node in ast.parse(source).body:
            if isinstance(node, ast.FunctionDef):
                names = stated.findall(ast.get_source_segment(source, node) or "")
                if names:
                    yield path, node.name, ast.get_docstring(node) or "", names


def programme_page() -> str:
    """Every constraint function with its docstring and the constraints that it names."""
    lines = [
        "# The programme",
        "",
        "One mixed-integer linear programme in Pyomo (`optimizer/programme`), built from the "
        "functions below; each docstring states its constraints as a formula. `x` chooses "
        "courses, `y` systemic plans. The text of every constraint on a small case is in "
        "`tests/golden`. How the programme is refined until its bound meets the judge is said in "
        "`proofs.md` (The programme, P14).",
        "",
        "Written by `python docs/reference/write.py`.",
    ]
    before = None
    for path, name, text, names in constraints():
        if path != before:
            module = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
            lines += ["", f"## {path.stem}", "", f"`{path.relative_to(ROOT).as_posix()}`: {module}"]
            before = path
        lines += ["", f"### `{name}`", "", "```text", text, "```", ""]
        lines.append("Constraints: " + ", ".join(f"`{one}`" for one in names) + ".")
    return "\n".join(lines) + "\n"


PAGES = {"symbols.md": symbols_page, "programme.md": programme_page}

if __name__ == "__main__":
    for file, page in PAGES.items():
        (HERE / file).write_text(page(), encoding="utf-8")
        print(HERE / file)
