"""Files of histograms: text exports of planning systems and plain tables become curves.

Enter: bytes. `read` tells the shapes apart (`plain`, `exports`), `header` knows the words of their
headings, and `tables` checks each table. What a structure is called in a case, and what is asked of
it, is not known here.
"""
