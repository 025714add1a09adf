"""Files that commands write: whenever the process is killed, the old ones or the new ones."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from abscopt.optimizer.results.files import RESULT_FILES, UNFINISHED, read_file, replace_file

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")

DRIVER = Path(__file__).with_name("killed_at.py")
DRAFT = re.compile(r"\..+\.\d+\.tmp")
SECONDS = re.compile(r'"seconds": [\d.e-]+|[\d.]+ s\b|(?<=,nat,)[\d.]+')


def runs(tmp_path: Path, *command: str) -> list[dict[str, Any]]:
    """What every run left that was killed one step later than the one before."""
    folder = tmp_path / "new"
    folder.mkdir()
    arguments = [argument.replace("FOLDER", str(folder)) for argument in command]
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder), *arguments],
        capture_output=True, text=True, check=True, timeout=600,
    )  # fmt: skip
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert not found[-1]["killed"]
    assert all(run["killed"] for run in found[:-1])
    assert all(run.get("end", 0) == 0 for run in found), "a run after a killed one"
    return found


def timeless(files: dict[str, str]) -> dict[str, str]:
    """Files without the times taken, which differ from run to run."""
    return {name: SECONDS.sub("", text) for name, text in files.items() if not DRAFT.match(name)}


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("table.csv", ["compare", "toy-blockade", "--csv", "FOLDER/table.csv"]),
        ("case.lp", ["export", "toy-blockade", "--format", "lp", "--out", "FOLDER/case.lp"]),
    ],
)
def test_a_file_is_the_old_or_the_new_one(tmp_path: Path, name: str, command: list[str]) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / name).write_text("old\n")
    found = runs(tmp_path, *command)
    assert len(found) > 8
    new = timeless(found[-1]["left"])
    assert set(new) == {name}
    kinds = {timeless(run["left"])[name] for run in found}
    assert kinds == {"old\n", new[name]}
    assert all(timeless(run.get("after", new)) == new for run in found)
    assert not any(DRAFT.match(file) for run in found for file in run.get("after", ())), (
        "drafts stay"
    )


def test_a_new_case_is_complete_or_absent(tmp_path: Path) -> None:
    (tmp_path / "old").mkdir()
    folder = tmp_path / "new"
    folder.mkdir()
    command = ["instances", "new", str(folder / "case.toml")]
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(folder), *command],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = [json.loads(line)["left"] for line in done.stdout.splitlines()]
    texts = {files.get("case.toml", "") for files in found}
    assert texts == {"", found[-1]["case.toml"]}
    assert "kind" in found[-1]["case.toml"]


@pytest.mark.parametrize("old", [dict.fromkeys(RESULT_FILES, "old\n"), {}, {"notes.md": "mine\n"}])
def test_a_folder_never_mixes_two_runs_unnoticed(tmp_path: Path, old: dict[str, str]) -> None:
    (tmp_path / "old").mkdir()
    for name, text in old.items():
        (tmp_path / "old" / name).write_text(text)
    found = runs(tmp_path, "solve", "toy-blockade", "--out", "FOLDER")
    new = timeless(found[-1]["left"])
    assert set(new) == {*RESULT_FILES, *old}
    before = {name: new[name] if name == "notes.md" else text for name, text in old.items()}
    seen = set()
    for run in found:
        left = timeless(run["left"])
        marked = left.pop(UNFINISHED, None) is not None
        assert marked or left in (before, new)
        for name, text in left.items():
            assert text in (old.get(name), new[name]), "half a file"
        assert timeless(run.get("after", new)) == new
        assert not any(DRAFT.match(file) for file in run.get("after", ())), "drafts stay"
        seen.add("new" if left == new else "old" if left == before else "between")
    assert seen == {"old", "between", "new"}


def test_an_unfinished_folder_is_not_read(tmp_path: Path) -> None:
    from abscopt.instances.load import InputError

    (tmp_path / "result.json").write_text("{}")
    assert read_file(str(tmp_path / "result.json"), Path.read_text) == "{}"
    (tmp_path / UNFINISHED).write_text("")
    with pytest.raises(InputError, match="solve again"):
        read_file(str(tmp_path / "result.json"), Path.read_text)


def test_links_stay_and_devices_are_written_to(tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    replace_file(link, "new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE)
    replace_file(pipe, "through")
    assert reader.communicate()[0] == b"through"
    assert pipe.is_fifo()
