"""The whole output of each format for one data set, as it is printed.

`make golden` writes the files again. Read the difference before you commit it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from groundlint import __version__

ROOT = Path(__file__).parents[1]
CASE = ROOT / "fixtures/raccoon"
GOLDEN = Path(__file__).parent / "golden"
FORMATS = {
    "text": "txt",
    "concise": "txt",
    "sarif": "sarif",
    "github": "txt",
    "gitlab": "json",
    "junit": "xml",
    "markdown": "md",
    "csv": "csv",
}


@pytest.mark.parametrize(("form", "suffix"), FORMATS.items())
def test_output_is_as_recorded(form: str, suffix: str) -> None:
    command = [sys.executable, "-m", "groundlint", "check", "--output", form, "--no-cache", "--fast"]
    environment = os.environ | {"COLUMNS": "100"}
    done = subprocess.run(command, cwd=CASE, env=environment, capture_output=True, encoding="utf-8", check=False)
    printed = done.stdout.replace(__version__, "VERSION")
    recorded = GOLDEN / f"raccoon-{form}.{suffix}"
    if os.environ.get("GROUNDLINT_WRITE_GOLDEN"):
        recorded.parent.mkdir(exist_ok=True)
        recorded.write_text(printed, encoding="utf-8")
    assert printed == recorded.read_text(encoding="utf-8")
