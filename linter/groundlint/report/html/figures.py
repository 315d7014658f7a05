"""The figures of findings: which thumbnail is shown, which boxes are drawn over it, and what stands below."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from groundlint.gallery import DrawnBox, Illustration, Place, PlacedBox
from groundlint.images.record import Rectangle
from groundlint.report.html.choice import Row
from groundlint.report.html.choice import sides as sides_of
from groundlint.report.listing import shortest_names
from groundlint.report.report import Description
from groundlint.sanitize import visible

WIDTH, HEIGHT = 280, 200
"""Largest size at which a thumbnail is shown, in CSS pixels."""

_MAX_BOXES = 60
"""Boxes that are drawn beside those of the finding."""

_MAX_LABELS = 5

_MIN_OUTLINE = 0.01
"""Share of the longer side of what is shown below which no side of a box is drawn."""

_WHOLE = 0.6
"""Share of the image from which a box is not shown by itself too."""


class Outline(NamedTuple):
    """A box over an image; `kind` is own, related, other, or plain where none of the boxes is special."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str


class Shot(NamedTuple):
    """A thumbnail with boxes. Thumbnails of equal content share an `id`.

    `region` is the part of the upright image that it shows, `width` and `height` its size in CSS pixels.
    """

    id: str
    href: str
    region: str
    x: float
    y: float
    region_width: float
    region_height: float
    width: int
    height: int
    alt: str
    outlines: list[Outline]


class Figure(NamedTuple):
    """A shot with its caption; `kind` is image, box or related. `split` is empty where there is only one.

    `name` is that of a related image.
    """

    kind: str
    shot: Shot
    split: str
    name: str
    said: str
    legend: list[tuple[str, str]]


class Figures:
    """Makes figures, and remembers the thumbnails that they use.

    Attributes:
        images: A shot of each thumbnail, by its id.
    """

    def __init__(self, description: Description) -> None:
        self.images: dict[str, Shot] = {}
        self._gallery = description.gallery
        self._splits = description.splits
        self._ids: dict[tuple[bytes, Rectangle], str] = {}
        self._hrefs: dict[str, str] = {}
        by_data_set: dict[int, set[str]] = {}
        for (number, _), split in self._splits.items():
            by_data_set.setdefault(number, set()).add(split)
        self._several = {number for number, splits in by_data_set.items() if len(splits) > 1}
        refs = {each.source_ref for each in self._gallery.images}
        refs |= {each.place.source_ref for each in self._gallery.crops}
        self._names = shortest_names(sorted(refs))

    def of(self, row: Row) -> list[Figure]:
        """The figures of a finding; empty if there are none."""
        shown = sides_of(row)
        own = shown.box and (shown.box.attribute, shown.box.box)
        related = _related_boxes(row, shown.image)
        figures = []
        if shown.image and (whole := self._gallery.images.get(shown.image)):
            kinds = _Kinds(own, related)
            legend = list(_legend(whole.boxes, kinds))
            figures.append(self._figure("image", shown.image, whole, kinds, _labels(whole, row), legend))
            crop = self._gallery.crops.get(shown.box) if shown.box else None
            if crop and not _is_whole(crop, whole):
                said = f"box {row['box']} enlarged"
                figures.append(self._figure("box", shown.image, crop, kinds, said, []))
        for number, each in enumerate(shown.related):
            figures += self._of_related(each, row, number)
        return figures

    def of_image(self, rows: Sequence[Row]) -> Shot | None:
        """The image of several findings with all their boxes; None if it is not shown anywhere."""
        for row in rows:
            place = sides_of(row).image
            if place and (whole := self._gallery.images.get(place)):
                boxes = {(each["attribute"], each["box"]) for each in rows if each["box"] is not None}
                return self._shot(whole, _Kinds(None, boxes, "own"), self._name(place))
        return None

    def _of_related(self, each: Place | PlacedBox, row: Row, number: int) -> Iterator[Figure]:
        is_box = isinstance(each, PlacedBox)
        place = each.place if isinstance(each, PlacedBox) else each
        illustration = self._gallery.crops.get(each) if isinstance(each, PlacedBox) else self._gallery.images.get(each)
        if not illustration:
            return
        own = (each.attribute, each.box) if isinstance(each, PlacedBox) else None
        labels = [box.label for box in illustration.boxes if own == (box.attribute, box.box)] if is_box else None
        said = f"box {own[1]}, labeled {visible(labels[0] or '')!r}" if own and labels else _labels(illustration, None)
        prefix = (
            "to keep" if row["code"].startswith("DUP") and not number else "nearest" if row["suggested_label"] else ""
        )
        yield self._figure(
            "related",
            place,
            illustration,
            _Kinds(None, {own} if own else set()),
            ", ".join(filter(None, (prefix, said))),
            [],
        )

    def _figure(
        self,
        kind: str,
        place: Place,
        illustration: Illustration,
        kinds: _Kinds,
        said: str,
        legend: list[tuple[str, str]],
    ) -> Figure:
        split = ""
        if place.data_set in self._several and place.manifest is not None:
            split = self._splits.get((place.data_set, place.manifest), "")
        elif place.manifest is None:
            split = "reference"
        name = self._name(place)
        shot = self._shot(illustration, kinds, f"{name}: {said}" if said else name)
        return Figure(kind, shot, split, name if kind == "related" else "", said, legend)

    def _name(self, place: Place) -> str:
        return visible(self._names.get(place.source_ref, place.source_ref), limit=120)

    def _shot(self, illustration: Illustration, kinds: _Kinds, alt: str) -> Shot:
        thumbnail = illustration.thumbnail
        left, top, width, height = thumbnail.region
        key = (thumbnail.webp, thumbnail.region)
        if key not in self._ids:
            self._ids[key] = f"i{len(self._ids)}"
            data = base64.b64encode(thumbnail.webp).decode()
            self._hrefs[self._ids[key]] = f"data:image/webp;base64,{data}"
        identifier = self._ids[key]
        scale = min(WIDTH / width, HEIGHT / height)
        shot = Shot(
            identifier,
            self._hrefs[identifier],
            f"{left:g} {top:g} {width:g} {height:g}",
            left,
            top,
            width,
            height,
            max(1, round(width * scale)),
            max(1, round(height * scale)),
            alt,
            list(_outlines(illustration, kinds)),
        )
        self.images.setdefault(identifier, shot)
        return shot


class _Kinds:
    """How boxes are drawn: the finding's `own`, and those `related` to it in the same image."""

    def __init__(self, own: tuple[str, int] | None, related: set[tuple[str, int]], kind: str = "related") -> None:
        self._own, self._related, self._kind = own, related, kind

    def of(self, box: DrawnBox) -> str:
        """The kind of a box: own, related or other."""
        key = (box.attribute, box.box)
        return "own" if key == self._own else self._kind if key in self._related else "other"


def _related_boxes(row: Row, image: Place | None) -> set[tuple[str, int]]:
    if image is None:
        return set()
    return {
        (place["attribute"], place["box"])
        for place in row["related"]
        if place["box"] is not None
        and (place["manifest"], place["line"], place["source_ref"]) == (image.manifest, image.line, image.source_ref)
    }


def _outlines(illustration: Illustration, kinds: _Kinds) -> Iterator[Outline]:
    """The boxes within the region, the finding's own last, so that it lies on top."""
    left, top, width, height = illustration.thumbnail.region
    found = []
    others = 0
    for box in illustration.boxes:
        x, y, box_width, box_height = box.rectangle
        if not (x < left + width and y < top + height and x + box_width > left and y + box_height > top):
            continue
        kind = kinds.of(box)
        others += kind == "other"
        if kind != "other" or others <= _MAX_BOXES:
            # A box without area would not be seen at all.
            least = _MIN_OUTLINE * max(width, height)
            x, box_width = _widened(x, box_width, least)
            y, box_height = _widened(y, box_height, least)
            sides = (round(x, 1), round(y, 1), round(box_width, 1), round(box_height, 1))
            found.append(Outline(kind, *sides, _title(box)))
    if all(outline.kind == "other" for outline in found):
        found = [outline._replace(kind="plain") for outline in found]
    yield from sorted(found, key=lambda outline: ("plain", "other", "related", "own").index(outline.kind))


def _widened(start: float, length: float, least: float) -> tuple[float, float]:
    """Start and length of a side that is at least so long, around the same middle."""
    return (start, length) if length >= least else (start + (length - least) / 2, least)


def _title(box: DrawnBox) -> str:
    return f"box {box.box}" + (f" ({visible(box.label, limit=120)!r})" if box.label is not None else "")


def _legend(boxes: Iterable[DrawnBox], kinds: _Kinds) -> Iterator[tuple[str, str]]:
    """What the colors of boxes mean: kind and text."""
    of_kind: dict[str, list[str]] = {}
    for box in boxes:
        of_kind.setdefault(kinds.of(box), []).append(_title(box))
    for kind in ("own", "related"):
        if names := of_kind.get(kind):
            yield kind, ", ".join(names[:_MAX_LABELS])


def _labels(illustration: Illustration, row: Row | None) -> str:
    """The image-level labels; those of one attribute without its name. Of an image with boxes alone, their labels."""
    attributes = {attribute for attribute, _ in illustration.labels}
    if row and row["attribute"] in attributes:
        attributes = {row["attribute"]}
    names = [
        (f"{visible(attribute, limit=60)}: " if len(attributes) > 1 else "") + repr(visible(label, limit=120))
        for attribute, label in illustration.labels
        if attribute in attributes
    ]
    if names:
        more = f" and {len(names) - _MAX_LABELS} more" if len(names) > _MAX_LABELS else ""
        return f"labeled {', '.join(names[:_MAX_LABELS])}{more}"
    count = len(illustration.boxes)
    return "" if row else f"{count} box{'es' if count != 1 else ''}"


def _is_whole(crop: Illustration, whole: Illustration) -> bool:
    """Whether a crop shows most of the image."""
    (_, _, width, height), (_, _, whole_width, whole_height) = crop.thumbnail.region, whole.thumbnail.region
    return width * height >= _WHOLE * whole_width * whole_height
