"""Hypothesis draws the same examples on every run and machine, so that a red run can be run again.

Fresh examples are drawn by ``pytest --hypothesis-profile=fresh``; what they find becomes an
``@example`` of the law it breaks.
"""

from hypothesis import settings

# No deadline: a machine that does other work at the same time says nothing about a law.
settings.register_profile("same", deadline=None, derandomize=True, database=None)
settings.register_profile("fresh", deadline=None, max_examples=500, print_blob=True)
settings.load_profile("same")
