"""`groundlint test`: run the examples and property tests of a package's rules."""

from __future__ import annotations

from typing import Annotated

import typer

from groundlint.cli.output import FAILED, fail, print_lines, reported


def test(package: Annotated[str, typer.Argument(help="Name of an installed package with rules.")]) -> None:
    """Run the examples of a package's rules, and the property tests that every rule must pass."""
    from groundlint.engine import registry
    from groundlint.phrases import number_of
    from groundlint.sanitize import visible
    from groundlint.testing import example_faults, property_faults

    with reported():
        known = registry.load()
        rules = known.of_package(package)
        if not rules:
            owners = ", ".join(sorted({known.packages[code] for code in known.rules}))
            fail(f"{package}: no installed package of this name has rules; packages with rules: {owners}")
        faults = [fault for rule in rules for fault in (*example_faults(known, rule), *property_faults(known, rule))]
    print_lines(visible(line, limit=None) for fault in faults for line in fault.splitlines())
    examples = sum(len(rule.examples) for rule in rules)
    counts = [(len(rules), "rule"), (examples, "example"), (len(faults), "fault")]
    print_lines([", ".join(number_of(count, noun) for count, noun in counts)])
    if faults:
        raise typer.Exit(FAILED)
