"""Links of the pages: those between files lead somewhere, external ones have a sound form.

Run as a script it lists the external ones, which only `sphinx-build -b linkcheck` follows.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
WRITTEN = {"docs/reference/commands.md", "docs/reference/library.md"}
"""Pages that are written when the site is built."""
CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"!?\[[^\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
BARE = re.compile(r"https?://[^\s)>\]\"'`|]+")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*$", re.MULTILINE)
DOI = re.compile(r"/10\.\d{4,9}/\S+")
HOST = re.compile(r"([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}")


def pages() -> list[Path]:
    """Pages that people read, of the root and below `docs` and `benchmarks`."""
    below = [path for room in ("docs", "benchmarks") for path in (ROOT / room).rglob("*.md")]
    return [
        path
        for path in sorted([*ROOT.glob("*.md"), *below])
        if path.relative_to(ROOT).as_posix() not in WRITTEN
    ]


def text_of(page: Path) -> str:
    """A page without its code."""
    return CODE.sub("", page.read_text(encoding="utf-8"))


def external(page: Path) -> set[str]:
    """Addresses that a page names."""
    return {address.rstrip(".,;:") for address in BARE.findall(text_of(page))}


def anchors(page: Path) -> set[str]:
    """What may stand behind `#` in a link to a page, as GitHub and MyST make it."""
    titles = HEADING.findall(page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", pages(), ids=named)
def test_links_between_files_lead_somewhere(page: Path) -> None:
    for target in LINK.findall(text_of(page)):
        parts = urlsplit(target)
        if parts.scheme or parts.netloc:
            continue
        there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if there.relative_to(ROOT).as_posix() in WRITTEN:
            continue
        assert there.exists(), target
        if parts.fragment and there.suffix == ".md":
            assert parts.fragment in anchors(there), target


@pytest.mark.parametrize("page", pages(), ids=named)
def test_external_links_have_a_sound_form(page: Path) -> None:
    for address in external(page):
        parts = urlsplit(address)
        assert parts.scheme == "https", address
        assert HOST.fullmatch(parts.netloc), address
        if parts.netloc == "doi.org":
            assert DOI.fullmatch(parts.path), address


def test_a_dead_link_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](gone.md) `[b](code.md)` <http://plain.org> https://doi.org/11.1/x.\n")
    assert LINK.findall(text_of(page)) == ["gone.md"]
    assert external(page) == {"http://plain.org", "https://doi.org/11.1/x"}


if __name__ == "__main__":
    for file in pages():
        for link in sorted(external(file)):
            print(f"{named(file)}: {link}")
