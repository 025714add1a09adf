"""Branch and bound for one schedule under many parameter sets: mean, tail, worst case, regret.

Enter: `Candidates` of every member, which offer the same courses and plans, with weights and a
`Risk`. A bound is a Lagrangian one for a weighted mean of the members (P15); the weights are the
dual of the risk. Uniform courses only.
"""
