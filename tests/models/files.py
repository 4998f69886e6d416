"""Files of models that do not belong to the project: tests that read them skip with a reason where they are not."""

import os
from pathlib import Path

import pytest

FOLDER = Path(os.environ.get("CONV_SHEET_MODELS", Path(__file__).resolve().parents[3] / "shared" / "models"))


def model(name: str) -> Path:
    """A file by name; the test skips where it is not there."""
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"the model {name} is not there: CONV_SHEET_MODELS names the folder that has it")
    return path
