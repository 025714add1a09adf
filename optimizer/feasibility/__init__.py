"""Why a case is infeasible, and what would mend it.

In come a case and a clock; out go a schedule that keeps everything, or the proof that there is
none, a minimal set of limits, rules and demands that contradict each other, and the smallest
changes that mend it. Values of schedules do not matter here: of all courses only those are looked
at that load organs and days least.
"""
