"""Fixes of findings, applied to the bytes of manifests."""

from __future__ import annotations

from codecs import BOM_UTF8
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

import polars as pl
from polars import DataFrame, col

from groundlint.engine.edits import Operation
from groundlint.engine.findings import SEVERITIES
from groundlint.engine.rule import Safety
from groundlint.fixes.json_text import NotApplicable, TextEdit, edited
from groundlint.manifest.physical_lines import split_lines

_REMOVALS = (Operation.REMOVE_LINE, Operation.REMOVE_COPY)
_OF_FILE = (Operation.REMOVE_BYTE_ORDER_MARK, Operation.END_LINES_IN_LF)

RawLines = Callable[[str, Collection[int]], Mapping[int, bytes]]
"""The bytes of some lines of a manifest, by their number; those that cannot be read are missing."""


class Edit(NamedTuple):
    """One edit of a manifest; `line` is from 1, and means nothing for an edit of the file as a whole."""

    manifest: str
    line: int | None
    operation: str
    pointer: str | None
    value: str | None


class Applied(NamedTuple):
    """What fixes made of manifests.

    `contents` has the bytes of those that changed, `origins` for each of their lines the position that it had before,
    from 0. `fixed` is the number of findings whose fix was applied.
    """

    contents: dict[str, bytes]
    origins: dict[str, list[int]]
    fixed: int


def fixes(findings: DataFrame, *, unsafe: bool) -> list[tuple[Edit, ...]]:
    """Return the edits of each fix, in the order in which fixes are tried.

    Safe fixes come first, then those that repair something, then those that remove lines: a line that can be repaired
    is not removed. Within each, errors come first, then the order of findings decides.

    Args:
        findings: Findings with `edits` and `fix`, in order.
        unsafe: Whether unsafe fixes are wanted too.
    """
    wanted = [Safety.SAFE.value, Safety.UNSAFE.value] if unsafe else [Safety.SAFE.value]
    operations = col("edits").list.eval(pl.element().struct.field("operation"))
    rows = findings.filter(col("fix").is_in(wanted)).sort(
        col("fix") == Safety.UNSAFE.value,
        operations.list.eval(pl.element().is_in([each.value for each in _REMOVALS])).list.any(),
        col("severity").cast(SEVERITIES),
        maintain_order=True,
    )
    return [tuple(Edit(**edit) for edit in edits) for edits in rows["edits"].to_list()]


def apply(contents: Mapping[str, bytes], wanted: Iterable[Sequence[Edit]]) -> Applied:
    """Apply fixes to manifests.

    A fix is applied as a whole or not at all. It is left for the next time if it edits what an earlier one edits too.
    Never are all lines of a manifest removed.

    Args:
        contents: The bytes of manifests by name.
        wanted: The edits of each fix.
    """
    fixes_of = [_by_manifest(fix) for fix in wanted]
    named = {name for parts in fixes_of for name in parts}
    manifests = {name: _Manifest(contents[name]) for name in sorted(named & contents.keys())}
    fixed = 0
    removals = {
        name: [edit for parts in fixes_of for edit in parts.get(name, ()) if edit.operation in _REMOVALS]
        for name in manifests
    }
    doomed = {name for name, manifest in manifests.items() if manifest.would_be_empty(removals[name])}
    for parts in fixes_of:
        plans: dict[str, _Plan] = {}
        for name, edits in parts.items():
            plan = manifests[name].plan(edits, may_remove=name not in doomed) if name in manifests else None
            if plan is None:
                break
            plans[name] = plan
        else:
            fixed += 1
            for name, edits in parts.items():
                manifests[name].add(edits, plans[name])
    changed, origins = {}, {}
    for name, manifest in manifests.items():
        data, kept = manifest.result()
        if data != contents[name]:
            changed[name], origins[name] = data, kept
    return Applied(changed, origins, fixed)


def with_safe_copies(findings: DataFrame, raw_lines: RawLines) -> DataFrame:
    """Return findings in which a fix that removes a copy is safe where the line has the same bytes as its original.

    Args:
        findings: Findings with `edits` and `fix`.
        raw_lines: Gives lines of manifests.
    """
    is_copy = pl.element().struct.field("operation") == Operation.REMOVE_COPY.value
    with_copies = findings["edits"].list.eval(is_copy).list.any().fill_null(value=False).arg_true()
    pairs: dict[int, tuple[Edit, Edit]] = {}
    for row, edits in zip(with_copies, findings["edits"].gather(with_copies).to_list(), strict=True):
        of = {edit["operation"]: Edit(**edit) for edit in edits}
        if Operation.KEEP_LINE in of:
            pairs[row] = (of[Operation.REMOVE_COPY], of[Operation.KEEP_LINE])
    if not pairs:
        return findings
    numbers: dict[str, set[int]] = defaultdict(set)
    for edit in (edit for pair in pairs.values() for edit in pair):
        numbers[edit.manifest].add(edit.line or 0)
    lines = {name: raw_lines(name, those) for name, those in numbers.items()}
    same = {
        row
        for row, (copy, first) in pairs.items()
        if (raw := lines[copy.manifest].get(copy.line or 0)) is not None
        and _content(raw) == _content(lines[first.manifest].get(first.line or 0, b""))
    }
    is_same = pl.Series([row in same for row in range(findings.height)], dtype=pl.Boolean)
    return findings.with_columns(fix=pl.when(is_same).then(pl.lit(Safety.SAFE.value)).otherwise("fix"))


class _Line(NamedTuple):
    """What is planned for one line: its edits by their place, and its text after them; None where it has none.

    `above` are the places of all that holds something that is edited.
    """

    edits: Mapping[tuple[str, ...], TextEdit] = {}
    above: Set[tuple[str, ...]] = frozenset()
    text: str | None = None
    is_removed: bool = False
    is_kept: bool = False

    def edited(self, raw: bytes, edits: Iterable[TextEdit]) -> _Line | None:
        """The line with further edits; None if they cannot be made, or meet those that are planned."""
        planned = dict(self.edits)
        above = set(self.above)
        for edit in edits:
            for place in edit.places:
                # Two fixes may agree on an edit.
                if planned.get(place) == edit:
                    continue
                ways = {place[:n] for n in range(len(place))}
                if place in above or place in planned or ways & planned.keys():
                    return None
                planned[place] = edit
                above |= ways
        try:
            text = edited(_parted(raw)[0].decode(), list(dict.fromkeys(planned.values())))
        except (NotApplicable, ValueError, IndexError, RecursionError):
            # What is not valid JSON is not edited.
            return None
        return self._replace(edits=planned, above=above, text=text)


_Plan = dict[int, _Line]
"""What is planned for lines, by their number."""


class _Manifest:
    """A manifest and what is planned for it."""

    def __init__(self, data: bytes) -> None:
        self._mark = BOM_UTF8 if data.startswith(BOM_UTF8) else b""
        self._lines = split_lines(data.removeprefix(BOM_UTF8))
        self._plan: _Plan = {}
        self._of_file: set[str] = set()

    def would_be_empty(self, removals: Iterable[Edit]) -> bool:
        """Whether some edits together would remove all lines that are not blank."""
        removed = {edit.line for edit in removals}
        return all(n in removed for n, raw in enumerate(self._lines, 1) if raw.strip())

    def plan(self, edits: Iterable[Edit], *, may_remove: bool) -> _Plan | None:
        """What a fix changes in the plan; None if it cannot be applied.

        Args:
            edits: The edits of the fix.
            may_remove: Whether lines that are not blank may be removed.
        """
        of_line: dict[int, list[Edit]] = defaultdict(list)
        for edit in edits:
            if edit.operation not in _OF_FILE:
                of_line[edit.line or 0].append(edit)
        plan: _Plan = {}
        for number, those in of_line.items():
            line = self._planned(number, those, may_remove=may_remove)
            if line is None:
                return None
            plan[number] = line
        return plan

    def add(self, edits: Iterable[Edit], plan: _Plan) -> None:
        """Apply a fix, with the plan that was made for it."""
        self._plan |= plan
        self._of_file |= {edit.operation for edit in edits if edit.operation in _OF_FILE}

    def result(self) -> tuple[bytes, list[int]]:
        """The bytes after all planned edits, and the position that each line had before."""
        ends_in_lf = Operation.END_LINES_IN_LF in self._of_file
        lines, origins = [], []
        for n, raw in enumerate(self._lines):
            planned = self._plan.get(n + 1, _Line())
            if planned.is_removed:
                continue
            content, end = _parted(raw)
            if planned.text is not None:
                content = planned.text.encode()
            lines.append(content + (end.replace(b"\r", b"") if ends_in_lf else end))
            origins.append(n)
        mark = b"" if Operation.REMOVE_BYTE_ORDER_MARK in self._of_file else self._mark
        return mark + b"".join(lines), origins

    def _planned(self, number: int, edits: Sequence[Edit], *, may_remove: bool) -> _Line | None:
        """A line with the edits of one fix; None if they cannot be made."""
        if not 1 <= number <= len(self._lines):
            return None
        planned, raw = self._plan.get(number, _Line()), self._lines[number - 1]
        operations = {edit.operation for edit in edits}
        if operations & set(_REMOVALS):
            is_free = not planned.edits and not planned.is_kept and operations <= set(_REMOVALS)
            return planned._replace(is_removed=True) if is_free and (may_remove or not raw.strip()) else None
        if planned.is_removed:
            return None
        if Operation.KEEP_LINE in operations:
            planned = planned._replace(is_kept=True)
        inner = [
            TextEdit(edit.operation, edit.pointer or "", edit.value)
            for edit in edits
            if edit.operation != Operation.KEEP_LINE
        ]
        return planned.edited(raw, inner) if inner else planned


def _by_manifest(edits: Iterable[Edit]) -> dict[str, list[Edit]]:
    parts: dict[str, list[Edit]] = defaultdict(list)
    for edit in edits:
        parts[edit.manifest].append(edit)
    return parts


def _parted(raw: bytes) -> tuple[bytes, bytes]:
    """A line and its end."""
    content = raw.removesuffix(b"\n").rstrip(b"\r")
    return content, raw[len(content) :]


def _content(raw: bytes) -> bytes:
    """A line without its end and without the mark that a file may begin with."""
    return _parted(raw)[0].removeprefix(BOM_UTF8)
