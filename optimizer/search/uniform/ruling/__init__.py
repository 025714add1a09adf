"""What schedules in hand rule out before the tables of a search are built.

Candidates and their values come in; bounds that no day pattern has a part in, and fewer candidates,
go out. Knows nothing of prices, cells and trees.
"""
