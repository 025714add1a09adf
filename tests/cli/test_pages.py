"""Pages, pictures and calendar files of results: what they say, and what they never do."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner
from icalendar import Calendar
from standard_results import standard_result

from abscopt.cli import main
from abscopt.instances.load import build, load, save
from abscopt.instances.sources import library
from abscopt.optimizer import solve
from abscopt.optimizer.report import plots
from abscopt.optimizer.report.finding import Finding
from abscopt.optimizer.report.pages.origins import DEFAULT, STATED
from abscopt.optimizer.report.pages.page import page
from abscopt.optimizer.report.pages.parameters import by_source, parameters
from abscopt.optimizer.report.words import percent, prescription
from abscopt.optimizer.results.result import DISCLAIMER
from abscopt.optimizer.schedule import Fraction, Schedule

HOSTILE = '<script>alert(1)</script> & "quotes"'
LARGEST_PAGE = 300_000
"""Bytes: what a page may have, with three answers as with one."""
VOID = {"meta", "link", "br", "img", "hr", "input"}


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A result file of a small case with drugs, limits and a standard regimen."""
    path = tmp_path_factory.mktemp("page") / "result.json"
    case = load("pulsar")
    path.write_text(json.dumps(solve(case).to_json(case)), encoding="utf-8")
    return path


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, arguments)
    return done.exit_code, done.output


class Page(HTMLParser):
    """Tags of a page: whether they nest, what they refer to, their ids."""

    def __init__(self, text: str):
        super().__init__()
        self.open: list[str] = []
        self.references: list[str] = []
        self.ids: list[str] = []
        self.words: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        for key, value in attrs:
            if key in ("href", "src", "xlink:href", "action", "data"):
                self.references.append(value or "")
            if key == "id":
                self.ids.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_a_page_says_what_was_decided_and_needs_nothing_else(result: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.html"
    code, _ = run("report", str(result), "--out", str(out))
    text = out.read_text(encoding="utf-8")
    parsed, document = Page(text), json.loads(result.read_text())
    assert code == 0 and not parsed.open and len(text.encode()) < LARGEST_PAGE
    assert "script" not in parsed.tags
    assert all(ref.startswith(("#", "data:,")) for ref in parsed.references)
    assert len(set(parsed.ids)) == len(parsed.ids)
    local = {ref[1:] for ref in parsed.references if ref.startswith("#")}
    assert local | set(re.findall(r"url\(#([^)]*)\)", text)) <= set(parsed.ids)
    assert not re.search(r"\d\.\d{3,}", "".join(re.findall(r' d="([^"]*)"', text)))
    assert not re.search(r"url\((?!#)", text) and "@import" not in text
    words = " ".join(" ".join(parsed.words).split())
    assert DISCLAIMER in words and "EQD2" in words and "standard" in words
    case = load("pulsar")
    for lesion in document["evaluation"]["lesions"]:
        if lesion["fractions"]:
            assert f"{case.lesions[0].eqd2(lesion['bed_gy']):.1f}" in words
    assert run("report", str(result), "--out", str(tmp_path / "again.html"))[0] == 0
    assert (tmp_path / "again.html").read_bytes() == out.read_bytes()


def test_names_show_as_text(tmp_path: Path) -> None:
    case = load("toy-blockade").with_({"title": HOSTILE})
    file = tmp_path / "hostile.toml"
    save(case, file)
    answer = tmp_path / "result.json"
    answer.write_text(json.dumps(solve(case).to_json(case)), encoding="utf-8")
    out = tmp_path / "report.html"
    code, output = run("report", str(answer), "--case", str(file), "--out", str(out))
    parsed = Page(out.read_text(encoding="utf-8"))
    assert code == 0, output
    assert "script" not in parsed.tags and HOSTILE in " ".join(parsed.words)


def test_bins_are_listed_shortly_with_their_source() -> None:
    case = load("toy-blockade")
    bins = {"doses": [0.01 * i for i in range(1, 101)], "shares": [0.01] * 100, "source": "a file"}
    raw = case.model_dump(mode="json", exclude_none=True)
    raw["organs"]["lungs"] = {"use": "lungs"}
    raw["lesions"][0]["histograms"] = {"lungs": bins}
    rows = [p for p in parameters(build(raw)) if ".histograms.lungs." in p.place]
    assert {row.place.rpartition(".")[2] for row in rows} == {"doses", "shares"}
    assert all(row.source == "a file" and len(row.value) < 200 for row in rows)


def test_parameters_are_listed_under_the_source_that_states_them() -> None:
    case = load("oligomet-4").with_({"lesions.lung.kick_off_days": 21})
    rows = {row.place: row for row in parameters(case)}
    fitted = library("tumors")["visceral_metastasis"]
    for key in fitted.keys() - {"source", "status", "note", "kick_off_days"}:
        row = rows[f"lesions.lung.{key}"]
        assert (row.source, row.status) == (fitted["source"], fitted["status"])
    for place in ("lesions.lung.volume_cm3", "lesions.lung.kick_off_days", "limits.cord_t6.point"):
        assert (rows[place].source, rows[place].status) == STATED
    for place in ("lesions.lung.weight", "drugs.pembrolizumab.occupancy_hill"):
        assert (rows[place].source, rows[place].status) == DEFAULT
    assert rows["limits.alc.floor_1e9_per_l"].status == "assumed"  # a source of its own
    assert len(rows) == len(parameters(case)) == sum(map(len, by_source(parameters(case))))


def test_the_largest_cases_make_one_page_and_share_what_is_equal() -> None:
    names = ("stage3-crt-induction", "stage3-crt-consolidation", "oligomet-4-dual")
    cases = [load(name) for name in names]
    found = [Finding.of_result(standard_result(case), case) for case in cases]
    text = page(found)
    assert len(text.encode()) < LARGEST_PAGE
    assert re.search(r"As in stage3-crt-induction: [^<]*drugs.durvalumab", text)
    listed = [re.findall(r'colspan="2">([^:]*): ', part) for part in text.split("<section ")[1:]]
    assert "drugs.durvalumab" in listed[0] and "drugs.durvalumab" not in listed[1]
    assert "lesions.primary" in listed[1]  # not the same menu


def test_several_answers_stand_side_by_side(result: Path, tmp_path: Path) -> None:
    out = tmp_path / "both.html"
    assert run("report", str(result), str(result), "--out", str(out))[0] == 0
    parsed = Page(out.read_text(encoding="utf-8"))
    assert len(set(parsed.ids)) == len(parsed.ids)
    assert "Side by side" in parsed.words
    assert f"pulsar, {result}" in parsed.words  # two of one case are told apart by their files
    other = tmp_path / "other.json"
    case = load("toy-blockade")
    other.write_text(json.dumps(solve(case).to_json(case)), encoding="utf-8")
    assert run("report", str(result), str(other), "--out", str(out))[0] == 0
    words = Page(out.read_text(encoding="utf-8")).words
    assert "pulsar" in words and not any(str(tmp_path) in word for word in words)


def test_a_page_says_how_the_answer_fares_in_an_ensemble(tmp_path: Path) -> None:
    out, ensemble = tmp_path / "page.html", tmp_path / "two.toml"
    ensemble.write_text(
        'source = "test"\nstatus = "assumed"\n'
        '[[members]]\nname = "as-stated"\n'
        '[[members]]\nname = "other"\ntimes = {"lesions.*.alpha_per_gy" = 0.9}\n',
        encoding="utf-8",
    )
    asked = ["solve", "toy-two-lesions", "--robustness", str(ensemble), "--report", str(out)]
    code, output = run(*asked)
    assert code == 0, output
    words = " ".join(" ".join(Page(out.read_text(encoding="utf-8")).words).split())
    assert "parameter sets (two)" in words and "has not been asked" not in words
    assert run("solve", "toy-two-lesions", "--report", str(out))[0] == 0
    assert "has not been asked" in out.read_text(encoding="utf-8")


def test_an_infeasible_case_has_a_page_too(tmp_path: Path) -> None:
    name = load("pulsar").lesions[0].name
    case = load("pulsar").with_({f"lesions.{name}.least_bed_gy": 900})
    answer = solve(case)
    assert answer.status == "infeasible"
    finding = Finding.of_result(answer, case)
    assert "this is proved" in page([finding])


@pytest.mark.parametrize("kind", plots.KINDS)
def test_pictures_are_the_same_bytes_every_time(result: Path, tmp_path: Path, kind: str) -> None:
    files = [tmp_path / name for name in ("a.svg", "b.svg")]
    for file in files:
        assert run("plot", str(result), "--kind", kind, "--out", str(file))[0] == 0
    assert files[0].read_bytes() == files[1].read_bytes()
    text = files[0].read_text(encoding="utf-8")
    assert "<text" in text and "dc:date" not in text


def test_pictures_are_drawn_on_axes_that_are_given(result: Path) -> None:
    finding = Finding.of_file(str(result))
    for kind in ("calendar", "limits", "control"):
        ax = plots.figure_of(finding, kind).axes[0]
        again = plots.KINDS[kind](finding, ax)  # type: ignore[call-arg]
        assert again is ax


def test_png_and_pdf_are_written(result: Path, tmp_path: Path) -> None:
    for name, begin in (("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")):
        assert run("plot", str(result), "--out", str(tmp_path / name))[0] == 0
        assert (tmp_path / name).read_bytes().startswith(begin)


def test_the_calendar_file_has_every_fraction_and_infusion(result: Path, tmp_path: Path) -> None:
    out = tmp_path / "plan.ics"
    assert run("report", str(result), "--ics", str(out))[0] == 0
    events = Calendar.from_ical(out.read_bytes()).walk("VEVENT")
    schedule = json.loads(result.read_text())["schedule"]
    dates = {row["date"] for key in ("fractions", "doses_of_drugs") for row in schedule[key]}
    assert {event.decoded("dtstart").isoformat() for event in events} == dates
    assert len({str(event["uid"]) for event in events}) == len(events)
    assert any("Gy (fraction 1 of" in str(event["summary"]) for event in events)


def test_wrong_input_is_said_before_anything_is_written(result: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain.json"
    plain.write_text("{}", encoding="utf-8")
    edited = tmp_path / "edited.json"
    edited.write_text(result.read_text().replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    out = str(tmp_path / "out.html")
    wrong = [
        ("report", str(result)),
        ("report", str(plain), "--out", out),
        ("report", str(edited), "--out", out),
        ("report", str(result), "--case", "early-sabr", "--out", out),
        ("report", str(result), str(result), "--ics", out),
        ("plot", str(result), "--out", str(tmp_path / "a.txt")),
        ("plot", str(result), "--out", str(tmp_path / "none" / "a.png")),
    ]
    for arguments in wrong:
        code, output = run(*arguments)
        assert code == 2 and "Traceback" not in output, arguments
    assert not Path(out).exists()


def test_words_of_doses_and_chances() -> None:
    course = Schedule.of(
        [*(Fraction(d, "a", 2.0) for d in range(3)), *(Fraction(d, "a", 3.0) for d in (5, 6))], []
    )
    assert prescription(course, "a") == "12 Gy in 3 x 2 Gy then 2 x 3 Gy"
    assert prescription(course, "b") == ""
    assert [percent(p) for p in (0.99995, 0.932, 0.0001)] == ["> 99.9 %", "93.2 %", "< 0.1 %"]
