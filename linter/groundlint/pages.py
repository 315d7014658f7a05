"""Pages of rules, made from what stands with their code: docstring, options, examples."""

from __future__ import annotations

import csv
import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files

from groundlint.engine.examples import Bad, Example
from groundlint.engine.registry import Registry
from groundlint.engine.rule import Rule

_MAX_LINE = 2000
"""Characters of an example's line that a page shows."""


def page(registry: Registry, code: str) -> str:
    """The page of a rule, in Markdown."""
    rule = registry.rules[code]
    first, rest = _docstring(rule)
    facts = [f"Severity: {rule.severity.value}", f"Targets: {', '.join(rule.targets)}"]
    if rule.aws:
        facts.insert(1, f"Service code: `{rule.aws}`")
    parts = [f"# {rule.code} {rule.name}", first, "\n".join(f"- {fact}" for fact in facts)]
    parts += [rest] if rest else []
    if measured := list(_measured(rule)):
        parts += ["## Measured", "\n".join(["| on | what | figure |", "| --- | --- | --- |", *measured])]
    if rule.model_fields:
        parts += ["## Options", _options(rule)]
    parts += ["## Examples", *(_example(example) for example in rule.examples)]
    parts.append(f"From the package {registry.packages[code]}.")
    return "\n\n".join(parts) + "\n"


def index(registry: Registry) -> str:
    """A list of all rules, in Markdown."""
    rows = ["| code | name | severity | service code | what it finds |", "| --- | --- | --- | --- | --- |"]
    for code, rule in sorted(registry.rules.items()):
        aws = f"`{rule.aws}`" if rule.aws else ""
        rows.append(f"| [{code}]({code}.md) | {rule.name} | {rule.severity.value} | {aws} | {_docstring(rule)[0]} |")
    return "# Rules\n\n" + "\n".join(rows) + "\n"


def _docstring(rule: type[Rule]) -> tuple[str, str]:
    """The first sentence, and the sections below it."""
    text = inspect.getdoc(rule) or ""
    first, _, rest = text.partition("\n\n")
    return first.replace("\n", " "), rest.strip()


def _measured(rule: type[Rule]) -> Iterator[str]:
    """Rows of the rule in the table `accuracy.csv` of its package: code, set, measured, figure."""
    package = import_module(rule.__module__.partition(".")[0])
    # A distribution of one module has no folder to keep a table in.
    table = files(package) / "accuracy.csv" if hasattr(package, "__path__") else None
    if table and table.is_file():
        for row in csv.DictReader(table.read_text(encoding="utf-8").splitlines()):
            if row["code"] == rule.code:
                yield f"| {row['set']} | {row['measured']} | {row['figure']} |"


def _options(rule: type[Rule]) -> str:
    rows = ["| option | default | meaning |", "| --- | --- | --- |"]
    for name, field in rule.model_fields.items():
        limits = ", ".join(str(limit) for limit in field.metadata)
        meaning = f"{field.description}{f' ({limits})' if limits else ''}"
        rows.append(f"| `{name}` | `{json.dumps(field.default)}` | {meaning} |")
    return "\n".join(rows)


def _example(example: Example) -> str:
    verdict = "Finds nothing:"
    if isinstance(example, Bad):
        verdict = f"Finds “{example.says}”:" if example.says else "Finds:"
    if example.options:
        verdict = (
            f"With {', '.join(f'`{name} = {json.dumps(value)}`' for name, value in example.options.items())}. "
            + verdict
        )
    return "\n".join([verdict, "", "```json", *_data(example), "```"])


def _data(example: Example) -> Iterator[str]:
    for split, text in example.manifests.items():
        if text is not None:
            if split == "test":
                yield "// test manifest"
            for line in text.splitlines() or ["(an empty file)"]:
                yield line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE // 2]} … {line[-100:]}"
    for table, rows in example.rows.items():
        shown = rows[:5]
        for row in shown:
            yield json.dumps({table: row}, ensure_ascii=False, default=str)
        if len(rows) > len(shown):
            yield f"… and {len(rows) - len(shown)} rows more"
