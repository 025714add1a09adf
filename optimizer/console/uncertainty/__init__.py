"""Commands for what is not known of a patient, or not yet: ensembles, measurements, re-planning.

Enter: a case, its parameter sets, what was measured or given until a day. They are drawn, weighed
and decided over in `ensemble`, `learning` and `replanning`; here are their options and words.
"""
