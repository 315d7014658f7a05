"""Every groundlint command in the documents and examples is one that the parser accepts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from groundlint.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    *ROOT.glob("*.md"),
    *ROOT.glob("docs/*.md"),
    *ROOT.glob("benchmarks/*.md"),
    *ROOT.glob("docs/rules/*.md"),
    *ROOT.glob("linter/groundlint/**/*.py"),
]
CONFIGURATIONS = [ROOT / "action.yml", ROOT / ".pre-commit-hooks.yaml", *ROOT.glob("examples/**/*.yml")]
PARSER = typer.main.get_command(app)


def in_blocks(text: str) -> Iterator[str]:
    """Commands in blocks, one per line or continued with a backslash."""
    for block in re.findall(r"^```(?:\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
        for line in block.replace("\\\n", " ").splitlines():
            if match := re.match(r"(?:\S*/)?groundlint (\w.*)", line.strip()):
                yield re.sub(r" #.*", "", match[1])


def in_values(value: object) -> Iterator[str]:
    """Commands in the texts of a configuration."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from in_values(part)
    elif isinstance(value, str) and (match := re.match(r"groundlint ([a-z].*)", value.strip(), re.DOTALL)):
        yield match[1]


def commands() -> Iterator[tuple[Path, str, bool]]:
    """Commands with the file that they are in, and whether they are whole; in a sentence the rest may be left out."""
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        yield from ((document, command, True) for command in in_blocks(text))
        yield from ((document, command, False) for command in re.findall(r"`groundlint ([a-z][^`\n{}…]*)`", text))
    for file in CONFIGURATIONS:
        yield from ((file, command, True) for command in in_values(yaml.safe_load(file.read_text(encoding="utf-8"))))


COMMANDS = sorted({(str(path.relative_to(ROOT)), " ".join(text.split()), whole) for path, text, whole in commands()})


def refusal(command: str, *, is_whole: bool = True) -> str | None:
    """Why the parser refuses a command; None if it accepts it."""
    words = shlex.split(command)
    known = PARSER.commands  # type: ignore[attr-defined]
    if words[0] not in known:
        return f"there is no command {words[0]}"
    try:
        known[words[0]].make_context(words[0], words[1:])
    except (typer.Exit, SystemExit):
        # Such as --help and --version, which end here.
        return None
    except Exception as error:  # noqa: BLE001 - the parser's own errors, whatever package it takes them from
        kind = type(error).__name__
        return None if kind == "MissingParameter" and not is_whole else f"{kind}: {error}"
    return None


@pytest.mark.parametrize(("place", "command", "is_whole"), COMMANDS)
def test_the_parser_accepts_the_command(place: str, command: str, is_whole: bool) -> None:
    assert refusal(command, is_whole=is_whole) is None


def test_a_wrong_flag_or_command_would_be_found() -> None:
    assert refusal("check data --require-image")
    assert refusal("cheque data")
    assert refusal("split a.manifest")
    assert len(COMMANDS) > 30
