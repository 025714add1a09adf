"""Answers held against what the judge knows by itself, and other ways where one is refuted.

Enter: a case and what search or programme answered. Schedules that cost next to nothing to make
are judged; an answer that one of them beats is not believed, and looked for in another way. Nothing
here knows how a bound was found.
"""
