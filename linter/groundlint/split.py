"""Split of a manifest into training and test lines, by label, with duplicates and frames of a film kept together."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars import DataFrame, col

from groundlint.config.data_sets import UsageError
from groundlint.engine.evaluate import MadeNote, Workspace, collected
from groundlint.engine.registry import Registry
from groundlint.manifest.physical_lines import movable_lines, read_bytes
from groundlint.session import Session, no_images_note
from groundlint.stratification import Group, choose

SPLIT_GROUPS = "split_groups"
"""The derived table that says which images belong into one part."""

_IMAGE = ("data_set", "source_ref")


class LabelCount(NamedTuple):
    """A label, and the number of lines of each part that have it."""

    label: str
    train: int
    test: int


class Split(NamedTuple):
    """The text of both parts, their numbers of lines, and what they have in common.

    `labels` are by name. `groups` is the number of groups of several lines that were kept together, `grouped` that of
    their lines, and `blank` that of the lines that are in no part because they are blank.
    """

    train: bytes
    test: bytes
    train_lines: int
    test_lines: int
    labels: list[LabelCount]
    groups: int
    grouped: int
    blank: int
    notes: list[MadeNote]


def split(registry: Registry, session: Session, manifest: Path, share: float, *, fast: bool = False) -> Split:
    """Split the lines of a manifest, which is the only one of a session.

    Lines keep their bytes and their order; a byte order mark is left out. The parts do not depend on the order of the
    lines.

    Args:
        registry: The installed rules and tables.
        session: The run that reads the manifest and measures its images.
        manifest: The manifest.
        share: Share of the lines that is wanted in the test part, between 0 and 1.
        fast: Whether to do without neural networks, which find similar images.

    Raises:
        UsageError: The manifest cannot be split.
        UnreadableFile: The manifest cannot be read.
    """
    plan = registry.graph.plan((), tables=[SPLIT_GROUPS], fast=fast)
    loaded = session.load(plan)
    if loaded.unread:
        raise UsageError(loaded.unread[0])
    lines = loaded.tables["lines"]
    if lines.is_empty():
        raise UsageError(f"{manifest}: no line can be read; `groundlint check` says why")
    workspace = Workspace(plan, loaded.lazy)
    groups = collected(workspace.table(SPLIT_GROUPS))
    named = lines.filter(col("source_ref").is_not_null()).join(groups, on=_IMAGE, how="left")
    key_of_line = dict(named.select("line", pl.coalesce("group", "source_ref")).iter_rows())
    labels_of_line = _labels_of_lines(loaded.tables)

    texts = movable_lines(read_bytes(manifest))
    keys = {
        number: key_of_line.get(number) or hashlib.sha256(text.strip()).hexdigest()
        for number, text in enumerate(texts, 1)
        if text.strip()
    }
    sizes = Counter(keys.values())
    if len(sizes) < 2:
        why = "it has only one line" if len(keys) == 1 else "all lines show one image, its duplicates or one film"
        raise UsageError(f"{manifest}: there is nothing to split: {why}")
    of_group: dict[str, Counter[str]] = {}
    for number, labels in labels_of_line.items():
        of_group.setdefault(keys[number], Counter()).update(labels)
    tested = choose([Group(key, size, of_group.get(key, {})) for key, size in sizes.items()], share)
    train, test = Counter[str](), Counter[str]()
    for key, counts in of_group.items():
        (test if key in tested else train).update(counts)
    parts = {
        part: [texts[number - 1] for number, key in keys.items() if (key in tested) == part] for part in (False, True)
    }
    kept = [size for size in sizes.values() if size > 1]
    note = no_images_note(loaded)
    return Split(
        train=b"".join(parts[False]),
        test=b"".join(parts[True]),
        train_lines=len(parts[False]),
        test_lines=len(parts[True]),
        labels=[LabelCount(label, train[label], test[label]) for label in sorted(train | test)],
        groups=len(kept),
        grouped=sum(kept),
        blank=len(texts) - len(keys),
        notes=[*([note] if note else []), *loaded.notes],
    )


def _labels_of_lines(tables: Mapping[str, DataFrame]) -> dict[int, list[str]]:
    """The distinct labels of each line, of images and of boxes."""
    names = [tables[name].select("line", "label") for name in ("labels", "boxes")]
    known = pl.concat(names).filter(col("label").is_not_null()).unique()
    return dict(known.group_by("line").agg("label").iter_rows())
