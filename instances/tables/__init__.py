"""Tables of a case as pydantic models, with units, ranges and descriptions of their keys.

Enter: parsed TOML. A table knows itself and the tables within it; what must hold between tables
is for `instances/checks`.
"""
