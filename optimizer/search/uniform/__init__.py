"""Branch and bound over uniform courses: nodes, leaves, local search, what a tree leaves behind.

Enter: `Candidates` with their tables, and a clock. Bounds come from `bounds`; a node whose courses
are few is joined and valued exactly. Free courses are searched in the room beside this one.
"""
