"""The images of findings: thumbnails of images and boxes, with what the manifest says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from polars import DataFrame, col

from groundlint.engine.base_tables import RECTANGLE
from groundlint.images.record import Rectangle

if TYPE_CHECKING:
    from groundlint.images.remote_images import RemoteImages
    from groundlint.images.thumbnails import Thumbnail

MAX_BOXES = 200
"""Boxes of an image that are given, those that were asked for among them."""


class Place(NamedTuple):
    """A line of a manifest, and the image that it names. An image of a folder has neither manifest nor line."""

    data_set: int | None
    manifest: str | None
    line: int | None
    source_ref: str


class PlacedBox(NamedTuple):
    """A box of an image."""

    place: Place
    attribute: str
    box: int


class DrawnBox(NamedTuple):
    """A box as it is drawn on the upright image: left, top, width and height in pixels."""

    attribute: str
    box: int
    label: str | None
    rectangle: Rectangle


class Illustration(NamedTuple):
    """An image or a part of it, its image-level labels (attribute and label), and its boxes."""

    thumbnail: Thumbnail
    labels: tuple[tuple[str, str], ...]
    boxes: tuple[DrawnBox, ...]


@dataclass(frozen=True)
class Gallery:
    """The illustrations of a report; `left_out` counts those that were asked for and cannot be shown."""

    images: Mapping[Place, Illustration] = field(default_factory=dict)
    crops: Mapping[PlacedBox, Illustration] = field(default_factory=dict)
    left_out: int = 0


def gallery(
    wanted: Sequence[Place | PlacedBox],
    tables: Mapping[str, DataFrame],
    *,
    max_bytes: int,
    remote: RemoteImages | None = None,
    on_progress: Callable[[str], None] = lambda _: None,
) -> Gallery:
    """Make thumbnails of the images and boxes that a report shows.

    Only files and objects that the run has found and measured without a fault are read.

    Args:
        wanted: Images, and boxes of images, the most important first.
        tables: The tables `images`, `labels`, `boxes` and, if there is one, `reference_images`.
        max_bytes: Bytes that all thumbnails together may have.
        remote: Reads images from S3; None if that is not allowed.
        on_progress: Called now and then with a sentence.
    """
    # A run without a page need not import what starts processes.
    from groundlint.images.thumbnails import View, render

    distinct = list(dict.fromkeys(wanted))
    places = list(dict.fromkeys(_place(each) for each in distinct))
    paths = _paths(places, tables, remote)
    if remote:
        # The views of an object follow each other, so that it is fetched once.
        first = {path: n for n, path in reversed([*enumerate(paths.get(_place(each)) for each in distinct)])}
        distinct.sort(key=lambda each: first[paths.get(_place(each))])
    asked: dict[Place, set[tuple[str, int]]] = {}
    for each in distinct:
        if isinstance(each, PlacedBox):
            asked.setdefault(each.place, set()).add((each.attribute, each.box))
    labels, boxes = _labels(places, tables["labels"]), _boxes(places, tables["boxes"], asked)
    shown: list[Place | PlacedBox] = []
    views: list[View] = []
    for each in distinct:
        place = _place(each)
        path, those = paths.get(place), boxes.get(place, [])
        numbers = {(row.box.attribute, row.box.box): n for n, row in enumerate(those)}
        number = numbers.get((each.attribute, each.box)) if isinstance(each, PlacedBox) else None
        if path is None or (isinstance(each, PlacedBox) and number is None):
            continue
        size = next((row.image_size for row in those if row.image_size), None)
        shown.append(each)
        views.append(View(path, tuple(row.box.rectangle for row in those), number, size))
    contents = remote.contents if remote else None
    made = render(views, max_bytes=max_bytes, contents=contents, on_progress=on_progress)
    images: dict[Place, Illustration] = {}
    crops: dict[PlacedBox, Illustration] = {}
    for each, thumbnail in zip(shown, made, strict=True):
        if thumbnail:
            place = _place(each)
            upright = zip(boxes.get(place, []), thumbnail.boxes, strict=True)
            drawn = tuple(row.box._replace(rectangle=rectangle) for row, rectangle in upright)
            illustration = Illustration(thumbnail, labels.get(place, ()), drawn)
            if isinstance(each, PlacedBox):
                crops[each] = illustration
            else:
                images[each] = illustration
    return Gallery(images, crops, len(distinct) - len(images) - len(crops))


class _Row(NamedTuple):
    box: DrawnBox
    image_size: tuple[int, int] | None


def _place(each: Place | PlacedBox) -> Place:
    return each.place if isinstance(each, PlacedBox) else each


def _paths(places: Sequence[Place], tables: Mapping[str, DataFrame], remote: RemoteImages | None) -> dict[Place, str]:
    """The files, or the URIs in S3, of the images that were found and have no fault."""
    known: dict[tuple[int | None, str], str | None] = {}
    refs = {place.source_ref for place in places}
    for name in ("reference_images", "images"):
        if name in tables:
            rows = tables[name].filter(col("found"), col("fault").is_null(), col("source_ref").is_in(list(refs)))
            known |= {(n, ref): path for n, ref, path in rows.select("data_set", "source_ref", "path").iter_rows()}
    found: dict[Place, str] = {}
    for place in places:
        key = place.data_set, place.source_ref
        path = known.get(key)
        if path is None and key in known and remote:
            path = remote.uri(place.source_ref, place.manifest or "")
        if path is not None:
            found[place] = path
    return found


def _of_places(places: Sequence[Place], rows: DataFrame) -> Iterator[tuple[Place, dict[str, object]]]:
    """The rows on the lines of places, each with its place; of several splits, those of the first."""
    named = {(place.data_set, place.manifest, place.line): place for place in places if place.line is not None}
    wanted = DataFrame(
        list(named), schema={key: rows.schema[key] for key in ("data_set", "manifest", "line")}, orient="row"
    )
    found = rows.join(wanted, on=["data_set", "manifest", "line"], how="semi", maintain_order="left")
    once = [name for name in ("data_set", "manifest", "line", "attribute", "box", "label") if name in found.columns]
    for row in found.unique(once, keep="first", maintain_order=True).iter_rows(named=True):
        yield named[row["data_set"], row["manifest"], row["line"]], row


def _labels(places: Sequence[Place], labels: DataFrame) -> dict[Place, tuple[tuple[str, str], ...]]:
    found: dict[Place, tuple[tuple[str, str], ...]] = {}
    for place, row in _of_places(places, labels.drop_nulls("label").sort("attribute", "label")):
        found[place] = (*found.get(place, ()), (str(row["attribute"]), str(row["label"])))
    return found


def _boxes(
    places: Sequence[Place], boxes: DataFrame, asked: Mapping[Place, set[tuple[str, int]]]
) -> dict[Place, list[_Row]]:
    """The boxes of each place: those that are asked for, and others up to `MAX_BOXES`."""
    found: dict[Place, list[_Row]] = {}
    left_out: dict[Place, int] = {}
    known = boxes.drop_nulls(RECTANGLE).filter(*(col(side).is_finite() for side in RECTANGLE))
    for place, row in _of_places(places, known.sort("attribute", "box")):
        key = (str(row["attribute"]), int(str(row["box"])))
        rest = MAX_BOXES - len(asked.get(place, ()))
        is_asked = key in asked.get(place, ())
        left_out[place] = left_out.get(place, 0) + (not is_asked)
        if not is_asked and left_out[place] > rest:
            continue
        left, top, width, height = (float(str(row[side])) for side in RECTANGLE)
        label = None if row["label"] is None else str(row["label"])
        declared = (row["image_width"], row["image_height"])
        size = (declared[0], declared[1]) if isinstance(declared[0], int) and isinstance(declared[1], int) else None
        found.setdefault(place, []).append(_Row(DrawnBox(*key, label, (left, top, width, height)), size))
    return found
