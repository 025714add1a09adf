"""What dose, time and drugs do to a tumor: kill, repair, growth, and what is left of it.

Enter: numbers and arrays. Nothing here knows how effectors come about, organs, or a case.
"""
