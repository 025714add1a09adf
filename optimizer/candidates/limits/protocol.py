"""What a search asks of a limit, whatever its kind.

A limit is `load <= cap`; loads are parts of the cap. Three families answer different questions:
`OrganLoad` (a column of loads that adds over courses), `CourseLoad` (anything else that depends on
courses) and `PlanLoad` (on drugs alone). A kind is a class of one family with a `measure`; what it
does not override is the neutral answer, with which bounds are weaker but never wrong.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np

from abscopt.instances.limits import Limit, OrganLimit
from abscopt.models.arrays import BoolArray, FloatArray, IntArray
from abscopt.optimizer.ids import CourseRows, PlanId

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abscopt.instances.limits import Exposure
    from abscopt.instances.schema import Instance
    from abscopt.optimizer.candidates.menus.courses import Patterns
    from abscopt.optimizer.candidates.menus.loads import Beam
    from abscopt.optimizer.candidates.systemic.plans import Doses
    from abscopt.optimizer.candidates.table import Candidates
    from abscopt.optimizer.candidates.tabulated import Tabulated

CAP = 1.0 + 1e-9
"""Greatest part of its cap at which a limit is kept; the judge allows the same."""

State = tuple[bool, ...]
AnyOf = TypeVar("AnyOf", bound=Limit)
OnOrgan = TypeVar("OnOrgan", bound=OrganLimit)


class LimitLoad(Generic[AnyOf]):
    """The load of one limit; knows the limit alone, the case comes with each question."""

    measure: ClassVar[str]
    """`Limit.measure` of the limits that a kind is for."""

    def __init__(self, limit: AnyOf):
        self.limit = limit

    @property
    def hard(self) -> bool:
        """Whether the limit must be kept."""
        return self.limit.penalty is None

    @property
    def grows(self) -> bool:
        """Whether more fractions can only add to the load: what breaks the limit goes on to."""
        return True

    @property
    def covered_by_free_search(self) -> bool:
        """Whether the search for free courses keeps it; else the programme takes the case."""
        return False

    def timeless(self, alone: bool) -> bool:
        """Whether a course loads the same whenever it is given.

        Parameters
        ----------
        alone : whether there are no other courses and no drugs
        """
        return alone


class OrganLoad(LimitLoad[OnOrgan]):
    """A load of an organ: sums over treatment days of one course, and what shared days add.

        load = prior + sum_s n_s day_load_s + sum_{i<j} [days shared] d_i d_j cross_ij + ...

    Single loads rise with the dose and nothing that shared days add is negative, so that the sum of
    single loads, which is a row of bounds and programmes, is never above the load.
    """

    of_daily_dose: ClassVar[bool] = False
    """Whether the load is a function of the dose of the day, which lesions give together."""

    @property
    def covered_by_free_search(self) -> bool:
        """Where it is hard."""
        return self.hard

    @property
    def exposures(self) -> tuple[Exposure, ...]:
        """Drugs near fractions that lower the cap."""
        return ()

    def states(self) -> list[State]:
        """States of exposure, one flag for each."""
        return list(itertools.product((False, True), repeat=len(self.exposures)))

    def ratio(self, state: State) -> float:
        """Cap in a state of exposure over that without."""
        return 1.0

    def dose_at(self, instance: Instance, beam: Beam, dose_gy: FloatArray, day: int) -> FloatArray:
        """(n,) Gy at the limit's point from one fraction."""
        lesion, technique, _ = beam
        point = self.limit.organ, self.limit.evaluation_point
        return lesion.sparing_factor(*point, day, technique) * dose_gy

    def enhancement(self, instance: Instance, sensitized: bool) -> float:
        """R, by which the organ's dose counts more on a sensitized day."""
        organ = instance.organs[self.limit.organ]
        return organ.sensitizer_enhancement_ratio if sensitized else 1.0

    def day_load(
        self,
        instance: Instance,
        beam: Beam,
        dose_gy: FloatArray,
        day: int,
        sensitized: bool = False,
    ) -> FloatArray:
        """(n,) load of one treatment day of one lesion alone, as a part of the cap."""
        raise NotImplementedError

    def course_load(
        self, instance: Instance, beam: Beam, dose_gy: FloatArray, fractions: IntArray
    ) -> FloatArray | None:
        """(n,) load of whole courses of equal doses, where it is no sum of days; None if it is.

        Only where no other lesion and nothing else loads the point.
        """
        return None

    def cross_factor(self, instance: Instance, first: Beam, second: Beam, day: int) -> float:
        """F in the further load F d d' (part of the cap) of two lesions on one day; 0 if none."""
        return 0.0

    def use_of_daily_dose(self, dose_gy: FloatArray) -> FloatArray:
        """f, the load of one day by its dose in Gy, where `of_daily_dose`."""
        raise NotImplementedError

    def of_shared_day(
        self, instance: Instance, beams: Sequence[Beam], gy: Sequence[FloatArray]
    ) -> FloatArray:
        """(n,) what a day that some lesions share adds to their loads at least: sum F d d'.

        Parameters
        ----------
        beams, gy : of each lesion, Gy of each of its fractions (n,)
        """
        total = np.zeros(len(gy[0]))
        for i, j in itertools.combinations(range(len(beams)), 2):
            total += self.cross_factor(instance, beams[i], beams[j], 0) * gy[i] * gy[j]
        return total

    def add_shared_days(
        self, tabulated: Tabulated, rows: CourseRows, column: int, loads: FloatArray
    ) -> None:
        """Add to column `column` of loads (schedules, limits) what is no product of two doses."""

    def shared_at_most(self, lesions: int) -> float:
        """How many times the sum of single loads the load of so many lesions can be.

        For a quadratic their number: (sum d)^2 <= n sum d^2.
        """
        return float(lesions)


class CourseProgramme(Protocol):
    """An integer programme over courses to which a limit may add rows and continuous columns."""

    @property
    def days(self) -> int:
        """Days of the case."""

    @property
    def lesions(self) -> range:
        """Lesions that choose one course each."""

    def pattern(self, s: int) -> tuple[IntArray, Patterns]:
        """(courses,) day pattern of each column of a lesion."""

    def columns(self, s: int) -> IntArray:
        """Columns of a lesion's courses."""

    def doses(self, s: int) -> FloatArray:
        """(courses, most fractions) Gy of each fraction, or (courses, 1) where all are equal."""

    def number_of(self, lesion: str) -> int:
        """Number of a lesion by its name."""

    def further(self, upper: float, cost: float = 0.0) -> int:
        """A continuous column between 0 and `upper`; its number."""

    def row(self, columns: IntArray, values: FloatArray, right: float) -> None:
        """sum values x <= right."""


class CourseLoad(LimitLoad[AnyOf]):
    """A load of courses that is no column of organ loads.

    Linear rows hold for every schedule: A x <= rhs with A[c, r] = of_kinds + of_days.
    """

    dated: ClassVar[bool] = True
    """Whether the days of a lesion's course limit those of others."""
    on_calendar: ClassVar[bool] = False
    """Whether the limit is `dated` and asks for days alone, whatever is given on them."""
    of_doses: ClassVar[bool] = False
    """Whether courses of equal days and technique load differently."""
    effort: ClassVar[int] = 1
    """Order in which limits are looked at: the cheapest first."""

    @property
    def tied_to_days(self) -> bool:
        """Whether the load of a lone free course depends on which days it takes."""
        return self.dated

    @property
    def feels_chemotherapy(self) -> bool:
        """Whether drugs of a plan add to the load."""
        return False

    @property
    def counts(self) -> bool:
        """Whether there is a cap of which `use` is a part."""
        return True

    @property
    def most_lesions(self) -> int | None:
        """Lesions that may be treated at most, if the limit says so and is hard."""
        return None

    def timeless(self, alone: bool) -> bool:
        """Where days do not matter."""
        return not self.dated

    def use(self, tabulated: Tabulated, rows: CourseRows) -> FloatArray:
        """(schedules,) load as a part of the cap."""
        raise NotImplementedError

    def kept(self, tabulated: Tabulated, rows: CourseRows) -> BoolArray:
        """(schedules,) whether the limit is kept."""
        within: BoolArray = self.use(tabulated, rows) <= CAP
        return within

    def extendable(self, tabulated: Tabulated, rows: CourseRows, log_loss: FloatArray) -> BoolArray:
        """(schedules,) whether rows could be kept with further courses added.

        Parameters
        ----------
        log_loss : (days,) at least what lesions to come add to the log loss of lymphocytes
        """
        return np.ones(len(rows), dtype=bool)

    def complete(self, tabulated: Tabulated, rows: CourseRows) -> BoolArray:
        """(schedules,) whether no course is missing; rows that are still being made may lack it."""
        return np.ones(len(rows), dtype=bool)

    def days_matter(self, candidates: Candidates) -> bool:
        """Whether of two courses that differ in their days alone one could break the limit."""
        return self.dated

    def rhs(self, candidates: Candidates, chemo: float) -> list[float]:
        """Right-hand sides of the linear rows; none where there are none.

        Parameters
        ----------
        chemo : log loss of lymphocytes by chemotherapy at least
        """
        return []

    def of_kinds(self, candidates: Candidates, s: int, plan: PlanId) -> FloatArray | None:
        """(kinds, rows) what kinds of courses of lesion s put into the rows; None for nothing."""
        return None

    def of_days(self, candidates: Candidates, s: int) -> FloatArray:
        """(techniques, patterns, rows) what days of lesion s put into the rows."""
        table = candidates.lesions[s]
        ways = candidates.lesion_of(table).ways
        return np.zeros((len(ways), len(table.menu.patterns.count), len(self.rhs(candidates, 0.0))))

    def state(self, programme: CourseProgramme) -> None:
        """Add to a programme what linear rows of courses alone do not say."""

    def log_loss_allowance(self, instance: Instance) -> float:
        """Log loss of lymphocytes that just keeps the limit; infinite where it counts none."""
        return np.inf

    @property
    def most_fractions(self) -> int | None:
        """Most fractions of one lesion, one a day, if the limit says so."""
        return None

    def kept_alone(self, patterns: Patterns) -> BoolArray:
        """(patterns,) whether the days of one course keep the limit, as far as it shows."""
        return np.ones(len(patterns.count), dtype=bool)

    def most_days(self, candidates: Candidates) -> int | None:
        """Days with fractions that any schedule may have at most, if the limit says so."""
        return None

    def kept_on_days(self, dosed: BoolArray) -> BoolArray:
        """(n,) whether days with fractions (lesions, n, days) keep the limit, as far as it shows.

        Lymphocytes are looked at apart, with what chemotherapy leaves.
        """
        return np.ones(dosed.shape[1], dtype=bool)


class PlanLoad(LimitLoad[AnyOf]):
    """A load of drugs alone: it rules out plans, or costs them."""

    @property
    def grows(self) -> bool:
        """Fractions do not matter."""
        return False

    @property
    def covered_by_free_search(self) -> bool:
        """Plans are chosen before."""
        return True

    def use_of_doses(self, instance: Instance, doses: Doses) -> float:
        """Part of the cap that some infusions use up."""
        raise NotImplementedError


OrganLoads = tuple[OrganLoad[Any], ...]
