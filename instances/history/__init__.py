"""What a patient has received, and what may follow: a fixed past beside the menu of a case.

Tables of the schema (`delivered`), the same as plain events (`past`), courses and infusions that
continue it (`rests`, `doses`), and what contradicts (`problems`). Knows schema, calendar, regimens.
"""
