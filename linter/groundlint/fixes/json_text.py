"""Edits of the text of one line of JSON. Whatever is not edited stays as it is written: order, numbers and spaces."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from groundlint.engine.edits import Operation

# Numbers are skipped, not converted: they may have more digits than Python converts.
_DECODER = json.JSONDecoder(parse_int=str, parse_float=str)
_SPACES = (" ", "\t", "\r", "\n")


class NotApplicable(Exception):
    """An edit cannot be made: its place is not in the line, or is ambiguous."""


class TextEdit(NamedTuple):
    """An edit within a line: JSON pointer, and the new value as JSON text or the new key."""

    operation: str
    pointer: str
    value: str | None = None

    @property
    def steps(self) -> tuple[str, ...]:
        """The keys and positions of the pointer, outermost first."""
        return tuple(step.replace("~1", "/").replace("~0", "~") for step in self.pointer.split("/")[1:])

    @property
    def places(self) -> tuple[tuple[str, ...], ...]:
        """The steps to all that is edited: of a key that is renamed, also those to its new name."""
        if self.operation == Operation.RENAME_IN_ENTRIES:
            return (self.steps[:-1],)
        if self.operation == Operation.RENAME:
            return (self.steps, (*self.steps[:-1], str(self.value)))
        return (self.steps,)


class _Member(NamedTuple):
    """A key with its value, or an entry of a list: the positions where it begins and ends, and where its value begins.

    `key_end` is the end of the key; an entry of a list has none.
    """

    key: str
    start: int
    key_end: int
    value: int
    end: int


class _Container(NamedTuple):
    """An object or list: the position of its opening bracket, and its members."""

    start: int
    members: tuple[_Member, ...]
    is_object: bool


def edited(text: str, edits: Sequence[TextEdit]) -> str:
    """Return a line after edits, none of which is within another.

    Args:
        text: The line, valid JSON.
        edits: The edits.

    Raises:
        NotApplicable: The line does not have the place of an edit, or has a key twice on the way to it, or has the key
            that another one is to be renamed to.
    """
    line = _Line(text)
    changes: list[tuple[int, int, str]] = []
    removed: dict[int, set[int]] = defaultdict(set)
    added: dict[int, list[str]] = defaultdict(list)
    for edit in edits:
        if not edit.steps:
            raise NotApplicable("an edit needs a key or a position")
        *way, last = edit.steps
        container = line.container(way)
        if edit.operation == Operation.RENAME_IN_ENTRIES:
            changes += line.renamed_in_entries(container, last, str(edit.value))
            continue
        position = _position(container, last)
        if edit.operation == Operation.REMOVE:
            if position is None:
                raise NotApplicable(edit.pointer)
            removed[container.start].add(position)
        elif edit.operation == Operation.RENAME:
            if position is None or not container.is_object or _position(container, str(edit.value)) is not None:
                raise NotApplicable(edit.pointer)
            member = container.members[position]
            changes.append((member.start, member.key_end, line.quoted(str(edit.value))))
        elif position is not None:
            member = container.members[position]
            changes.append((member.value, member.end, str(edit.value)))
        elif container.is_object:
            added[container.start].append(f"{line.quoted(last)}{line.colon(container)}{edit.value}")
        elif last == str(len(container.members) + len(added[container.start])):
            added[container.start].append(str(edit.value))
        else:
            raise NotApplicable(edit.pointer)
    for start in {*removed, *added}:
        changes += line.changed_members(start, removed[start], added[start])
    for start, end, new in sorted(changes, reverse=True):
        text = text[:start] + new + text[end:]
    return text


class _Line:
    """A line of JSON, whose objects and lists are located as they are needed."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._containers: dict[int, _Container] = {}

    def container(self, way: Sequence[str]) -> _Container:
        """The object or list at the end of a way of keys and positions."""
        at = _skip_space(self._text, 0)
        for step in way:
            container = self._container_at(at)
            position = _position(container, step)
            if position is None:
                raise NotApplicable(step)
            at = container.members[position].value
        return self._container_at(at)

    def quoted(self, key: str) -> str:
        """A key as JSON text, in ASCII if the line is."""
        return json.dumps(key, ensure_ascii=self._text.isascii())

    def colon(self, container: _Container) -> str:
        """What stands between a key and its value."""
        if not container.members:
            return ": "
        last = container.members[-1]
        return self._text[last.key_end : last.value]

    def renamed_in_entries(self, entries: _Container, key: str, new: str) -> list[tuple[int, int, str]]:
        """The changes of the text that rename a key in the objects of a list."""
        changes = []
        for entry in () if entries.is_object else entries.members:
            if self._text[entry.value] != "{":
                continue
            container = self._container_at(entry.value)
            position = _position(container, key)
            if position is not None and _position(container, new) is None:
                member = container.members[position]
                changes.append((member.start, member.key_end, self.quoted(new)))
        if not changes:
            raise NotApplicable(f"no entry of the list has the key {key}")
        return changes

    def changed_members(self, start: int, removed: set[int], added: list[str]) -> list[tuple[int, int, str]]:
        """The changes of the text that remove some members of the object or list at a position and add others."""
        members = self._containers[start].members
        changes, is_any_kept = [], False
        for n, member in enumerate(members):
            if n not in removed:
                is_any_kept = True
            elif is_any_kept:
                changes.append((members[n - 1].end, member.end, ""))
            else:
                changes.append((member.start, members[n + 1].start if n + 1 < len(members) else member.end, ""))
        if added:
            comma = self._text[members[-2].end : members[-1].start] if len(members) > 1 else ", "
            end = members[-1].end if members else start + 1
            changes.append((end, end, (comma if is_any_kept else "") + comma.join(added)))
        return changes

    def _container_at(self, at: int) -> _Container:
        if at not in self._containers:
            self._containers[at] = self._read_container(at)
        return self._containers[at]

    def _read_container(self, start: int) -> _Container:
        text = self._text
        is_object = text[start : start + 1] == "{"
        if not is_object and text[start : start + 1] != "[":
            raise NotApplicable(f"no object or list at {start}")
        members: list[_Member] = []
        at = _skip_space(text, start + 1)
        while text[at] not in "}]":
            begin = key_end = at
            key = str(len(members))
            if is_object:
                key, key_end = _DECODER.raw_decode(text, at)
                at = _skip_space(text, _skip_space(text, key_end) + 1)
            _, end = _DECODER.raw_decode(text, at)
            members.append(_Member(key, begin, key_end, at, end))
            at = _skip_space(text, end)
            if text[at] == ",":
                at = _skip_space(text, at + 1)
        return _Container(start, tuple(members), is_object)


def _position(container: _Container, key: str) -> int | None:
    """The position of the member with a key; None if there is none."""
    found = [n for n, member in enumerate(container.members) if member.key == key]
    if len(found) > 1:
        raise NotApplicable(f"the key {key} is not unique")
    return found[0] if found else None


def _skip_space(text: str, at: int) -> int:
    # Most texts have a single space or none.
    while text[at : at + 1] in _SPACES:
        at += 1
    return at
