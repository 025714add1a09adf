"""What people look at: pictures, one page in HTML, a calendar file.

Enter: a `Finding`, which is a case with a judged schedule and what was proved of it. matplotlib is
imported by `plots` alone, Jinja2 by `pages`, icalendar by `ics`; all three come with the extra
`report`. Nothing here changes an answer.
"""
