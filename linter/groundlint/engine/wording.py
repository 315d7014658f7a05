"""Sentences made of columns, with correct plurals."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from string import Formatter
from typing import Any

import polars as pl
from polars import Expr, lit

from groundlint.phrases import number_of, plural

_COUNTED = "# "


def worded(template: str, *values: str | Expr) -> Expr:
    """A template with columns or expressions in place of each `{}`: one sentence per row, null where a value is null.

    It replaces `pl.format`, which in polars 2.1 panics on a column of several chunks.

    Raises:
        ValueError: There are more or fewer values than places.
    """
    texts = re.split(r"\{\}", template)
    if len(texts) != len(values) + 1:
        raise ValueError(f"{template!r} has {len(texts) - 1} places for {len(values)} values")
    parts = [lit(texts[0])]
    for value, text in zip(values, texts[1:], strict=True):
        parts += [pl.col(value) if isinstance(value, str) else value, lit(text)]
    return pl.concat_str(parts)


def counted(count: str | Expr, noun: str) -> Expr:
    """A number with its noun, as "1 image" or "2 images"."""
    number = pl.col(count) if isinstance(count, str) else count
    return worded("{} {}", number, pl.when(number == 1).then(lit(noun)).otherwise(lit(plural(noun))))


class Sentence:
    """A format string in which `{images:# image}` becomes "1 image" or "17 images"."""

    def __init__(self, template: str) -> None:
        self.fields: set[str] = set()
        self._nouns: dict[str, tuple[str, str]] = {}
        parts = []
        for text, name, spec, conversion in Formatter().parse(template):
            parts.append(text.replace("{", "{{").replace("}", "}}"))
            if name is None:
                continue
            self.fields.add(name)
            if spec and spec.startswith(_COUNTED):
                key = f"{name}_{len(self._nouns)}_counted"
                self._nouns[key] = (name, spec.removeprefix(_COUNTED))
                parts.append(f"{{{key}}}")
            else:
                parts.append(f"{{{name}{f'!{conversion}' if conversion else ''}{f':{spec}' if spec else ''}}}")
        self._template = "".join(parts)

    def texts(self, rows: Iterable[Mapping[str, Any]], constants: Mapping[str, Any]) -> list[str]:
        """The sentence for each row of values, with constants that are the same for all."""
        template, nouns = self._template, self._nouns
        if not nouns:
            return [template.format(**row, **constants) for row in rows]
        made = []
        for row in rows:
            values = {**row, **constants}
            numbers = {key: number_of(values[name], noun) for key, (name, noun) in nouns.items()}
            made.append(template.format(**values, **numbers))
        return made
