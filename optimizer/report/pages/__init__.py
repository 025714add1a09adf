"""Answers on one HTML page: words, pictures set into it, every parameter with its source.

Enter: findings; `plots` draws the pictures, which are set in as SVG. Jinja2 is imported by `page`
alone. Nothing here writes a file.
"""
