"""Commands that ask about a case and its answer: why none, what else, what against what, what if.

Enter: a case, what was answered, the question's own options. Each command asks its room of the
optimizer (`feasibility`, `near`, `ranged`, the frontier), prints, and knows no other command.
"""
