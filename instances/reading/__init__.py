"""From a file to a checked case, or to every problem of it in one run.

Enter: paths, texts, parsed tables. What is huge, nested or ambiguous is refused before anything is
built; what the case leaves to the library is filled in; problems carry file, place, value, rule.
"""
