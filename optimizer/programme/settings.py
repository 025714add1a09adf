"""What the programme can be tuned by: none of it makes an answer false.

Every programme is a relaxation, whatever points and bands it begins with; more of them make it
larger and the rounds fewer. `CURRENT` is what the modules read, at each use;
`optimizer.tuning.using` sets others for a while. Scales, margins and tolerances, which proofs rest
on, are constants beside their code.
Where half and double are said to give the same answer, they did on the cases of
`benchmarks/timings/ABLATION.md`, and the number is of the right size for them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """One field per constant; in brackets its unit.

    Attributes
    ----------
    most_coefficients : [courses times plans times horizons] above which a case is refused that no
        bound has reduced: Pyomo and HiGHS hold each several times over.
    most_pairs : [pairs of plan and course] above which one is refused that was reduced.
    most_rounds : [programmes] solved at most; it ends earlier when bound and judge meet: half and
        double give the same answer in as many nodes.
    most_excluded : [choices] set apart at their judged value where no refinement closes the gap.
        One is enough but where others are worth the same within the margins; each costs one more
        solve.
    start_seconds : [s] for HiGHS to complete a known schedule to a point to begin with: half and
        double give the same answer in as many nodes.
    band_width : [nat] of lymphocyte loss of a first band; wide ones are few, and split where the
        judge differs.
    halved_width : [nat] of what lies below a split above which it is halved too: choices near the
        judged one have slightly smaller losses, so that halving saves most of the rounds.
    first_effects : [tangents] of the saturation curve, evenly spaced in the saturated effect.
    burdens : [nat] log burdens with a first tangent of log control, dense where it is curved.
    breaks : [nat] log burdens above 0 that break the control probability into chords.
    paired_burdens : [nat] the same of tangents where courses and plans are chosen as pairs: there
        rows are few beside the pairs, and a round is dear.
    gain_ratio : [ratio] between levels with a first tangent of ln G, whose error falls with the
        square of its logarithm: 0.1 % of a nat.
    most_gains : [tangents] of these at most: half and double give the same answer in as many nodes.
    chord_error : [nat] that a chord of the saturation curve may miss at first.
    members_tried : [columns] tried as members of the last group of a cut; each costs a verdict.
    """

    most_coefficients: int = 1_000_000
    most_pairs: int = 3_000_000
    most_rounds: int = 500
    most_excluded: int = 40
    start_seconds: float = 20.0
    band_width: float = 0.25
    halved_width: float = 0.002
    first_effects: int = 12
    burdens: tuple[float, ...] = (-12.0, -6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.5, 6.0)
    breaks: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0, 8.0)
    paired_burdens: tuple[float, ...] = (
        *(float(u) for u in range(-12, -6)),
        *(0.25 * u for u in range(-24, 25)),
    )
    gain_ratio: float = 1.1
    most_gains: int = 12
    chord_error: float = 0.01
    members_tried: int = 4000


CURRENT = Settings()
