"""Examples of rules: a few partial rows, or lines of a manifest, that are sound or that a rule must find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from polars import DataFrame, LazyFrame
from polars.exceptions import PolarsError
from pydantic import ValidationError

from groundlint.engine.evaluate import Judgement, judge, plan
from groundlint.engine.features import Feature
from groundlint.engine.registry import Registry
from groundlint.engine.rule import Rule
from groundlint.engine.tables import BASE, IMAGE_VALUES, Column

Row = Mapping[str, Any]


class Example:
    """Data on which a rule is judged.

    Args:
        manifest: text of a training manifest, read as a file is.
        test_manifest: text of a test manifest beside it.
        options: options of the rule.
        tables: partial rows by table; defaults complete them, and rows of the tables they hang on are added.
    """

    def __init__(
        self,
        *,
        manifest: str | None = None,
        test_manifest: str | None = None,
        options: Mapping[str, Any] | None = None,
        **tables: Sequence[Row],
    ) -> None:
        self.manifests = {"train": manifest, "test": test_manifest}
        self.options = dict(options or {})
        self.rows = tables

    def tables(self, features: Mapping[str, Feature] | None = None) -> dict[str, LazyFrame]:
        """The base tables, and derived ones that are given by rows; `features` may be columns of images and crops."""
        if any(text is not None for text in self.manifests.values()):
            return self._read() | {name: frame.lazy() for name, frame in _complete(self.rows, features or {}).items()}
        return {name: frame.lazy() for name, frame in _with_parents(self.rows, features or {}).items()}

    def _read(self) -> dict[str, LazyFrame]:
        # The engine's own rules need no reader, and those of a plugin may never read a manifest.
        from groundlint.manifest.reader import Source, read

        sources = [
            Source(f"{split}.manifest", split, data=text.encode())
            for split, text in self.manifests.items()
            if text is not None
        ]
        limits = _complete({"limits": [{}]}, {})["limits"].lazy()
        return {name: frame.lazy() for name, frame in read(sources).tables.items()} | {"limits": limits}


class Good(Example):
    """An example in which the rule finds nothing."""


class Bad(Example):
    """An example in which the rule finds something.

    Args:
        says: the message of one of its findings, word for word.
    """

    def __init__(self, *, says: str | None = None, **parts: Any) -> None:
        super().__init__(**parts)
        self.says = says


def run(registry: Registry, rule: type[Rule], example: Example) -> Judgement:
    """Judge an example by its rule alone."""
    return judge(plan(registry, [rule(**example.options)]), example.tables(registry.features))


def faults(registry: Registry, rule: type[Rule]) -> list[str]:
    """What is wrong with a rule's examples, as sentences; empty if all hold."""
    found = []
    for number, example in enumerate(rule.examples, 1):
        if fault := _fault(registry, rule, example):
            found.append(f"{rule.code} {rule.name}, example {number} {fault}")
    missing = [kind for kind in (Good, Bad) if not any(isinstance(example, kind) for example in rule.examples)]
    return found + [f"{rule.code} {rule.name} has no {kind.__name__} example" for kind in missing]


def _fault(registry: Registry, rule: type[Rule], example: Example) -> str | None:
    """Why an example does not hold, as the rest of a sentence; None where it holds."""
    if unknown := sorted(set(example.rows) - {*BASE, *registry.tables}):
        return f"cannot be judged: no package offers the table {unknown[0]}"
    try:
        judgement = run(registry, rule, example)
    except ValidationError as error:
        first = error.errors()[0]
        return f"cannot be judged: its option {first['loc'][0]!r}: {first['msg']}"
    # A column that is none, or a value of another type than its column's.
    except (TypeError, ValueError, PolarsError) as error:
        return f"cannot be judged: {str(error).splitlines()[0]}"
    messages = judgement.findings["message"].to_list()
    if judgement.raised:
        return f"cannot be judged: the rule raised {judgement.raised[0].error}"
    if isinstance(example, Good) and messages:
        return f"is good, but the rule says: {messages[0]}"
    if isinstance(example, Bad) and not messages:
        return "is bad, but the rule finds nothing"
    if isinstance(example, Bad) and example.says is not None and example.says not in messages:
        return f"should say: {example.says}\n  but says: {messages[0]}"
    return None


def _with_parents(given: Mapping[str, Sequence[Row]], features: Mapping[str, Feature]) -> dict[str, DataFrame]:
    """Complete tables, with the attributes, lines and manifests that their rows hang on."""
    rows = {name: [dict(row) for row in table] for name, table in given.items()}
    _number_boxes(rows.get("boxes", []))
    for name in ("boxes", "crops", "labels", "problems", "predictions", "attributes", "lines"):
        for row in rows.get(name, []):
            row.setdefault("line", 1)
            if row["line"] is not None and "source_ref" in BASE[name].columns:
                row.setdefault("source_ref", f"s3://bucket/{row['line']}.jpg")
    sizes = Counter(_key(row, "manifest", "line", "attribute") for row in rows.get("boxes", []))
    for child, kind in (("boxes", "detection"), ("labels", "classification")):
        parents = [
            row | {"kind": kind, "type": f"groundtruth/{_TASKS[kind]}", "boxes": sizes.get(_key(row, *_ATTRIBUTE))}
            for row in rows.get(child, [])
        ]
        _add_missing(rows, "attributes", parents, _ATTRIBUTE)
    for number, row in enumerate(rows.get("images", []), 1):
        row.setdefault("source_ref", f"s3://bucket/{number}.jpg")
        row.setdefault("path", row["source_ref"].rpartition("/")[2])
    named = [{"line": n, "source_ref": row["source_ref"]} for n, row in enumerate(rows.get("images", []), 1)]
    _add_missing(rows, "lines", named, ("source_ref",))
    for child in ("attributes", "problems", "predictions"):
        _add_missing(rows, "lines", [row for row in rows.get(child, []) if row["line"] is not None], _LINE)
    lengths: Counter[Any] = Counter()
    for row in rows.get("lines", []):
        key = row.get("manifest", "train.manifest")
        lengths[key] = max(lengths[key], row["line"])
    parents = [row | {"lines": lengths[row.get("manifest", "train.manifest")]} for row in rows.get("lines", [])]
    _add_missing(rows, "manifests", parents, ("manifest",))
    _add_missing(rows, "manifests", rows.get("problems", []), ("manifest",))
    rows.setdefault("limits", [{}])
    return _complete(rows, features)


_ATTRIBUTE = ("manifest", "line", "attribute")
_LINE = ("manifest", "line")
_TASKS = {"detection": "object-detection", "classification": "image-classification"}


def _number_boxes(boxes: Iterable[dict[str, Any]]) -> None:
    """Give boxes their position within their attribute, unless they name it."""
    counts: Counter[Any] = Counter()
    for row in boxes:
        key = _key(row, *_ATTRIBUTE)
        row.setdefault("box", counts[key])
        counts[key] += 1


def _key(row: Row, *columns: str) -> tuple[Any, ...]:
    return tuple(row.get(column) for column in columns)


def _add_missing(
    rows: dict[str, list[dict[str, Any]]], parent: str, children: Iterable[Row], key: Sequence[str]
) -> None:
    """Add a row of the parent table for each child that has none, with the columns that both have."""
    known = {_key(row, *key) for row in rows.get(parent, [])}
    for child in children:
        if _key(child, *key) not in known:
            known.add(_key(child, *key))
            shared = {name: value for name, value in child.items() if name in BASE[parent].columns}
            rows.setdefault(parent, []).append(shared)


def _complete(rows: Mapping[str, Sequence[Row]], features: Mapping[str, Feature]) -> dict[str, DataFrame]:
    """Tables from partial rows; columns that are not given take the default. Derived tables must be whole."""
    frames = {}
    for name, table in rows.items():
        if name not in BASE:
            frames[name] = DataFrame(list(table))
            continue
        measured = {f.name: Column(IMAGE_VALUES[f.dtype], "") for f in features.values() if f.of == name and f.dtype}
        columns = {**BASE[name].columns, **measured}
        for row in table:
            if unknown := set(row) - set(columns):
                raise ValueError(f"the table {name} has no column {min(unknown)}")
        filled = [{key: row.get(key, column.default) for key, column in columns.items()} for row in table]
        frames[name] = DataFrame(filled, schema={key: column.dtype for key, column in columns.items()})
    return frames
