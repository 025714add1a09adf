"""What an answer depends on: limits a step looser or tighter, parameters over their ranges.

Enter: a case and its answer; each changed case is solved anew, from what the solves before left.
"""
