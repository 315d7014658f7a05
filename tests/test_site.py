"""The documentation site: it builds without a broken link, and its marked commands print what it shows."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command import groundlint

ROOT = Path(__file__).parents[1]
MARKED = re.compile(r"^<!-- run in (\S+) -->\n```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYTHING = "…"
BLOCKS = [
    pytest.param(folder, text, id=f"{page.stem}-{number}")
    for page in sorted((ROOT / "docs").glob("*.md"))
    for number, (folder, text) in enumerate(MARKED.findall(page.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize(("folder", "text"), BLOCKS)
def test_a_marked_command_prints_what_the_page_shows(folder: str, text: str, tmp_path: Path) -> None:
    shutil.copytree(ROOT / folder, tmp_path, dirs_exist_ok=True)
    for step in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, _, shown = step.partition("\n")
        program, *arguments = shlex.split(command)
        assert program == "groundlint"
        printed = groundlint(*arguments, cwd=tmp_path, COLUMNS="100").stdout
        parts = (re.escape(part) for part in shown.rstrip("\n").split(ANYTHING))
        assert re.fullmatch(".*".join(parts), printed.rstrip("\n"), re.DOTALL), printed


def test_the_site_builds_without_a_broken_link(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    shutil.copy(ROOT / "zensical.toml", tmp_path)
    build = [sys.executable, "-m", "zensical", "build", "--strict"]
    done = subprocess.run(build, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    start = (tmp_path / "site/index.html").read_text(encoding="utf-8")
    assert "fonts.googleapis" not in start
    assert (tmp_path / "site/rules/SUS102/index.html").exists()
