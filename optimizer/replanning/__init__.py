"""A treatment that has begun: what was given is read, the rest chosen anew, old and new compared.

`started` makes a case with a past of files and options, `replan` solves it and judges what else
could be done, `document` says so. Choosing is the work of `solve`; nothing here changes an answer.
"""
