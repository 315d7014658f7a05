"""Tests of rules: their examples, and the properties that every rule must have.

`groundlint test PACKAGE` runs them for an installed package. They are also meant for the package's own test suite.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial

import polars as pl
from polars import DataFrame, col
from polars.exceptions import PolarsError
from pydantic import ValidationError

from groundlint.engine.base_tables import BASE
from groundlint.engine.evaluate import Evaluation, evaluate
from groundlint.engine.examples import Bad, Example, Good
from groundlint.engine.registry import Registry
from groundlint.engine.rule import Rule, inputs
from groundlint.example_tables import Tables, completed, example_tables, together
from groundlint.fixes.manifests import apply, fixes, with_safe_copies

_PLACE = ["manifest", "line", "attribute", "box", "code", "message"]


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
    evaluation = evaluate(registry.graph.plan([rule()]), {"limits": completed({"limits": [{}]}, {})["limits"].lazy()})
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
