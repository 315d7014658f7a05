"""`groundlint rule`: the pages of rules, and lists of them."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from groundlint.cli.options import Isolated, one_of
from groundlint.cli.output import fail, print_lines, print_text, reported, write


def rule(
    name: Annotated[
        str | None,
        typer.Argument(metavar="[CODE|NAME|PREFIX]", help="A code, name or service code; a prefix lists a family."),
    ] = None,
    show_all: Annotated[bool, typer.Option("--all", help="Print the pages of all rules.")] = False,
    to: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Write a page per rule, with an index, to a folder.")
    ] = None,
    output: Annotated[str, typer.Option(metavar="FORMAT", help="text or json.")] = "text",
    isolated: Isolated = False,
) -> None:
    """Explain a rule: what it finds, why it matters, how to fix it. Without a name, list all rules."""
    one_of("--output", output, ("text", "json"))
    if name is not None and show_all:
        fail(f"{name}: a rule cannot be combined with --all; give one of the two")
    if to is not None and name is None and not show_all:
        fail("--to: name a rule or a family, or give --all")
    with reported():
        from groundlint import pages
        from groundlint.engine import registry

        known = registry.load(isolated=isolated)
        family = known.rules.values() if name is None else known.family(name)
        # A name or service code, or an error that suggests one.
        is_list = not show_all and (name is None or (bool(family) and name.upper() not in known.rules))
        codes = sorted(rule.code for rule in (family if is_list or show_all else known.named(str(name))))
    if to is not None:
        _write_pages(to, {code: pages.page(known, code) for code in codes}, pages.index(known))
    elif output == "json":
        print_text(json.dumps([pages.facts(known, code) for code in codes], indent=2) + "\n")
    elif is_list:
        width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
        print_lines(_cut(line, width) for line in pages.listed(known, codes))
    else:
        print_text("\n".join(pages.page(known, code) for code in codes))


def _write_pages(folder: Path, texts: dict[str, str], index: str) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        fail(f"{folder}: the folder cannot be created: {error.strerror}")
    for code, page in texts.items():
        write(folder / f"{code}.md", page)
    write(folder / "index.md", index)


def _cut(line: str, width: int | None) -> str:
    return line if width is None or len(line) <= width else f"{line[: width - 1]}…"
