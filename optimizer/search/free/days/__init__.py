"""One free lesion, day by day: dynamic programming over partial courses with bounds to go.

Enter: the lesion's numbers under one plan (`terms`), prices, thresholds. Returned: whole courses,
valued exactly. Knows nothing of other lesions, plans or trees.
"""
