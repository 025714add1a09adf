"""What is contradictory, implausible, assumed or lost in a case, in words.

Enter: a case that the schema accepts (or parts of one). Contradictions and implausible numbers
are errors; the rest are notes. Nothing here knows courses as arrays, or the judge.
"""
