"""Report pages in a headless Chromium: do they fit, stay quiet, read aloud and print?

    python benchmarks/studies/pages_in_browser.py report.html... [--axe axe.min.js] [--out FOLDER]

Prints for each page, at 1280 and 390 pixels: whether it is wider than the window, what it asked
the network for, errors of the console, elements of scripts, violations that axe-core calls serious
or critical; and the pages of its PDF, their paper, and whether it is wider than the paper. Ends
with 1 if anything is wrong. axe-core is one file of a package of npm (`npm pack axe-core`, then
`package/axe.min.js` of the archive); without `--axe` nothing is said of it. `--out` keeps pictures
and PDFs to look at.
"""

from __future__ import annotations

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from chromium import Browser, chromium

WIDTHS = (1280, 390)
A4_POINTS = (595, 842)
PRINTED_PIXELS = 680
"""180 mm, what the margins leave of A4, at 96 pixels an inch."""
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
AXE = (
    "axe.run(document, {resultTypes: ['violations']}).then(found => found.violations"
    ".filter(v => ['serious', 'critical'].includes(v.impact))"
    ".map(v => `${v.id} (${v.impact}, ${v.nodes.length}): ${v.nodes[0].html.slice(0, 120)}`))"
)


@dataclass(frozen=True)
class Seen:
    """What is wrong with a page, and how it was printed."""

    faults: list[str]
    printed: str


def look(browser: Browser, file: Path, axe: str | None, out: Path | None) -> Seen:
    """One page at every width and on paper; `axe` is the text of axe-core."""
    faults: list[str] = []
    for width in WIDTHS:
        browser.open(file, width)
        faults += [f"{width} px: {fault}" for fault in _faults(browser, axe)]
        if out is not None:
            browser.picture(out / f"{file.stem}-{width}.png")
    browser.open(file, PRINTED_PIXELS)
    pdf = browser.pdf()
    browser.value("document.querySelectorAll('details').forEach(d => d.open = true)")
    browser.ask("Emulation.setEmulatedMedia", media="print")
    if (wider := browser.value(WIDER)) > 0:
        faults.append(f"paper: wider by {wider} px")
    browser.ask("Emulation.setEmulatedMedia", media="")
    if out is not None:
        (out / f"{file.stem}.pdf").write_bytes(pdf)
    boxes = re.findall(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)\s*\]", pdf)
    sizes = {(round(float(w)), round(float(h))) for w, h in boxes}
    if any(abs(w - A4_POINTS[0]) > 1 or abs(h - A4_POINTS[1]) > 1 for w, h in sizes) or not sizes:
        faults.append(f"paper: {sizes or 'no page'}, not A4")
    return Seen(faults, f"{len(boxes)} pages of {sizes}")


def _faults(browser: Browser, axe: str | None) -> list[str]:
    """What is wrong with the page that is open."""
    faults = []
    if (wider := browser.value(WIDER)) > 0:
        faults.append(f"wider than the window by {wider} px")
    if browser.value("document.querySelectorAll('script').length"):
        faults.append("has elements of scripts")
    for event in browser.events:
        name, told = event.get("method"), event.get("params", {})
        if name == "Network.requestWillBeSent" and told["type"] != "Document":
            url = told["request"]["url"]
            if not url.startswith("data:"):
                faults.append(f"asks for {url[:80]}")
        if name in ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"):
            faults.append(f"console: {str(told)[:120]}")
        if name == "Page.javascriptDialogOpening":
            faults.append("opens a dialog")
    if axe is not None:
        browser.value(axe)
        faults += [f"axe-core: {text}" for text in browser.value(AXE)]
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--axe", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if chromium() is None:
        sys.exit("no Chromium on this machine")
    axe = None if options.axe is None else options.axe.read_text(encoding="utf-8")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    wrong = 0
    with Browser() as browser:
        print(browser.ask("Browser.getVersion")["product"], "axe-core:", _version(axe))
        for file in options.files:
            seen = look(browser, file, axe, options.out)
            print(f"{file.name}: {file.stat().st_size} bytes, {seen.printed}")
            print("\n".join(f"  {fault}" for fault in seen.faults) or "  nothing wrong")
            wrong += len(seen.faults)
    sys.exit(1 if wrong else 0)


def _version(axe: str | None) -> str:
    """Version in the first lines of axe-core."""
    match = None if axe is None else re.search(r"axe v([\d.]+)", axe)
    return "not asked" if match is None else match[1]


if __name__ == "__main__":
    main()
