"""Text for a person and rows for a table: reports, plain tables, CSV, words for a schedule.

Enter: results and cases as they are. Nothing here computes what it prints.
"""
