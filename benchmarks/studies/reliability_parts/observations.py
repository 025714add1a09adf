"""Part `observations`: two-stage decisions against enumeration of all first stages by the judge.

Every fourth case is a small random one with three to eight members; the others are patients whose
lesions differ in sensitivity, so that what is seen in the course tells of the member. Laws:
EVPI >= EVSI >= 0, and the proved range of the value of the observation holds the true one.
"""

from __future__ import annotations

import numpy as np
from observed_cases import Enumerated, members_of, patients_of

from abscopt.instances import InputError
from abscopt.optimizer.ensemble.observation.decide import decide_observed
from abscopt.optimizer.search.ensemble import settings
from abscopt.optimizer.tuning import using
from reliability_parts.tally import HangError, Tally, one_line, time_box

GAP = 1e-3
JUDGED = 1e-9
HANG_SECONDS = 900.0
FEW = {"few": 4, "join_limit": 50}
TELLS = 1e-6
"""An observation that is worth more than that tells something that matters."""


def examine(seed: int) -> Tally:
    """Decide one case in two stages and compare with enumeration."""
    tally = Tally()
    try:
        with time_box(HANG_SECONDS), using(settings, settings.Settings(**FEW)):
            _examine(seed, tally)
    except InputError:
        tally.counts["refused"] += 1
    except (Exception, HangError) as error:
        tally.faults.append(f"seed {seed}: {one_line(error)}")
    return tally


def _examine(seed: int, tally: Tally) -> None:
    everything = Enumerated(members_of(seed) if seed % 4 == 0 else patients_of(seed))
    if not len(everything.schedules) or not np.isfinite(everything.single()):
        tally.counts["no schedule keeps all limits"] += 1
        return
    observation = everything.observation(seed)
    best, single = everything.best(observation), everything.single()
    result = decide_observed(everything.ensemble, observation, gap=GAP)
    tally.counts["decisions"] += 1
    tally.counts[f"{observation.quantity}, {len(observation.thresholds) + 1} classes"] += 1
    tally.counts["with an error of the measurement"] += observation.error > 0.0
    tally.counts["observations that matter"] += best - single > TELLS
    objective, bound = result.objective, result.bound
    evsi, evpi = result.sample_information, result.single.perfect_information
    least, most = result.sample_information_at_least, result.sample_information_at_most
    if None in (objective, bound, evsi, evpi, least, most) or result.status != "optimal":
        tally.faults.append(f"seed {seed}: {result.status}, no proof")
        return
    assert objective is not None and bound is not None and evsi is not None
    assert evpi is not None and least is not None and most is not None
    holds = {
        "optimum": best - GAP - JUDGED <= objective <= best + JUDGED <= bound + 2 * JUDGED,
        "EVPI >= EVSI >= 0": evpi + JUDGED >= evsi >= 0.0,
        "range of EVSI": least - JUDGED <= best - single <= most + JUDGED,
    }
    tally.counts["laws held"] += sum(holds.values())
    tally.faults += [f"seed {seed}: {name} does not hold" for name, so in holds.items() if not so]
