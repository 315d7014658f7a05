"""Tests of rules: their examples, and the properties that every rule must have.

`groundlint test PACKAGE` runs them for an installed package. They are also meant for the package's own test suite.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import polars as pl
from polars import DataFrame, LazyFrame, col, lit
from polars.exceptions import PolarsError
from pydantic import ValidationError

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine.evaluate import Evaluation, evaluate
from groundlint.engine.examples import Bad, Example, Good, Row
from groundlint.engine.features import Feature
from groundlint.engine.registry import Registry
from groundlint.engine.rule import Rule, inputs
from groundlint.engine.tables import BASE, IMAGE_VALUES, RECTANGLE, Column
from groundlint.fixes.manifests import apply, fixes, with_safe_copies

Tables = dict[str, LazyFrame]

_ID = re.compile(r"^(data_set|line_id|attribute_id|box_id)(_|$)")
_PLACE = ["manifest", "line", "attribute", "box", "code", "message"]
_ATTRIBUTE = ("manifest", "split", "line", "attribute")
_LINE = ("manifest", "split", "line")
_TASKS = {"detection": "object-detection", "classification": "image-classification"}


def example_faults(registry: Registry, rule: type[Rule]) -> list[str]:
    """The faults of a rule's examples, as sentences; empty if all examples hold."""
    found = []
    for number, example in enumerate(rule.examples, 1):
        if fault := _example_fault(registry, rule, example):
            found.append(f"{rule.code} {rule.name}, example {number} {fault}")
    missing = [kind for kind in (Good, Bad) if not any(isinstance(example, kind) for example in rule.examples)]
    return found + [f"{rule.code} {rule.name} has no {kind.__name__} example" for kind in missing]


def property_faults(registry: Registry, rule: type[Rule]) -> list[str]:
    """The properties of a sound rule that a rule lacks, as sentences; empty if it has all of them.

    - It does not raise on empty tables, nor on nulls in columns that allow them.
    - It does not depend on the order of rows.
    - Data sets judged together give the same findings as each judged alone.
    - Each option has an example on each side of its limit, and changes a result.
    - An example shows each of its fixes. In examples that are manifests, a fix removes its finding.
    """
    faults = [*_empty_faults(registry, rule), *_option_faults(registry, rule), *_null_faults(registry, rule)]
    faults += _fix_faults(registry, rule)
    for number, example in enumerate(rule.examples, 1):
        place = f"{rule.code} {rule.name}, example {number}"
        faults += [f"{place}: {fault}" for fault in _robustness_faults(registry, rule, example)]
    return faults


def judged(registry: Registry, rule: type[Rule], example: Example) -> Evaluation:
    """Judge an example by its rule alone."""
    return evaluate(registry.graph.plan([rule(**example.options)]), example_tables(registry, example))


def example_tables(registry: Registry, example: Example) -> Tables:
    """The base tables of an example, and the derived tables that it gives."""
    features = registry.features
    if any(text is not None for text in example.manifests.values()):
        tables = _read(example.manifests) | _complete({"limits": [{}], **example.rows}, features)
    else:
        tables = _complete(_with_parents(example.rows), features)
    return {name: frame.lazy() for name, frame in tables.items()}


def together(parts: Sequence[Mapping[str, LazyFrame]]) -> Tables:
    """The tables of several runs as the tables of one run, with data sets and ids numbered consecutively."""
    offsets = dict.fromkeys(("data_set", "line_id", "attribute_id", "box_id"), 0)
    frames: dict[str, list[DataFrame]] = {}
    for number, part in enumerate(parts):
        used = dict.fromkeys(offsets, 0)
        for name, lazy in part.items():
            frame = lazy.collect()
            if name in BASE and BASE[name].of_run:
                frames[name] = [frame]
                continue
            ids = {column: match[1] for column in frame.columns if (match := _ID.match(column))}
            for column, kind in ids.items():
                most = frame[column].max()
                used[kind] = max(used[kind], int(most) + 1 if isinstance(most, int) else 0)
            shifted = [
                (col(column) + offsets[kind]).cast(frame.schema[column]).alias(column) for column, kind in ids.items()
            ]
            named = [
                (lit(f"{number}/") + col(column)).alias(column) for column in frame.columns if "manifest" in column
            ]
            frames.setdefault(name, []).append(frame.with_columns(*shifted, *named))
        offsets = {kind: offset + used[kind] for kind, offset in offsets.items()}
    return {name: pl.concat(rows, how="diagonal").lazy() for name, rows in frames.items()}


def _example_fault(registry: Registry, rule: type[Rule], example: Example) -> str | None:
    """Why an example does not hold, as the end of a sentence that begins with its name; None if it holds."""
    if unknown := sorted(set(example.rows) - {*BASE, *registry.tables}):
        return f"cannot be judged: no package offers the table {unknown[0]}"
    try:
        evaluation = judged(registry, rule, example)
    except ValidationError as error:
        first = error.errors()[0]
        return f"cannot be judged: its option {first['loc'][0]!r}: {first['msg']}"
    # A column that does not exist, or a value of another type than that of its column.
    except (TypeError, ValueError, PolarsError) as error:
        return f"cannot be judged: {str(error).splitlines()[0]}"
    messages = evaluation.findings["message"].to_list()
    if evaluation.raised:
        return f"cannot be judged: the {evaluation.raised[0].what} raised {evaluation.raised[0].error}"
    if isinstance(example, Good) and messages:
        return f"is good, but the rule says: {messages[0]}"
    if isinstance(example, Bad) and not messages:
        return "is bad, but the rule finds nothing"
    if isinstance(example, Bad) and example.says is not None and example.says not in messages:
        return f"should say: {example.says}\n  but says: {messages[0]}"
    return None


def _empty_faults(registry: Registry, rule: type[Rule]) -> Iterator[str]:
    evaluation = evaluate(registry.graph.plan([rule()]), {"limits": _complete({"limits": [{}]}, {})["limits"].lazy()})
    if evaluation.raised:
        yield f"{rule.code} {rule.name} raises on empty tables: {evaluation.raised[0].error}"
    elif not evaluation.findings.is_empty():
        yield f"{rule.code} {rule.name} finds something in empty tables: {evaluation.findings['message'][0]}"


def _option_faults(registry: Registry, rule: type[Rule]) -> Iterator[str]:
    for option in rule.model_fields:
        own = [example for example in rule.examples if option in example.options]
        for kind in (Good, Bad):
            if not any(isinstance(example, kind) for example in own):
                yield f"{rule.code} {rule.name} has no {kind.__name__} example that sets the option {option}"
        if own and not any(_changes(registry, rule, example, option) for example in own):
            yield f"{rule.code} {rule.name}: in no example does the option {option} change a result"


def _changes(registry: Registry, rule: type[Rule], example: Example, option: str) -> bool:
    """Whether the default of an option gives other findings in an example."""
    tables = example_tables(registry, example)
    others = {name: value for name, value in example.options.items() if name != option}
    results = [
        _findings(registry, rule(**options), tables).drop("message") for options in (dict(example.options), others)
    ]
    return not results[0].equals(results[1])


def _robustness_faults(registry: Registry, rule: type[Rule], example: Example) -> Iterator[str]:
    """The faults if another order of rows, or another data set in the same run, changes the findings of an example."""
    tables = example_tables(registry, example)
    instance = rule(**example.options)
    alone = _findings(registry, instance, tables)
    shuffled = {name: frame.collect().sample(fraction=1, shuffle=True, seed=1).lazy() for name, frame in tables.items()}
    if not _findings(registry, instance, shuffled).equals(alone):
        yield "the findings depend on the order of rows"
    twice = _findings(registry, instance, together([tables, tables]))
    is_of_run = all(name in BASE and BASE[name].of_run for name in inputs(rule.check))
    for number in () if is_of_run else (0, 1):
        of_set = twice.filter(col("manifest").str.starts_with(f"{number}/"))
        # A message may name a manifest.
        plain = of_set.with_columns(
            col("manifest", "message").str.replace_all(f"{number}/(.+?[.]manifest)", "$1", literal=False)
        )
        expected = alone.with_columns(
            col("manifest", "message").str.replace_all(f"{number}/(.+?[.]manifest)", "$1", literal=False)
        )
        if not plain.equals(expected):
            yield "the findings differ if another data set is judged in the same run; group by data_set"
            break


def _fix_faults(registry: Registry, rule: type[Rule]) -> Iterator[str]:
    shown: set[str] = set()
    for number, example in enumerate(rule.examples, 1):
        found = judged(registry, rule, example).findings
        shown |= set(found["fix"].drop_nulls())
        texts = {f"{split}.manifest": text.encode() for split, text in example.manifests.items() if text is not None}
        found = with_safe_copies(found, partial(_raw_lines, texts))
        shown |= set(found["fix"].drop_nulls())
        if not texts or found["fix"].is_null().all():
            continue
        # Where all lines would be removed, none is.
        fixed = texts | apply(texts, fixes(found, unsafe=True)).contents
        after = judged(registry, rule, _with_manifests(example, fixed)).findings
        if fixed != texts and after["message"].to_list() == found["message"].to_list():
            yield f"{rule.code} {rule.name}, example {number}: its fix removes no finding"
    for safety in rule.fixes:
        if safety not in shown:
            yield f"{rule.code} {rule.name}: no example shows its {safety} fix"


def _raw_lines(texts: Mapping[str, bytes], name: str, numbers: Collection[int]) -> dict[int, bytes]:
    """Lines of a manifest by their number."""
    lines = texts[name].split(b"\n")
    return {number: lines[number - 1] for number in numbers}


def _with_manifests(example: Example, contents: Mapping[str, bytes]) -> Example:
    """An example with other manifests."""
    manifest, test_manifest = (contents.get(f"{split}.manifest") for split in ("train", "test"))
    return Example(
        manifest=manifest.decode() if manifest is not None else None,
        test_manifest=test_manifest.decode() if test_manifest is not None else None,
        options=example.options,
        **example.rows,
    )


def _null_faults(registry: Registry, rule: type[Rule]) -> Iterator[str]:
    """The faults if the rule raises when a nullable column is null in every second row of its first bad example."""
    example = next((example for example in rule.examples if isinstance(example, Bad)), None)
    if example is None:
        return
    tables = example_tables(registry, example)
    plan = registry.graph.plan([rule(**example.options)])
    for name in sorted(plan.base & tables.keys()):
        nullable = [column for column, meaning in BASE[name].columns.items() if meaning.nullable]
        for column in nullable:
            is_null = pl.int_range(pl.len()) % 2 == 0
            nulls = tables[name].with_columns(pl.when(~is_null).then(column).alias(column))
            evaluation = evaluate(plan, tables | {name: nulls})
            if evaluation.raised:
                fault = evaluation.raised[0].error
                yield f"{rule.code} {rule.name} raises where {name}.{column} is null: {fault}"


def _findings(registry: Registry, rule: Rule, tables: Tables) -> DataFrame:
    return evaluate(registry.graph.plan([rule]), tables).findings.select(_PLACE).sort(_PLACE)


def _read(manifests: Mapping[str, str | None]) -> dict[str, DataFrame]:
    # Rules on rows need no reader, and those of a plugin may never read a manifest.
    from groundlint.manifest.reader import read

    sources = tuple(
        Source(f"{split}.manifest", split, data=text.encode()) for split, text in manifests.items() if text is not None
    )
    return read([DataSet(sources, frozenset(source.name for source in sources))]).tables


def _with_parents(given: Mapping[str, Sequence[Row]]) -> dict[str, list[dict[str, Any]]]:
    """Rows with the attributes, lines and manifests that they belong to."""
    rows = {name: [dict(row) for row in table] for name, table in given.items()}
    _number_boxes(rows.get("boxes", []))
    for name in (
        "boxes",
        "crops",
        "labels",
        "problems",
        "predictions",
        "evaluated_images",
        "attributes",
        "lines",
        "classes",
    ):
        for row in rows.get(name, []):
            row.setdefault("line", 1)
            if row["line"] is not None and "source_ref" in BASE[name].columns:
                row.setdefault("source_ref", f"s3://bucket/{row['line']}.jpg")
    sizes = Counter(_key(row, *_ATTRIBUTE) for row in rows.get("boxes", []))
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
    for child in ("attributes", "problems", "predictions", "evaluated_images", "classes"):
        _add_missing(rows, "lines", [row for row in rows.get(child, []) if row["line"] is not None], _LINE)
    lengths: Counter[Any] = Counter()
    for row in rows.get("lines", []):
        key = _key(row, "manifest", "split")
        lengths[key] = max(lengths[key], row["line"])
    parents = [row | {"lines": lengths[_key(row, "manifest", "split")]} for row in rows.get("lines", [])]
    _add_missing(rows, "manifests", parents, ("manifest", "split"))
    _add_missing(rows, "manifests", rows.get("problems", []), ("manifest",))
    rows.setdefault("limits", [{}])
    _number(rows)
    return rows


def _number_boxes(boxes: Iterable[dict[str, Any]]) -> None:
    """Number boxes within their attribute, unless they have a number."""
    counts: Counter[Any] = Counter()
    for row in boxes:
        key = _key(row, *_ATTRIBUTE)
        row.setdefault("box", counts[key])
        counts[key] += 1


def _number(rows: Mapping[str, list[dict[str, Any]]]) -> None:
    """Number lines, attributes and boxes, and set these ids in the rows that belong to them."""
    lines: dict[Any, int] = {}
    attributes: dict[Any, int] = {}
    boxes: dict[Any, int] = {}
    for name, table in rows.items():
        columns = BASE[name].columns if name in BASE else {}
        for row in table:
            if "line_id" in columns and row.get("line") is not None:
                row.setdefault("line_id", lines.setdefault(_key(row, *_LINE), len(lines)))
            if "attribute_id" in columns:
                row.setdefault("attribute_id", attributes.setdefault(_key(row, *_ATTRIBUTE), len(attributes)))
            if "box_id" in columns:
                row.setdefault("box_id", boxes.setdefault(_key(row, *_ATTRIBUTE, "box"), len(boxes)))


def _key(row: Row, *columns: str) -> tuple[Any, ...]:
    """The values of some columns, with defaults where a row does not give them."""
    defaults = BASE["boxes"].columns
    return tuple(row.get(column, defaults[column].default) for column in columns)


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
    """Tables from partial rows. Columns that are not given take their default; rows of derived tables must be whole."""
    frames = {}
    for name, table in rows.items():
        if name not in BASE:
            frames[name] = DataFrame([{"data_set": 0, **row} for row in table]).with_columns(
                col("^(data_set|line|box|line_id|box_id)$").cast(pl.Int32)
            )
            continue
        measured = {f.name: Column(IMAGE_VALUES[f.dtype], "") for f in features.values() if f.of == name and f.dtype}
        columns = {**BASE[name].columns, **measured}
        for row in table:
            if unknown := set(row) - set(columns):
                raise ValueError(f"the table {name} has no column {min(unknown)}")
        filled = [{key: row.get(key, column.default) for key, column in columns.items()} for row in table]
        frames[name] = DataFrame(filled, schema={key: column.dtype for key, column in columns.items()})
    return frames


def manifest_lines(example: Example) -> list[str]:
    """An example as lines of a manifest, for pages; empty if it has rows of tables other than lines, labels and boxes.

    Reading these lines gives the rows of the example.
    """
    if any(text is not None for text in example.manifests.values()):
        return [line for text in example.manifests.values() if text is not None for line in text.splitlines()]
    if not example.rows.keys() <= {"labels", "boxes", "lines"}:
        return []
    rows = _with_parents(example.rows)
    lines: dict[int, dict[str, Any]] = {}
    for row in rows.get("lines", []):
        lines[row["line_id"]] = {"source-ref": row.get("source_ref", BASE["lines"].columns["source_ref"].default)}
    frames = _complete(rows, {})
    for label in frames.get("labels", BASE["labels"].empty()).iter_rows(named=True):
        lines[label["line_id"]] |= _label_of(label)
    boxes = frames.get("boxes", BASE["boxes"].empty())
    for part in boxes.partition_by("attribute_id", maintain_order=True):
        lines[part["line_id"][0]] |= _boxes_of(part)
    return [json.dumps(line, ensure_ascii=False) for line in lines.values()]


def _label_of(label: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {"class-name": label["label"], "confidence": label["confidence"]} | _metadata("classification")
    return {label["attribute"]: 0, f"{label['attribute']}-metadata": metadata}


def _boxes_of(boxes: DataFrame) -> dict[str, Any]:
    names = boxes["label"].unique(maintain_order=True).to_list()
    sides = boxes.select("label", *(col(side).cast(pl.Int64) for side in RECTANGLE))
    annotations = [{"class_id": names.index(label), **box} for box in sides.to_dicts() if (label := box.pop("label"))]
    size = {"width": boxes["image_width"][0], "height": boxes["image_height"][0], "depth": 3}
    metadata = {
        "objects": [{"confidence": confidence} for confidence in boxes["confidence"]],
        "class-map": {str(n): name for n, name in enumerate(names)},
        **_metadata("detection"),
    }
    name = boxes["attribute"][0]
    return {name: {"image_size": [size], "annotations": annotations}, f"{name}-metadata": metadata}


def _metadata(kind: str) -> dict[str, str]:
    return {
        "type": f"groundtruth/{_TASKS[kind]}",
        "human-annotated": "yes",
        "creation-date": "2024-05-02T10:11:12",
        "job-name": "labeling-job/animals",
    }
