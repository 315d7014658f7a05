"""Fixes of findings, applied to the bytes of manifests."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl
from polars import DataFrame, col

from groundlint.engine.edits import Operation
from groundlint.engine.findings import SEVERITIES
from groundlint.engine.rule import Safety
from groundlint.fixes.json_text import NotApplicable, TextEdit, edited

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

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
    removals = [edit for parts in fixes_of for edits in parts.values() for edit in edits if edit.operation in _REMOVALS]
    doomed = {name for name, manifest in manifests.items() if manifest.would_be_empty(removals)}
    fixed = 0
    for parts in fixes_of:
        if all(
            name in manifests and manifests[name].accepts(edits, may_remove=name not in doomed)
            for name, edits in parts.items()
        ):
            fixed += 1
            for name, edits in parts.items():
                manifests[name].add(edits)
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
    pairs: dict[int, tuple[Edit, Edit]] = {}
    for row, edits in enumerate(findings["edits"].to_list()):
        of = {edit["operation"]: Edit(**edit) for edit in edits or ()}
        if Operation.REMOVE_COPY in of and Operation.KEEP_LINE in of:
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


@dataclass
class _Line:
    """What is planned for one line. `inner` are the pointers that lead to or through what is edited."""

    edits: dict[tuple[str, ...], TextEdit] = field(default_factory=dict)
    inner: set[tuple[str, ...]] = field(default_factory=set)
    is_removed: bool = False
    is_kept: bool = False


class _Manifest:
    """A manifest and the edits that are planned for it."""

    def __init__(self, data: bytes) -> None:
        self._mark = BYTE_ORDER_MARK if data.startswith(BYTE_ORDER_MARK) else b""
        *whole, rest = data[len(self._mark) :].split(b"\n")
        # Each with its line feed, because the last one may have none.
        self._lines = [line + b"\n" for line in whole] + ([rest] if rest else [])
        self._planned: dict[int, _Line] = {}
        self._of_file: set[str] = set()

    def would_be_empty(self, removals: Iterable[Edit]) -> bool:
        """Whether some edits together would remove all lines that are not blank."""
        removed = {edit.line for edit in removals}
        return all(n in removed for n, raw in enumerate(self._lines, 1) if raw.strip())

    def accepts(self, edits: Sequence[Edit], *, may_remove: bool) -> bool:
        """Whether edits of one fix can be made, beside those that are planned.

        Args:
            edits: The edits.
            may_remove: Whether lines that are not blank may be removed.
        """
        texts: dict[int, list[TextEdit]] = defaultdict(list)
        removed = {edit.line for edit in edits if edit.operation in _REMOVALS}
        if any(edit.line in removed and edit.operation not in (*_REMOVALS, *_OF_FILE) for edit in edits):
            return False
        for edit in edits:
            if edit.operation in _OF_FILE:
                continue
            if edit.line is None or not 1 <= edit.line <= len(self._lines):
                return False
            planned = self._planned.get(edit.line, _Line())
            if edit.operation in _REMOVALS:
                if planned.edits or planned.is_kept or (self._lines[edit.line - 1].strip() and not may_remove):
                    return False
            elif planned.is_removed:
                return False
            elif edit.operation != Operation.KEEP_LINE:
                texts[edit.line].append(TextEdit(edit.operation, edit.pointer or "", edit.value))
        return all(self._accepts_in_line(n, those) for n, those in texts.items())

    def add(self, edits: Sequence[Edit]) -> None:
        """Plan edits that are accepted."""
        for edit in edits:
            if edit.operation in _OF_FILE:
                self._of_file.add(edit.operation)
                continue
            planned = self._planned.setdefault(edit.line or 0, _Line())
            if edit.operation in _REMOVALS:
                planned.is_removed = True
            elif edit.operation == Operation.KEEP_LINE:
                planned.is_kept = True
            else:
                text_edit = TextEdit(edit.operation, edit.pointer or "", edit.value)
                steps = text_edit.steps
                planned.edits[steps] = text_edit
                planned.inner |= {steps[:n] for n in range(len(steps))}

    def result(self) -> tuple[bytes, list[int]]:
        """The bytes after all planned edits, and the position that each line had before."""
        ends_in_lf = Operation.END_LINES_IN_LF in self._of_file
        lines, origins = [], []
        for n, raw in enumerate(self._lines):
            planned = self._planned.get(n + 1)
            if planned and planned.is_removed:
                continue
            line = raw
            if planned and planned.edits:
                content, end = _parted(raw)
                line = edited(content.decode(), list(planned.edits.values())).encode() + end
            if ends_in_lf:
                content, end = _parted(line)
                line = content + end.replace(b"\r", b"")
            lines.append(line)
            origins.append(n)
        mark = b"" if Operation.REMOVE_BYTE_ORDER_MARK in self._of_file else self._mark
        return mark + b"".join(lines), origins

    def _accepts_in_line(self, number: int, edits: Sequence[TextEdit]) -> bool:
        planned = self._planned.get(number, _Line())
        new: dict[tuple[str, ...], TextEdit] = {}
        for edit in edits:
            steps = edit.steps
            if planned.edits.get(steps) == edit:
                # Two fixes may agree on an edit.
                continue
            ways = {steps[:n] for n in range(len(steps) + 1)}
            if steps in planned.inner or ways & planned.edits.keys() or ways & new.keys():
                return False
            new[steps] = edit
        content, _ = _parted(self._lines[number - 1])
        try:
            edited(content.decode(), [*planned.edits.values(), *new.values()])
        except (NotApplicable, ValueError, IndexError, RecursionError):
            # What is not valid JSON is not edited.
            return False
        return True


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
    return _parted(raw)[0].removeprefix(BYTE_ORDER_MARK)
