"""The images of a data set as tables: found, measured or remembered, one row each."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Any

import polars as pl
from polars import DataFrame, col

from groundlint.features import Feature
from groundlint.images import pool
from groundlint.images.cache import Cache, Facts, Stamp, Values
from groundlint.images.record import Fault, Measured, Rectangle, Task
from groundlint.images.store import Place, Store
from groundlint.tables import BASE, IMAGE_VALUES

_AT_ONCE = 256
"""Measured images that are remembered together; what an interrupt may lose."""

_LASTING = (Fault.NO_IMAGE, Fault.TRUNCATED, Fault.UNREADABLE, Fault.NOT_FETCHED)
"""Faults that are in the content: they come again. A process that died may have died of something else."""


@dataclass
class Gallery:
    """Finds and measures images; an image that several data sets name is measured once.

    `raised` says which features failed, each once.
    """

    store: Store
    cache: Cache
    features: Sequence[Feature]
    jobs: int
    tell: Callable[[str], None] = lambda _: None
    raised: list[str] = field(default_factory=list)
    opened: int = 0
    _facts: dict[str, Facts] = field(default_factory=dict)
    _crops: dict[str, dict[str, Values]] = field(default_factory=dict)
    _digests: dict[str, str] = field(default_factory=dict)

    def tables(self, lines: DataFrame, boxes: DataFrame, labels: DataFrame) -> dict[str, DataFrame]:
        """The tables `images` and `crops` of a data set; empty if not one of its images is found."""
        named = lines.filter(col("source_ref").is_not_null()).unique("source_ref", keep="first", maintain_order=True)
        refs = named.select("source_ref", "manifest")
        # Most often the first is found; where none is, nothing is kept of a million.
        if not any(self.store.find(*row).path for row in refs.iter_rows()):
            return {"images": BASE["images"].empty(), "crops": BASE["crops"].empty()}
        places = {ref: self.store.find(ref, manifest) for ref, manifest in refs.iter_rows()}
        self.cache.open()
        wanted = self._boxes(boxes, places) if any(feature.of == "crops" for feature in self.features) else {}
        stamps = {place.path: place.stamp for place in places.values() if place.path and place.stamp}
        self._recall(stamps)
        of_labels = (places.get(ref) for ref in labels["source_ref"].unique())
        labelled = {place.path for place in of_labels if place and place.path}
        self._measure(stamps, wanted, labelled)
        return {"images": self._images(places, labelled), "crops": self._crop_rows(boxes, places)}

    def forget(self) -> None:
        """Let go of what was measured: no further data set will ask for it."""
        self._facts.clear()
        self._crops.clear()
        self._digests.clear()

    def _boxes(self, boxes: DataFrame, places: Mapping[str, Place]) -> dict[str, list[Rectangle]]:
        """The boxes of each found file, each once."""
        sound = boxes.filter(pl.min_horizontal("width", "height") > 0)
        found: dict[str, dict[Rectangle, None]] = {}
        for ref, *box in sound.select("source_ref", "left", "top", "width", "height").iter_rows():
            if ref in places and (path := places[ref].path):
                found.setdefault(path, {})[(box[0], box[1], box[2], box[3])] = None
        return {path: list(rectangles) for path, rectangles in found.items()}

    def _recall(self, stamps: Mapping[str, Stamp]) -> None:
        """Take from the cache what it knows of files that have not changed."""
        new = {path: stamp for path, stamp in stamps.items() if path not in self._digests}
        digests = self.cache.digests(new)
        self._digests |= digests
        unknown = set(digests.values()) - set(self._facts)
        self._facts |= self.cache.facts(unknown)
        if any(feature.of == "crops" for feature in self.features):
            self._crops |= self.cache.crops(unknown)

    def _measure(self, stamps: Mapping[str, Stamp], wanted: Mapping[str, list[Rectangle]], labelled: Set[str]) -> None:
        all_tasks = (Task(0, path, wanted.get(path, []), path in labelled) for path in stamps)
        tasks = [task for task in all_tasks if not self._is_known(task)]
        if not tasks:
            return
        for number, task in enumerate(tasks):
            task.number = number
        start = time.monotonic()
        pending: list[tuple[str, Measured]] = []
        for done, measured in enumerate(pool.measure(tasks, self.features, jobs=self.jobs), 1):
            self.opened += 1
            self.raised += [text for text in measured.raised if text not in self.raised]
            pending.append((tasks[measured.number].path, measured))
            if len(pending) >= _AT_ONCE:
                self._take(pending, stamps, wanted)
                pending = []
            self._tell(done, len(tasks), time.monotonic() - start)
        self._take(pending, stamps, wanted)

    def _tell(self, done: int, count: int, seconds: float) -> None:
        rate = done / max(seconds, 1e-6)
        left = (count - done) / rate
        self.tell(f"measuring images: {done:,} of {count:,}, {rate:,.0f} a second, {left:,.0f} s left")

    def _is_known(self, task: Task) -> bool:
        facts = self._facts.get(self._digests.get(task.path, ""))
        if facts is None:
            return False
        if facts.fault:
            return True
        crops = self._crops.get(self._digests[task.path], {})
        of_crops = [feature.key for feature in self.features if feature.of == "crops" and feature.dtype]
        return all(
            feature.key in facts.values
            for feature in self.features
            if feature.of == "images" and feature.dtype and (task.labelled or not feature.only_labelled)
        ) and all(key in crops.get(_name(box), {}) for box in task.boxes for key in of_crops)

    def _take(
        self,
        pending: Sequence[tuple[str, Measured]],
        stamps: Mapping[str, Stamp],
        wanted: Mapping[str, list[Rectangle]],
    ) -> None:
        """Keep what was measured, and remember what will be the same next time."""
        files, facts, crops = [], {}, {}
        for path, m in pending:
            # What could not even be read has no digest: it is told by its path, for this run.
            digest = m.digest or path
            known = self._facts.get(digest)
            values = (known.values if known else {}) | m.values
            self._digests[path] = digest
            self._facts[digest] = Facts(
                m.bytes, m.format, m.mode, m.width, m.height, m.animated, m.fault, m.detail, values
            )
            of_boxes = self._crops.setdefault(digest, {})
            for box, own in zip(wanted.get(path, []), m.crops, strict=False):
                of_boxes[_name(box)] = of_boxes.get(_name(box), {}) | own
                crops[digest, _name(box)] = of_boxes[_name(box)]
            if m.digest and (m.fault is None or m.fault in _LASTING) and not m.raised:
                files.append((path, stamps[path], digest))
                facts[digest] = self._facts[digest]
        self.cache.remember(files, facts, {key: value for key, value in crops.items() if key[0] in facts})

    def _images(self, places: Mapping[str, Place], labelled: Set[str]) -> DataFrame:
        columns: dict[str, list[Any]] = {name: [] for name in BASE["images"].schema}
        features = [feature for feature in self.features if feature.of == "images" and feature.dtype]
        values: dict[str, list[Any]] = {feature.name: [] for feature in features}
        for ref, place in places.items():
            facts = self._facts.get(self._digests.get(place.path or "", ""))
            fault = Fault.REFUSED if place.refused and not place.path else facts.fault if facts else None
            digest = self._digests.get(place.path or "")
            row: dict[str, Any] = {
                "source_ref": ref,
                "path": os.path.relpath(place.path) if place.path else None,
                "found": place.path is not None,
                "fault": fault,
                "detail": place.refused
                if fault == Fault.REFUSED and not place.path
                else facts.detail
                if facts
                else None,
                "digest": digest if digest != place.path else None,
            }
            row["bytes"] = facts.size if facts else None
            for name in ("format", "mode", "width", "height", "animated"):
                row[name] = getattr(facts, name) if facts else None
            for name, cells in columns.items():
                cells.append(row[name])
            for feature in features:
                # Also where another data set had it measured: a table does not depend on what was run before.
                is_wanted = place.path in labelled or not feature.only_labelled
                values[feature.name].append(facts.values.get(feature.key) if facts and is_wanted else None)
        frame = DataFrame(columns, schema=BASE["images"].schema)
        return frame.with_columns(_series(feature, values[feature.name]) for feature in features)

    def _crop_rows(self, boxes: DataFrame, places: Mapping[str, Place]) -> DataFrame:
        features = [feature for feature in self.features if feature.of == "crops" and feature.dtype]
        keys = list(BASE["crops"].schema)
        if not features:
            return BASE["crops"].empty()
        rows = boxes.select(*keys, "left", "top", "width", "height")
        cells: dict[str, list[Any]] = {feature.name: [] for feature in features}
        for ref, *box in rows.select("source_ref", "left", "top", "width", "height").iter_rows():
            path = places[ref].path if ref in places else None
            known = self._crops.get(self._digests.get(path or "", ""), {})
            own = known.get(_name((box[0], box[1], box[2], box[3])), {})
            for feature in features:
                cells[feature.name].append(own.get(feature.key))
        return rows.select(keys).with_columns(_series(feature, cells[feature.name]) for feature in features)


def _name(box: Rectangle) -> str:
    """A box as it is remembered."""
    return ",".join(f"{number:g}" for number in box)


def _series(feature: Feature, values: list[Any]) -> pl.Series:
    # A value of another type, from a hostile cache, is none.
    assert feature.dtype is not None
    kind = (int, float) if feature.dtype is float else feature.dtype
    sound = [value if isinstance(value, kind) else None for value in values]
    return pl.Series(feature.name, sound, dtype=IMAGE_VALUES[feature.dtype], strict=False)
