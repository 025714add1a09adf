"""SVG as it goes into a page: short, with ids of its own and styles that the page states once.

Matplotlib writes six decimals of a point, a group around every mark and the whole style of each
letter and line where it stands; a page of several answers would be three times as long with them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import escape
from xml.etree import ElementTree

SPACE = re.compile(r"\{[^}]*\}")
NUMBER = re.compile(r"-?\d+\.\d+")
AROUND_COMMAND = re.compile(r"\s*([A-Za-z])\s*")
USED = re.compile(r"#([\w-]+)")
NO_TURN = re.compile(r"rotate\(-?0(?: [-\d. ]+)?\)")
MARK_POINTS = 10.0
"""Coordinates below it are also those of marks, which are drawn around their own middle."""
DROPPED = ("metadata", "style", "title")
"""Elements that show nothing; the style of all elements is in the template."""
UNSAID = ("width", "height", "version")
"""Attributes of an SVG that a page has no need of: its size is the page's, by `viewBox`."""


@dataclass
class Styles:
    """Styles of the pictures of one page, each with a class of its own."""

    classes: dict[str, str] = field(default_factory=dict)

    def class_of(self, style: str) -> str:
        """The class that stands for a style, the same for equal styles."""
        short = style.replace("; ", ";").replace(": ", ":").replace(", ", ",")
        return self.classes.setdefault(short, f"p{len(self.classes)}")

    def css(self) -> str:
        """The rules of all classes."""
        return "\n".join(f".{name}{{{style}}}" for style, name in self.classes.items())


def inline_svg(svg: str, prefix: str, styles: Styles) -> str:
    """An SVG for a page: hidden from readers, which are told in words, and with prefixed ids.

    Its styles go to `styles`, whose rules the page must state.
    """
    root = ElementTree.fromstring(svg)
    ids = {element.get("id") for element in root.iter()}
    texts = [text for element in root.iter() for text in element.attrib.values()]
    used = dict.fromkeys(name for text in texts for name in USED.findall(text) if name in ids)
    names = {name: f"{prefix}-{number}" for number, name in enumerate(used)}
    for key in UNSAID:
        root.attrib.pop(key, None)
    root.attrib = {"role": "presentation", "aria-hidden": "true", **root.attrib}
    return _written(root, names, styles)


def _written(element: ElementTree.Element, names: dict[str, str], styles: Styles) -> str:
    """One element and what is in it; groups that say nothing are left out."""
    tag = SPACE.sub("", element.tag)
    if tag in DROPPED:
        return ""
    inside = escape((element.text or "").strip(), quote=False)
    for child in element:
        inside += _written(child, names, styles) + escape((child.tail or "").strip(), quote=False)
    said = _attributes(element, names, styles)
    if tag in ("g", "defs") and not inside:
        return ""
    if tag == "g" and not said:
        return inside
    return f"<{tag}{said}>{inside}</{tag}>" if inside else f"<{tag}{said}/>"


def _attributes(element: ElementTree.Element, names: dict[str, str], styles: Styles) -> str:
    """Attributes of an element as its tag states them."""
    said = ""
    for key, value in element.attrib.items():
        name = SPACE.sub("", key)
        if name == "id":
            if value not in names:
                continue
            text = names[value]
        else:
            text = USED.sub(lambda match: f"#{names.get(match[1], match[1])}", value)
        if name == "transform" and NO_TURN.fullmatch(text):
            continue
        if name == "style":
            name, text = "class", styles.class_of(text)
        elif name == "d":
            text = AROUND_COMMAND.sub(r"\1", NUMBER.sub(_rounded, text))
        elif name != "id":
            text = NUMBER.sub(_rounded, text)
        said += f' {name}="{escape(text)}"'
    return said


def _rounded(match: re.Match[str]) -> str:
    """A tenth of a point is below what a reader sees; marks of a few points keep hundredths."""
    value = float(match[0])
    text = f"{value:.{1 if abs(value) >= MARK_POINTS else 2}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
