"""SVG as it goes into a page: short, with ids of its own.

Matplotlib writes six decimals of a point, an id for every group and who made the file; a page with
several answers would be twice as long with them.
"""

from __future__ import annotations

import re

UNSEEN = re.compile(r"<!--.*?-->|<metadata>.*?</metadata>", re.DOTALL)
DECIMALS = re.compile(r"-?\d+\.\d{3,}")
IDS = re.compile(r' id="([^"]*)"')
USED = re.compile(r'href="#([^"]*)"|url\(#([^)]*)\)')


def inline_svg(svg: str, prefix: str) -> str:
    """An SVG for a page: hidden from readers, which are told in words, and with prefixed ids."""
    text = DECIMALS.sub(_rounded, UNSEEN.sub("", svg))
    text = re.sub(r"\s*\n\s*", " ", text).replace("> <", "><")
    wanted = {name for pair in USED.findall(text) for name in pair if name}
    text = IDS.sub(lambda match: match[0] if match[1] in wanted else "", text)
    for before in ('id="', 'href="#', "url(#"):
        text = text.replace(before, f"{before}{prefix}-")
    return text.replace("<svg ", '<svg role="presentation" aria-hidden="true" ', 1)


def _rounded(match: re.Match[str]) -> str:
    """A hundredth of a point is below what any screen or printer shows."""
    return f"{float(match[0]):.2f}".rstrip("0").rstrip(".")
