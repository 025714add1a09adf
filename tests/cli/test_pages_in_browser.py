"""Pages in a headless Chromium, where there is one: `benchmarks/studies/pages_in_browser.py`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from standard_results import standard_result

from abscopt.instances import load
from abscopt.optimizer.report.finding import Finding
from abscopt.optimizer.report.pages.page import page

STUDIES = Path(__file__).parents[2] / "benchmarks" / "studies"
HOSTILE = '<script>alert(1)</script><img src="http://127.0.0.1:9/x.png" onerror="alert(2)">'
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


def looked_at(*files: Path) -> tuple[int, str]:
    command = [sys.executable, str(STUDIES / "pages_in_browser.py"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no Chromium on this machine")
def test_pages_fit_and_ask_nothing_and_a_bad_page_is_seen(tmp_path: Path) -> None:
    case = load("toy-blockade").with_({"title": HOSTILE})
    good, bad = tmp_path / "good.html", tmp_path / "bad.html"
    good.write_text(page([Finding.of_result(standard_result(case), case)]), encoding="utf-8")
    code, said = looked_at(good)
    assert code == 0 and "nothing wrong" in said and "(595, 842)" in said, said
    bad.write_text(f"<p style='width:2000px'>x</p>{HOSTILE}<script>throw 1</script>", "utf-8")
    code, said = looked_at(bad)
    assert code == 1
    for fault in ("wider than the window", "scripts", "asks for http://127.0.0.1:9", "dialog"):
        assert fault in said, said
