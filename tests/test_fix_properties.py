"""Fixes of any manifest: what is not edited stays byte for byte, and a fixed manifest has nothing left to fix."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest
from fixed import contents, fixed
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lines import line_texts
from runs import REGISTRY, checked

from groundlint.engine.edits import Operation
from groundlint.fixes.json_text import NotApplicable, TextEdit, edited
from groundlint.fixes.manifests import Edit, apply, fixes

VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=4), inner, max_size=4)),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.text(max_size=4), VALUES, min_size=1, max_size=5)
SERIALIZED: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " : ")]),
        "ensure_ascii": st.booleans(),
    }
)


def escaped(step: str | int) -> str:
    return str(step).replace("~", "~0").replace("/", "~1")


def places(value: Any, way: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [way] + [place for key, child in children for place in places(child, (*way, key))]


def parent_of(value: Any, way: Sequence[str | int]) -> Any:
    for step in way[:-1]:
        value = value[step]
    return value


@given(st.data(), OBJECTS, VALUES, SERIALIZED)
def test_an_edited_line_is_the_value_edited(data: st.DataObject, value: Any, new: Any, style: dict[str, Any]) -> None:
    way = data.draw(st.sampled_from(places(value)[1:]))
    operation = data.draw(st.sampled_from([Operation.SET, Operation.REMOVE, Operation.RENAME]))
    text = json.dumps(value, **style)
    pointer = "".join(f"/{escaped(step)}" for step in way)
    expected = json.loads(json.dumps(value))
    parent = parent_of(expected, way)
    if operation == Operation.SET:
        parent[way[-1]] = new
        argument = json.dumps(new)
    elif operation == Operation.REMOVE:
        del parent[way[-1]]
        argument = None
    else:
        argument = data.draw(st.text(max_size=4))
        if not isinstance(parent, dict) or argument in parent:
            with pytest.raises(NotApplicable):
                edited(text, [TextEdit(operation, pointer, argument)])
            return
        renamed = {argument if key == way[-1] else key: part for key, part in parent.items()}
        parent.clear()
        parent.update(renamed)
    assert json.dumps(json.loads(edited(text, [TextEdit(operation, pointer, argument)]))) == json.dumps(expected)


@given(OBJECTS, SERIALIZED, st.data())
def test_any_members_of_an_object_or_list_can_be_removed_at_once(
    value: dict[str, Any], style: dict[str, Any], data: st.DataObject
) -> None:
    removed = data.draw(st.sets(st.sampled_from(list(value))))
    text = json.dumps(value, **style)
    edits = [TextEdit(Operation.REMOVE, f"/{escaped(key)}") for key in removed]
    expected = {key: part for key, part in value.items() if key not in removed}
    assert json.dumps(json.loads(edited(text, edits))) == json.dumps(expected)
    entries = list(value.values())
    gone = data.draw(st.sets(st.integers(0, len(entries) - 1)))
    text = json.dumps({"a": entries}, **style)
    edits = [TextEdit(Operation.REMOVE, f"/a/{n}") for n in gone]
    kept = [entry for n, entry in enumerate(entries) if n not in gone]
    assert json.dumps(json.loads(edited(text, edits))["a"]) == json.dumps(kept)


@given(OBJECTS, SERIALIZED, st.text(max_size=5), VALUES, st.lists(VALUES, max_size=3))
def test_keys_and_entries_can_be_added(
    value: dict[str, Any], style: dict[str, Any], key: str, new: Any, more: list[Any]
) -> None:
    text = json.dumps({"o": value, "l": more}, **style)
    edits = [
        TextEdit(Operation.SET, f"/o/{escaped(key)}", json.dumps(new)),
        *(TextEdit(Operation.SET, f"/l/{len(more) + n}", str(n)) for n in range(2)),
    ]
    expected = {"o": value | {key: new}, "l": [*more, 0, 1]}
    assert json.dumps(json.loads(edited(text, edits))) == json.dumps(expected)


def test_a_key_is_renamed_in_all_entries_of_a_list_that_have_it() -> None:
    text = '{"l": [{"a": 1}, {"b": 2}, 7, {"a" : 3, "b": 4}, {"x": [{"a": 5}], "a": 6}]}'
    renamed = '{"l": [{"b": 1}, {"b": 2}, 7, {"a" : 3, "b": 4}, {"x": [{"a": 5}], "b": 6}]}'
    assert edited(text, [TextEdit(Operation.RENAME_IN_ENTRIES, "/l/a", "b")]) == renamed
    for pointer in ("/l/c", "/l/0/a"):
        with pytest.raises(NotApplicable):
            edited(text, [TextEdit(Operation.RENAME_IN_ENTRIES, pointer, "b")])


@pytest.mark.parametrize(
    ("text", "pointer"),
    [
        ('{"a": 1, "a": 2}', "/a"),
        ('{"b": 1}', "/a"),
        ('{"a": 1}', "/a/b"),
        ('{"a": [1]}', "/a/3"),
        ("[1]", "/a"),
        ("7", "/a"),
        ('{"a": 1}', ""),
    ],
    ids=["key twice", "no key", "not an object", "no entry", "key of a list", "neither", "the line"],
)
def test_an_edit_without_a_place_is_refused(text: str, pointer: str) -> None:
    with pytest.raises(NotApplicable):
        edited(text, [TextEdit(Operation.REMOVE, pointer)])


def edit(
    operation: Operation, pointer: str | None = None, value: str | None = None, *, line: int = 1, of: str = "a"
) -> Edit:
    return Edit(of, line, operation, pointer, value)


DATA = {"a": b'{"x": {"y": 1.0, "z": 2}}\n{"x": 3}\n', "b": b'{"x": 1}\n'}
SET_Y = edit(Operation.SET, "/x/y", "5")


@pytest.mark.parametrize(
    ("other", "is_applied"),
    [
        (edit(Operation.SET, "/x/z", "7"), True),
        (edit(Operation.SET, "/x/y", "5"), True),
        (edit(Operation.SET, "/x/y", "6"), False),
        (edit(Operation.REMOVE, "/x"), False),
        (edit(Operation.RENAME, "/x", "w"), False),
        (edit(Operation.RENAME_IN_ENTRIES, "/x/y", "w"), False),
        (edit(Operation.REMOVE_LINE), False),
        (edit(Operation.KEEP_LINE), True),
        (edit(Operation.REMOVE_LINE, line=2), True),
        (edit(Operation.REMOVE_LINE, line=9), False),
        (edit(Operation.REMOVE_LINE, of="c"), False),
        (edit(Operation.SET, "/x/y", "5", of="b"), False),
    ],
)
def test_a_fix_waits_for_an_earlier_one_on_the_same_place(other: Edit, is_applied: bool) -> None:
    applied = apply(DATA, [[SET_Y], [other]])
    assert applied.fixed == 1 + is_applied
    assert b'"y": 5, "z"' in applied.contents["a"]


def test_a_renamed_key_is_not_added_by_another_fix() -> None:
    renamed, added = edit(Operation.RENAME, "/x/y", "w"), edit(Operation.SET, "/x/w", "1")
    for first, second in ((renamed, added), (added, renamed)):
        assert apply(DATA, [[first], [second]]).fixed == 1
    assert apply(DATA, [[renamed], [renamed]]).contents["a"].startswith(b'{"x": {"w": 1.0, "z": 2}}')


def test_a_fix_is_applied_as_a_whole_or_not_at_all() -> None:
    both = [edit(Operation.SET, "/x", "9", of="b"), edit(Operation.SET, "/x/y", "6")]
    assert apply(DATA, [[SET_Y], both]).contents.keys() == {"a"}
    kept = [edit(Operation.REMOVE_LINE, line=2), edit(Operation.KEEP_LINE, line=1)]
    removal = [edit(Operation.REMOVE_LINE, line=1)]
    data = {"a": b"1\n2\n3\n"}
    assert apply(data, [kept, removal]).contents == {"a": b"1\n3\n"}
    assert apply(data, [removal, kept]).contents == {"a": b"2\n3\n"}
    assert apply({"a": b"1\n2\n"}, [[edit(Operation.REMOVE_LINE, line=n)] for n in (1, 2)]).contents == {}
    of_both = [[edit(Operation.REMOVE_LINE, line=1)], [edit(Operation.REMOVE_LINE, line=2, of="b")]]
    assert apply({"a": b"1\n2\n", "b": b"3\n4\n"}, of_both).contents == {"a": b"2\n", "b": b"3\n"}


CODES = [code for code, rule in REGISTRY.rules.items() if rule.fixes and code[:3] in ("MAN", "REF", "LBL", "BOX")]
MANIFESTS = st.tuples(
    st.lists(line_texts(), min_size=1, max_size=8), st.sampled_from(["\n", "\r\n"]), st.booleans(), st.booleans()
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MANIFESTS, st.booleans())
def test_any_manifest_is_fixed_line_by_line_and_once(
    tmp_path_factory: pytest.TempPathFactory, made: tuple[list[str], str, bool, bool], unsafe: bool
) -> None:
    texts, end, has_mark, has_end = made
    data = (b"\xef\xbb\xbf" if has_mark else b"") + end.join([*texts, *([""] if has_end else [])]).encode()
    path = tmp_path_factory.mktemp("any") / "a.manifest"
    path.write_bytes(data)
    name, select, current = str(path), {"select": CODES}, data
    result = contents(fixed(name, unsafe=unsafe, **select)).get(name, data)
    # Each round changes only lines that a finding of this round edits.
    while True:
        findings = checked(name, **select).findings
        edited_lines = {edit["line"] for edits in findings["edits"].drop_nulls().to_list() for edit in edits}
        applied = apply({name: current}, fixes(findings, unsafe=unsafe))
        if not applied.contents:
            break
        before, current = normal(current), applied.contents[name]
        for n, line in zip(applied.origins[name], normal(current), strict=True):
            assert line == before[n] or n + 1 in edited_lines
        path.write_bytes(current)
    assert current == result
    assert contents(fixed(name, unsafe=unsafe, **select)) == {}


def normal(data: bytes) -> list[bytes]:
    """Lines without their ends and without the mark of the file, which have fixes of their own."""
    *whole, rest = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [line.rstrip(b"\r") for line in [*whole, *([rest] if rest else [])]]
