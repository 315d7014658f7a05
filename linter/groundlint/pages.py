"""Pages of rules and tables, generated from their docstrings, options, examples and columns."""

from __future__ import annotations

import csv
import inspect
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import import_module
from importlib.resources import files
from itertools import groupby
from string import Formatter
from typing import Any, Literal, get_args, get_origin

import polars as pl
from pydantic.fields import FieldInfo

from groundlint.config.data_sets import UsageError
from groundlint.engine.base_tables import BASE
from groundlint.engine.evaluate import Workspace
from groundlint.engine.examples import Bad, Example, Good
from groundlint.engine.registry import Registry
from groundlint.engine.rule import Rule, Safety, docstring
from groundlint.example_tables import manifest_lines
from groundlint.phrases import number_of, suggestion
from groundlint.testing import judged

FAMILIES = {
    "MAN": "Manifest file and lines",
    "REF": "Image references and storage",
    "LBL": "Labels and label attributes",
    "BOX": "Bounding boxes",
    "IMG": "Image files and quality",
    "VIS": "Occlusion and truncation",
    "CLU": "Clutter",
    "DUP": "Duplicates",
    "SUS": "Probably wrong labels",
    "BAL": "Balance and variety",
    "SPL": "Training against test data",
    "EVA": "Advice from an evaluation",
    "CFG": "Configuration",
}
"""Headings of the families, by the letters of their codes."""

_SECTIONS = ("Why it matters", "Causes", "How to fix it", "How reliable it is")
_LAST_SECTION = "Undocumented service behavior"
_MAX_LINES = 5
_MAX_LINE = 1000
_MAX_BAD = 2
_TYPES: Mapping[type[pl.DataType], str] = {
    pl.String: "text",
    pl.Boolean: "boolean",
    pl.Binary: "bytes",
    pl.Date: "date",
    pl.Enum: "text",
    pl.List: "list",
    pl.Struct: "object",
}


def page(registry: Registry, code: str) -> str:
    """The page of a rule, in Markdown."""
    rule = registry.rules[code]
    sentence, sections = docstring(rule)
    stated = [
        f"Severity: {rule.severity.value}",
        f"Status: {rule.status.value}",
        f"Cost: {rule.cost.value}",
        f"Targets: {', '.join(rule.targets)}",
        *([f"Service code: `{rule.aws}`"] if rule.aws else []),
        *(f"{safety.capitalize()} fix: {text}" for safety, text in rule.fixes.items()),
    ]
    parts = [f"# {rule.code} {rule.name}", sentence, "\n".join(f"- {fact}" for fact in stated)]
    last = sections.pop(_LAST_SECTION, None)
    order = [*(name for name in _SECTIONS if name in sections), *(name for name in sections if name not in _SECTIONS)]
    for name in order:
        parts += [f"## {name}", sections[name]]
    if rows := list(_measured(rule)):
        parts += ["## Measured", "\n".join(["| set | what | figure |", "| --- | --- | --- |", *rows])]
    if rule.model_fields:
        parts += ["## Options", _options(rule)]
    shown = _by_cause(registry, rule) if len(rule.messages) > 1 else _examples(registry, rule)
    if examples := [*_illustrations(rule), *shown] or list(_messages(rule)):
        parts += ["## Example", *examples]
    if last:
        parts += [f"## {_LAST_SECTION}", last]
    parts.append(f"This rule is part of the package {registry.packages[code]}.")
    return "\n\n".join(parts) + "\n"


def index(registry: Registry) -> str:
    """A list of all rules by family, in Markdown."""
    parts = ["# Rules"]
    for family, codes in groupby(sorted(registry.rules), key=lambda code: code[:3]):
        rows = [
            "| code | name | severity | status | service code | fix | what it does |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for rule in (registry.rules[code] for code in codes):
            aws = f"`{rule.aws}`" if rule.aws else ""
            cells = (
                f"[{rule.code}]({rule.code}.md)",
                *(rule.name, rule.severity, rule.status, aws),
                ", ".join(rule.fixes),
                docstring(rule)[0],
            )
            rows.append(f"| {' | '.join(cells)} |")
        title = FAMILIES.get(family)
        parts += [f"## {family}: {title}" if title else f"## {family}", "\n".join(rows)]
    return "\n\n".join(parts) + "\n"


def fix_table(registry: Registry) -> str:
    """A table of what can be fixed, in Markdown: the safe fixes first."""
    rows = ["| rule | name | fix | what it changes |", "| --- | --- | --- | --- |"]
    for wanted in Safety:
        for code, rule in sorted(registry.rules.items()):
            rows += [
                f"| [{code}](rules/{code}.md) | {rule.name} | {safety} | {text} |"
                for safety, text in rule.fixes.items()
                if safety == wanted
            ]
    return "\n".join(rows)


def listed(registry: Registry, codes: Sequence[str]) -> list[str]:
    """Rules as aligned lines: code, name, severity, and the sentence that says what it does."""
    rules = [registry.rules[code] for code in codes]
    width = max((len(rule.name) for rule in rules), default=0)
    return [
        f"{rule.code}  {rule.name:<{width}}  {rule.severity:<7}  {rule.status:<7}  {docstring(rule)[0]}"
        for rule in rules
    ]


def facts(registry: Registry, code: str) -> dict[str, Any]:
    """What a page says of a rule, for programs."""
    rule = registry.rules[code]
    sentence, _ = docstring(rule)
    return {
        "code": rule.code,
        "name": rule.name,
        "severity": rule.severity.value,
        "status": rule.status.value,
        "cost": rule.cost.value,
        "targets": list(rule.targets),
        "aws": rule.aws,
        "precision": rule.precision,
        "fixes": {safety.value: text for safety, text in rule.fixes.items()},
        "package": registry.packages[code],
        "summary": sentence,
        "explanation": inspect.getdoc(rule) or "",
        "options": [
            {
                "name": name,
                "default": option.default,
                "constraint": constraint(option) or None,
                "description": option.description,
            }
            for name, option in rule.model_fields.items()
        ],
    }


def constraint(option: FieldInfo) -> str:
    """What the values of an option must be, such as "0 < value <= 0.01"; empty where any value of its type may be."""
    if get_origin(option.annotation) is Literal:
        return f"one of {', '.join(json.dumps(choice) for choice in get_args(option.annotation))}"
    limits = {
        name: getattr(limit, name)
        for limit in option.metadata
        for name in ("gt", "ge", "lt", "le", "min_length", "max_length", "multiple_of", "pattern")
        if getattr(limit, name, None) is not None
    }
    low = next(((limits[name], sign) for name, sign in (("gt", "<"), ("ge", "<=")) if name in limits), None)
    high = next(((limits[name], sign) for name, sign in (("lt", "<"), ("le", "<=")) if name in limits), None)
    parts = []
    if low and high:
        parts.append(f"{low[0]} {low[1]} value {high[1]} {high[0]}")
    elif low:
        parts.append(f"value {low[1].replace('<', '>')} {low[0]}")
    elif high:
        parts.append(f"value {high[1]} {high[0]}")
    parts += [f"length >= {limits['min_length']}"] if "min_length" in limits else []
    parts += [f"length <= {limits['max_length']}"] if "max_length" in limits else []
    parts += [f"a multiple of {limits['multiple_of']}"] if "multiple_of" in limits else []
    parts += [f"matches {limits['pattern']}"] if "pattern" in limits else []
    return ", ".join(parts)


def tables(registry: Registry) -> list[str]:
    """All tables as aligned lines: the name, and what a row is."""
    rows = {name: f"One row is {table.row}." for name, table in BASE.items()}
    rows |= {name: _first_sentence(inspect.getdoc(table.function)) for name, table in registry.tables.items()}
    return list(_aligned((name, rows[name]) for name in sorted(rows)))


def table(registry: Registry, name: str) -> list[str]:
    """A table as lines: what a row is, and its columns with types and meanings.

    Raises:
        UsageError: There is no such table.
    """
    known = sorted({*BASE, *registry.tables})
    if name not in known:
        raise UsageError(f"there is no table {name!r}{suggestion(name, known)}; tables: {', '.join(known)}")
    if name in BASE:
        base = BASE[name]
        columns = [(column, _type(each.dtype), each.description) for column, each in base.columns.items()]
        columns += [
            (feature.name, feature.dtype.__name__, _first_sentence(inspect.getdoc(feature.function)))
            for feature in registry.features.values()
            if feature.of == name and feature.dtype
        ]
        return [f"{name}: one row is {base.row}", "", *_aligned(columns)]
    plan = registry.graph.plan((), tables=[name])
    schema = Workspace(plan, {}).table(name).collect_schema()
    # The later ones win: most derived tables are about boxes, labels or lines.
    described = [*BASE.values(), *(BASE[each] for each in ("lines", "labels", "boxes"))]
    known_columns = {column: each.description for base in described for column, each in base.columns.items()}
    columns = [(column, _type(dtype), known_columns.get(column, "")) for column, dtype in schema.items()]
    text = (inspect.getdoc(registry.tables[name].function) or "").splitlines()
    return [f"{name}:", *text, "", *_aligned(columns)]


def _first_sentence(text: str | None) -> str:
    first = " ".join((text or "").partition("\n\n")[0].split())
    return first.partition(". ")[0].rstrip(".") + "." if first else ""


def _measured(rule: type[Rule]) -> Iterator[str]:
    """Rows of the rule in the table `accuracy.csv` of its package: code, set, measured, figure."""
    for row in _rows_of(rule, "accuracy.csv"):
        yield f"| {row['set']} | {row['measured']} | {row['figure']} |"


def _illustrations(rule: type[Rule]) -> Iterator[str]:
    """Images of the rule, from the table `illustrations.csv` of its package: code, image (a link), caption."""
    for row in _rows_of(rule, "illustrations.csv"):
        yield f"![{row['caption']}]({row['image']})"
        yield f"{row['caption']}."


def _rows_of(rule: type[Rule], name: str) -> Iterator[dict[str, str]]:
    """The rows of a rule in a table that its package may have."""
    package = import_module(rule.__module__.partition(".")[0])
    # A distribution of one module has no folder to keep a table in.
    file = files(package) / name if hasattr(package, "__path__") else None
    if file and file.is_file():
        for row in csv.DictReader(file.read_text(encoding="utf-8").splitlines()):
            if row["code"] == rule.code:
                yield row


def _options(rule: type[Rule]) -> str:
    rows = ["| option | default | allowed | meaning |", "| --- | --- | --- | --- |"]
    for name, option in rule.model_fields.items():
        allowed = constraint(option)
        cell = f"`{allowed}`" if "value" in allowed else allowed
        rows.append(f"| `{name}` | `{json.dumps(option.default)}` | {cell} | {option.description} |")
    return "\n".join(rows)


def _examples(registry: Registry, rule: type[Rule]) -> Iterator[str]:
    """One example without a finding and some with, as manifest lines; rows of other tables are left out."""
    drawn = [(example, lines) for example in rule.examples if (lines := manifest_lines(example))]
    good = [pair for pair in drawn if isinstance(pair[0], Good)][:1]
    bad = [pair for pair in drawn if isinstance(pair[0], Bad)]
    # The ones whose message is stated were chosen to be read.
    bad.sort(key=lambda pair: getattr(pair[0], "says", None) is None)
    for example, lines in (*good, *bad[:_MAX_BAD]):
        yield from _drawn(example, lines, _message(registry, rule, example) if isinstance(example, Bad) else None)


def _by_cause(registry: Registry, rule: type[Rule]) -> Iterator[str]:
    """A section for each cause of a rule with several: what is reported, and manifest lines where an example has some.

    Before them is one example without a finding.
    """
    good = (example for example in rule.examples if isinstance(example, Good) and manifest_lines(example))
    if first := next(good, None):
        yield from _drawn(first, manifest_lines(first), None)
    bad = [example for example in rule.examples if isinstance(example, Bad)]
    # The ones whose message is stated were chosen to be read.
    bad.sort(key=lambda example: example.says is None)
    messages = [(example, _message(registry, rule, example) or "") for example in bad]
    for kind, template in rule.messages.items():
        yield f"### {kind}"
        of_kind = [(example, message) for example, message in messages if _is_made_from(template, message)]
        drawn = [(example, message) for example, message in of_kind if manifest_lines(example)]
        if drawn:
            example, message = drawn[0]
            yield from _drawn(example, manifest_lines(example), message)
        else:
            message = of_kind[0][1] if of_kind else _with_gaps(template)
            yield f"Reported as “{message}”."


def _drawn(example: Example, lines: Sequence[str], message: str | None) -> Iterator[str]:
    """An example as manifest lines, with what is reported of it."""
    verdict = "No finding"
    if isinstance(example, Bad):
        verdict = f"Reported as “{message}”" if message else "Reported"
    given = [f"`{name} = {json.dumps(value)}`" for name, value in example.options.items()]
    options = f" with {' and '.join(given)}" if given else ""
    yield f"{verdict}{options}:"
    yield "\n".join(["```json", *_shown(example, lines), "```"])


def _message(registry: Registry, rule: type[Rule], example: Bad) -> str | None:
    """The stated message of an example, else the first one that the rule gives."""
    return example.says or next(iter(judged(registry, rule, example).findings["message"]), None)


def _is_made_from(template: str, message: str) -> bool:
    """Whether a message is a template with its places filled in."""
    texts = (text for text, *_ in Formatter().parse(template))
    return re.fullmatch(".*".join(re.escape(text) for text in texts) + ".*", message, re.DOTALL) is not None


def _with_gaps(template: str) -> str:
    """A template with an ellipsis in each of its places."""
    return "".join(text + ("…" if name is not None else "") for text, name, *_ in Formatter().parse(template))


def _messages(rule: type[Rule]) -> Iterator[str]:
    """What the rule reports, for a rule whose examples are rows of tables that no user sees."""
    says = [example.says for example in rule.examples if isinstance(example, Bad) and example.says]
    if says:
        yield "Reported as:"
        yield "\n".join(f"- {message}" for message in dict.fromkeys(says))


def _shown(example: Example, lines: Sequence[str]) -> Iterator[str]:
    parts = [lines]
    if example.manifests["train"] is not None and example.manifests["test"] is not None:
        parts = [example.manifests["train"].splitlines(), example.manifests["test"].splitlines()]
    for number, part in enumerate(parts):
        if number:
            yield "// test manifest"
        yield from (
            line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 100]} … {line[-90:]}"
            for line in part[:_MAX_LINES]
        )
        if len(part) > _MAX_LINES:
            yield f"// and {number_of(len(part) - _MAX_LINES, 'more line')}"


def _aligned(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Rows with columns as wide as their widest cell; the last is not padded."""
    rows = list(rows)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    for row in rows:
        padded = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False))
        yield "  ".join((*padded, row[-1])).rstrip()


def _type(dtype: pl.DataType) -> str:
    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "number"
    return next((name for kind, name in _TYPES.items() if isinstance(dtype, kind)), str(dtype).lower())
