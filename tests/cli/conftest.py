"""Running the command line inside the test process, and a toy case to spoil."""

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from abscopt.cli import main
from abscopt.instances.load import CASES

Run = Callable[..., Result]


@pytest.fixture
def run() -> Run:
    """Invoke `abscopt ARGS...`; no command may end with a traceback."""

    def invoke(*arguments: object) -> Result:
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit), result
        assert "Traceback" not in result.output
        return result

    return invoke


@pytest.fixture
def toy() -> dict[str, Any]:
    """The case toy-blockade as plain data, to be spoiled."""
    return tomllib.loads((CASES / "toy-blockade.toml").read_text())


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any, str], Path]:
    """Write plain data as a JSON file."""

    def save(data: Any, name: str = "case.json") -> Path:
        path = tmp_path / name
        path.write_text(json.dumps(data, default=str))
        return path

    return save
