"""Usual ranges: a value outside is not wrong, but is worth a second look.

Ranges are wide on purpose: every value of the bundled library lies inside. They guard against
slips of unit (a dose in mg written as an AUC, a total written as a dose per fraction).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usual:
    """A usual range with its unit and the reason for it."""

    low: float
    high: float
    unit: str
    reason: str

    def holds(self, value: float) -> bool:
        """Whether a value lies inside, ends included."""
        return self.low <= value <= self.high


AMOUNTS = {
    "auc": Usual(1, 8, "mg min/mL", "carboplatin is given at AUC 2 weekly to 6 or 7 every 3 weeks"),
    "mg_per_kg": Usual(0.1, 25, "mg/kg", "checkpoint inhibitors are given at 0.3 to 20 mg/kg"),
    "mg_per_m2": Usual(5, 3000, "mg/m2", "cytotoxic drugs are given at 6 to 2400 mg/m2"),
    "mg": Usual(1, 3000, "mg", "flat doses of antibodies are 10 to 1680 mg"),
}
"""By unit of a regimen's dose; labels of the drugs, recalled."""

GIVEN_MG = Usual(1, 5000, "mg", "one infusion of the drugs of this field is 10 to 4500 mg")
"""Milligrams of one infusion after conversion; recalled."""

BODY = {
    "weight_kg": Usual(35, 160, "kg", "adults"),
    "bsa_m2": Usual(1.2, 2.8, "m2", "adults"),
    "gfr_ml_per_min": Usual(20, 125, "mL/min", "carboplatin labels cap the rate at 125"),
}
"""Body data of adults; the cap of the filtration rate is the FDA's of 2010, recalled."""

HEIGHT_CM = (130.0, 215.0)
"""Adult heights; Mosteller: surface = sqrt(height weight / 3600), N Engl J Med 1987, recalled."""

VOLUME_CM3 = Usual(0.05, 1000, "cm3", "0.05 cm3 is a sphere of 4.6 mm, 1000 cm3 one of 12.4 cm")

SPARING = Usual(
    0, 1.5, "Gy per Gy prescribed", "hot spots of plans prescribed to the 70 % line reach 1.43"
)

LYMPHOCYTES = Usual(0.2, 6, "x 1e9/L", "0.2 is CTCAE grade 4, above 5 is lymphocytosis")

MOST_FRACTION_GY = 34.0
"""Largest dose per fraction of a common regimen: 34 Gy x 1 of RTOG 0915 (recalled)."""

MOST_BED10_GY = 245.0
"""BED10 of 3 x 24 Gy (244.8), the top of published dose escalation for lung SBRT (recalled).

A total dose written as a dose per fraction exceeds it: 5 x 20 Gy has 300, 25 x 45 Gy 6188.
"""

TOTAL_ALPHA_BETA_GY = 10.0
"""alpha/beta by which unlike numbers of fractions are compared: the common value of tumors."""
