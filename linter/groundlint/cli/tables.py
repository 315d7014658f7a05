"""`groundlint tables`: the tables that rules judge and `export` writes."""

from __future__ import annotations

from typing import Annotated

import typer

from groundlint.cli.options import Isolated
from groundlint.cli.output import print_lines, reported


def tables(
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="The table whose columns to show.")] = None,
    isolated: Isolated = False,
) -> None:
    """List the tables that `groundlint export` writes, or the columns of one."""
    with reported():
        from groundlint import pages
        from groundlint.engine import registry

        known = registry.load(isolated=isolated)
        print_lines(pages.tables(known) if name is None else pages.table(known, name))
