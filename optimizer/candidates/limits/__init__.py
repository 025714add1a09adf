"""How each kind of limit counts for a search: one module per kind behind one protocol.

Enter: a limit of the case, tables of candidates, rows of courses. A module says the load of one
course or day, what shared days add, how use is measured, which linear rows the load obeys and
whether a row of courses keeps it; search, free search, programme, audit and reductions ask
`protocol` and never which kind it is. `registry` finds the modules. The judge
(`optimizer/evaluation`) computes the same loads on its own: that the two agree is the check.
"""
