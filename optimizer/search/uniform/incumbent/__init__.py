"""Good schedules of uniform courses: the first one, better ones on the way, and the second stage.

Enter: candidates, and prices of a bound where there is one. A schedule found here is judged like
any other; no bound depends on it.
"""
