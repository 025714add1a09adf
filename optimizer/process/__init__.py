"""The process that runs: when it began, signals that ask for the answer so far, its stdout.

Enter: nothing of a case. Other rooms ask here whether they are to stop.
"""
