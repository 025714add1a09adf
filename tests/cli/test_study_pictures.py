"""Pictures of what other commands write: ensembles, identified decisions, frontiers, logs."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from abscopt.instances.load import InputError
from abscopt.optimizer.report.pictures import STUDIES
from abscopt.optimizer.report.plots import _figure
from abscopt.optimizer.report.sources import Study, source_of
from abscopt.optimizer.report.studies import KINDS, frontier, study_figure
from abscopt.optimizer.results.reading.log_read import report as log_report
from abscopt.optimizer.results.reading.log_read import timings

ENSEMBLE = (
    'source = "test"\nstatus = "assumed"\n'
    '[[members]]\nname = "as-stated"\n'
    '[[members]]\nname = "other"\ntimes = {"lesions.*.alpha_per_gy" = 0.8}\n'
)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """By kind of picture: a file that a command wrote for a toy case."""
    from click.testing import CliRunner

    from abscopt.cli import main

    def run(*arguments: object) -> str:
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert done.exit_code == 0, done.output
        return done.stdout

    folder = tmp_path_factory.mktemp("studies")
    (folder / "two.toml").write_text(ENSEMBLE, encoding="utf-8")
    robustness, pareto, log = (folder / f"{name}.json" for name in ("robust", "pareto", "log"))
    robustness.write_text(
        run("robustness", "toy-two-lesions", "--ensemble", folder / "two.toml", "--json")
    )
    pareto.write_text(run("pareto", "toy-two-lesions", "--against", "sites", "--json"))
    run("solve", "toy-two-lesions", "--log", log)
    return {"spread": robustness, "identification": robustness, "frontier": pareto,
            "progress": log}  # fmt: skip


@pytest.mark.parametrize("kind", STUDIES)
def test_pictures_are_the_same_bytes_every_time(
    run: Any, files: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    outs = [tmp_path / name for name in ("a.svg", "b.svg")]
    for out in outs:
        done = run("plot", files[kind], "--kind", kind, "--out", out)
        assert done.exit_code == 0, done.output
    text = outs[0].read_text()
    assert outs[0].read_bytes() == outs[1].read_bytes() and "toy-two-lesions" in text
    assert "<dc:date>" not in text


@pytest.mark.parametrize("kind", STUDIES)
def test_no_words_of_a_picture_overlap(files: dict[str, Path], kind: str) -> None:
    """Texts that are drawn, ticks and keys included, are apart from each other."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure = study_figure(source_of(str(files[kind]), kind), kind)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    ax = figure.axes[0]
    legend, (low, high), (bottom, top) = (
        ax.get_legend(),
        sorted(ax.get_xlim()),
        sorted(ax.get_ylim()),
    )
    assert legend is not None
    across = [t for t in ax.get_xticklabels() if low <= t.get_position()[0] <= high]
    up = [t for t in ax.get_yticklabels() if bottom <= t.get_position()[1] <= top]
    words = [ax.xaxis.label, ax.yaxis.label, *legend.get_texts(), *ax.texts]
    texts = [*across, *up, *words, ax._left_title]  # type: ignore[attr-defined]
    boxes = [t.get_window_extent(canvas.get_renderer()) for t in texts if t.get_text()]
    for i, box in enumerate(boxes):
        for other in boxes[:i]:
            assert not box.overlaps(other), (kind, i)


def test_a_frontier_steps_at_its_points(files: dict[str, Path]) -> None:
    """Of at most so many lesions the best is that of the last point before: it rises there."""
    source = source_of(str(files["frontier"]), "frontier")
    assert isinstance(source, Study)
    ax = frontier(source, _figure(4, 3).subplots())
    steps = next(line for line in ax.lines if line.get_linestyle() == ":")
    xs = list(steps.get_xdata())  # type: ignore[arg-type]
    assert xs == sorted(xs) and steps.get_drawstyle() == "steps-post"
    ys = list(steps.get_ydata())  # type: ignore[arg-type]
    assert ys == sorted(ys)


def test_a_frontier_against_an_ensemble_has_no_bounds_of_the_objective(tmp_path: Path) -> None:
    """What is proved there is a weighted sum of both axes; more of the mean is better."""
    row = {"status": "optimal", "bound": -1.0, "gap_unit": "nat"}
    document = {
        "kind": "pareto", "instance": "toy", "against": "robustness", "ensemble": "two",
        "members": 2,
        "rows": [row | {"measure": -2.0, "objective": -1.5},
                 row | {"measure": -3.0, "objective": -1.2}],
    }  # fmt: skip
    (tmp_path / "robust.json").write_text(json.dumps(document))
    source = source_of(str(tmp_path / "robust.json"), "frontier")
    assert isinstance(source, Study)
    ax = frontier(source, _figure(4, 3).subplots())
    steps = next(line for line in ax.lines if line.get_linestyle() == ":")
    assert steps.get_drawstyle() == "steps-pre" and list(steps.get_ydata()) == [-1.2, -1.5]  # type: ignore[arg-type]
    assert all(line.get_marker() != "_" for line in ax.lines)
    assert ax.get_xlabel() == "mean objective over 2 of two (nat)"


def test_many_measures_have_few_names(tmp_path: Path) -> None:
    row = {"status": "optimal", "bound": -1.0, "gap_unit": "nat"}
    document = {
        "kind": "pareto", "instance": "toy", "against": "toxicity",
        "rows": [row | {"measure": at, "objective": at / 100 - 2.0} for at in (1.0, 40.0, 97.0)],
    }  # fmt: skip
    (tmp_path / "toxicity.json").write_text(json.dumps(document))
    source = source_of(str(tmp_path / "toxicity.json"), "frontier")
    assert isinstance(source, Study)
    ax = frontier(source, _figure(4, 3).subplots())
    assert len(ax.get_xticks()) < 15
    assert sum(line.get_marker() == "_" for line in ax.lines) == 4  # one for each, and the key


def test_other_files_are_refused(run: Any, files: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "x.svg"
    for kind in KINDS:
        other = files["frontier" if kind != "frontier" else "spread"]
        done = run("plot", other, "--kind", kind, "--out", out)
        assert done.exit_code == 2 and "must be a" in done.stderr, done.output
    empty = json.loads(files["spread"].read_text()) | {"control": []}
    (tmp_path / "empty.json").write_text(json.dumps(empty))
    done = run("plot", tmp_path / "empty.json", "--kind", "spread", "--out", out)
    assert done.exit_code == 2 and "has nothing to draw" in done.stderr
    cut = json.loads(files["spread"].read_text()) | {"control": [{"lesion": "one"}]}
    (tmp_path / "cut.json").write_text(json.dumps(cut))
    done = run("plot", tmp_path / "cut.json", "--kind", "spread", "--out", out)
    assert done.exit_code == 2 and "must have rows with" in done.stderr
    done = run("plot", files["spread"], "--kind", "spread", "--case", "pulsar", "--out", out)
    assert done.exit_code == 2 and "needs no case" in done.stderr
    assert not out.exists()


def spoiled(value: Any) -> Iterator[Any]:
    """A document with one place after the other left out, or of another type."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for place, entry in list(items):
        others = {key: other for key, other in items if key != place}
        yield others if isinstance(value, dict) else list(others.values())
        for wrong in ([], {"a": 1}, "x", 1e999, True, None):
            changed = value.copy()
            changed[place] = wrong
            yield changed
        for part in spoiled(entry) if isinstance(entry, dict | list) else ():
            changed = value.copy()
            changed[place] = part
            yield changed


@pytest.mark.parametrize("kind", STUDIES)
def test_a_file_of_other_hands_is_drawn_or_refused(
    files: dict[str, Path], tmp_path: Path, kind: str
) -> None:
    """Whatever is wrong with one place: no other error than one that names file, place and rule."""
    lines = files[kind].read_text().splitlines() if kind == "progress" else None
    whole = [json.loads(line) for line in lines] if lines else json.loads(files[kind].read_text())
    rng, drawn, refused = random.Random(kind), 0, list[str]()
    every = list(spoiled(whole))
    for document in rng.sample(every, min(len(every), 25 if kind == "spread" else 40)):
        file = tmp_path / "file.json"
        texts = [json.dumps(line) for line in document] if lines else [json.dumps(document)]
        file.write_text("\n".join(texts), encoding="utf-8")
        try:
            study_figure(source_of(str(file), kind), kind)
            drawn += 1
        except InputError as error:
            refused.append(str(error))
    assert drawn and refused
    assert all(words.startswith(str(file)) for words in refused)


def test_a_log_of_other_hands_is_read_or_refused(files: dict[str, Path], tmp_path: Path) -> None:
    whole = [json.loads(line) for line in files["progress"].read_text().splitlines()]
    file, refused, every = tmp_path / "log.jsonl", list[str](), list(spoiled(whole))
    for document in every:
        file.write_text("\n".join(map(json.dumps, document)), encoding="utf-8")
        try:
            log_report(timings([str(file)], [0.1]))
        except InputError as error:
            refused.append(str(error))
    assert 0 < len(refused) < len(every)
    assert all(words.startswith(str(file)) for words in refused)
