"""The Pyomo programme: one MILP over courses and systemic plans, one function per constraint."""
