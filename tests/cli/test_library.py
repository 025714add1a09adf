"""The library as users look at it: every table, every entry, unknown names."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from abscopt.cli import main
from abscopt.instances.load import library
from abscopt.optimizer.console.published import LIBRARY
from abscopt.optimizer.results.text.library_report import WORDS, entries


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["library", *arguments])
    return done.exit_code, done.output


def test_all_tables_are_listed() -> None:
    code, text = run()
    assert code == 0 and tuple(WORDS) == LIBRARY
    assert all(name in text for name in LIBRARY)


@pytest.mark.parametrize("table", LIBRARY)
def test_every_entry_says_what_it_is_known_from(table: str) -> None:
    code, text = run(table)
    known = entries(table)
    assert code == 0 and known
    assert all(name[:20] in text for name in known)
    for name, values in known.items():
        assert values.get("source"), f"{table}.{name}"
    code, text = run(table, next(iter(known)))
    assert code == 0 and "Source" in text


def test_one_entry_shows_its_values() -> None:
    code, text = run("limits", "tg101.cord_max")
    assert code == 0
    limit = library("limits")["sets"]["tg101"]["limits"]["cord_max"]
    assert limit["status"] in text and "14, 21.9, 30" in text
    code, text = run("tumors", "nsclc_primary", "--json")
    assert json.loads(text)["entry"] == library("tumors")["nsclc_primary"]


def test_unknown_names_are_answered_with_the_nearest() -> None:
    code, text = run("tumors", "nsclc_primry")
    assert code == 2 and "did you mean nsclc_primary" in text
    assert run("tumours")[0] == 2
    assert run("drugs", "zzzzzz")[0] == 2


def test_arms_of_trials_have_a_name_of_their_own() -> None:
    new = CliRunner().invoke(main, ["trials", "--json"])
    old = CliRunner().invoke(main, ["regimens", "--json"])
    assert json.loads(new.stdout)["trials"] == json.loads(old.stdout)["regimens"]
