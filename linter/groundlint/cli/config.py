"""`groundlint config`: the settings in force."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from groundlint.cli.options import ConfigFile, Isolated, configuration
from groundlint.cli.output import print_text, reported


def show_config(
    schema: Annotated[bool, typer.Option("--schema", help="Print the JSON Schema of the configuration.")] = False,
    config: ConfigFile = None,
    isolated: Isolated = False,
) -> None:
    """Print the settings in force, as JSON."""
    with reported():
        if schema:
            from groundlint.engine import registry
            from groundlint.policy import selection

            shown: Any = selection.schema(registry.load(isolated=isolated))
        else:
            shown = configuration(config, isolated=isolated).settings.model_dump(mode="json", by_alias=True)
    print_text(json.dumps(shown, indent=2) + "\n")
