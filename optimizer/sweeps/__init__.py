"""Many solves: a study's runs, worked off here or on a cluster, kept in one file of SQLite.

Enter: a study (cases, changes, options, seeds) and a store. `sweep` works off what the store lacks
and writes each outcome at once; `read_store` makes tables of it. The rooms below (`solve`, cases)
know nothing of sweeps.
"""
