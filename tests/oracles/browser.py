"""Chromium and Firefox, driven by puppeteer-core; and Node.js, which runs the tests of the page's own modules."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.oracles import OracleError, found, run

ROOT = Path(__file__).resolve().parents[2]
MODULES = ROOT / "scripts/web/node_modules"
SCENES = ROOT / "tests/web/scenes.js"


def play(scene: str, **given: Any) -> Any:
    """What a scene of `scenes.js` reports, as JSON has it; it is given some values."""
    require()
    return _answer(run("node", [SCENES, scene, json.dumps(given)]).out)


def node_test(files: Sequence[Path]) -> str:
    """Run tests of Node.js; one that fails is an error that shows it."""
    if not files:
        raise OracleError("there are no tests to run")
    return run("node", ["--test", *files]).out


def require() -> None:
    """Raise OracleError where something of this is not installed."""
    for program in ("chromium", "firefox"):
        found(program)
    if not (MODULES / "puppeteer-core").is_dir():
        raise OracleError(f"there is no {MODULES}: scripts/setup-tests.sh installs what the tests ask")


def _answer(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise OracleError(f"the browser's answer is not JSON: {text[:500]!r}") from error
