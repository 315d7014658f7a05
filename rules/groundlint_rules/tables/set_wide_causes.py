"""Faults with the same cause on more than half of the lines of a manifest, each with the lines that it explains."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, Expr, LazyFrame, col, lit

from groundlint import table
from groundlint.engine.base_tables import RECTANGLE
from groundlint.manifest.kinds import Kind, Loses
from groundlint_rules.tables.verdicts import is_outside

MOST = 0.5
"""Share of a manifest's lines above which a fault is diagnosed once, on the manifest."""

_NEARLY_ALL = 0.98
"""Share of the lines with boxes that must fit a reading of the coordinates that shows in fewer lines."""

_SHOWN = 0.1
"""Share of the lines with boxes outside their image from which such a reading is believed if nearly all lines fit."""

_MIN_SHOWN = 10
_MIN_LINES = 3
"""Lines that show a wrong reading of pixels. Fractions need no number: no box in pixels looks like one."""

_MIN_OVERSHOOT = 2.0
"""Median distance, in px, by which boxes leave their image. One or two px come from rounding or counting from 1."""

_ROUNDING = 1.0
"""Tolerance of the readings, in px."""

_MIN_SIDE = 250
"""Sides, in px, of images on which boxes within 0 to 100 are taken for percentages."""

_MIN_REACH, _MIN_SPREAD = 60.0, 20.0
"""Where percentages must reach, and their spread: a logo always in one corner is not a percentage."""

_MIN_MATCHED = 0.5
"""Share of the boxes of an original and its adjustment that must have a counterpart."""

_LINE = ("data_set", "manifest", "line_id", "line")

FRACTIONS, PERCENTAGES, CORNERS, CENTERS = "BOX401", "BOX402", "BOX403", "BOX404"
COPIED_IMAGE_SIZE, ATTRIBUTE_PER_IMAGE, COPIED_TYPE = "BOX405", "LBL401", "LBL402"
SHIFTED_CLASS_IDS, ADJUSTED_COPY, LINE_PER_BOX = "LBL403", "LBL404", "MAN209"

COORDINATES = (FRACTIONS, PERCENTAGES, CORNERS, CENTERS)
"""Causes that put all boxes of a line in the wrong place."""

_BOX_KINDS = tuple(kind for kind in Kind if kind.loses == Loses.BOX)

EXPLAINED_KINDS = {
    **dict.fromkeys((*COORDINATES, COPIED_IMAGE_SIZE), _BOX_KINDS),
    COPIED_TYPE: (Kind.UNSUPPORTED_TYPE,),
    SHIFTED_CLASS_IDS: (Kind.MISSING_CLASS_ID,),
    LINE_PER_BOX: (Kind.REPEATED_SOURCE_REF, Kind.REPEATED_WITH_OTHER_BOXES),
}
"""The kinds of losses that follow from each cause, by the code of the rule that reports the cause."""


def lengths(manifests: LazyFrame) -> LazyFrame:
    """The number of lines of each manifest; one in several splits has its lines once."""
    return manifests.group_by("data_set", "manifest").agg(count=col("lines").max())


def _on_most_lines(rows: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """The rows of manifests of which more than half of the lines have one."""
    length = lengths(manifests)
    key = ["data_set", "manifest"]
    affected = rows.group_by(key).agg(affected=col("line").n_unique()).join(length, on=key)
    return rows.join(affected.filter(col("affected") > MOST * col("count")), on=key, how="semi")


@table()
def coordinate_causes(boxes: LazyFrame, manifests: LazyFrame) -> DataFrame:
    """One line whose boxes are not left, top, width and height in px, as on most lines of its manifest: `cause`."""
    sized = boxes.filter(pl.all_horizontal(col(*RECTANGLE, "image_width", "image_height").is_not_null()))
    key = ["data_set", "manifest"]
    # Reading each line in each way costs; most manifests have hardly any box that could show one of them.
    suspicious = (
        sized.group_by(key)
        .agg(shown=(_is_fraction() | _is_percentage() | is_outside()).sum())
        .join(lengths(manifests), on=key)
        .filter(col("shown") >= _SHOWN * col("count"))
        .collect()
    )
    schema = {"data_set": pl.Int32, "manifest": pl.String, "line_id": pl.Int32, "line": pl.Int32, "cause": pl.String}
    found = []
    for manifest in suspicious.iter_rows(named=True):
        same = sized.filter(*(col(name) == manifest[name] for name in key))
        if rows := _cause(same, manifest["count"]):
            found.append(rows[1].select(*_LINE, cause=lit(rows[0])))
    return pl.concat(found) if found else DataFrame(schema=schema)


def _is_fraction() -> Expr:
    """Whether all numbers of a box are from 0 to 1, and one is between them."""
    lowest, highest = pl.min_horizontal(RECTANGLE), pl.max_horizontal(RECTANGLE)
    is_whole = pl.all_horizontal(col(side) == col(side).round() for side in RECTANGLE)
    return (lowest >= 0) & (highest <= 1) & ~is_whole


def _is_percentage() -> Expr:
    """Whether a box lies within 0 to 100 on a larger image."""
    last = pl.max_horizontal(col("left") + col("width"), col("top") + col("height"))
    is_large = pl.min_horizontal("image_width", "image_height") >= _MIN_SIDE
    return (pl.min_horizontal(RECTANGLE) >= 0) & (last <= 100 + _ROUNDING) & is_large


def _cause(boxes: LazyFrame, count: int) -> tuple[str, DataFrame] | None:
    """The reading that most of the `count` lines of a manifest show, and the lines that it fits; None if none does."""
    lines = _readings(boxes).collect()
    # The reading, whether it fits all boxes of a line, and whether a line that it fits shows it.
    for cause, fits, shows in (
        (FRACTIONS, "is_unit", "is_fraction"),
        (PERCENTAGES, "is_percentage", "is_percentage"),
        (CORNERS, "is_corners", "is_outside"),
        (CENTERS, "is_centers", "is_outside"),
    ):
        fitting = lines.filter(fits)
        shown = fitting.filter(shows)["line"].n_unique()
        is_general = len(fitting) >= _NEARLY_ALL * len(lines) and fitting["line"].n_unique() > MOST * count
        is_seen = shown > MOST * count or (is_general and shown >= max(_MIN_SHOWN, _SHOWN * count))
        if is_seen and (cause == FRACTIONS or (shown >= _MIN_LINES and _is_plausible(cause, fitting))):
            return cause, fitting
    return None


def _is_plausible(cause: str, lines: DataFrame) -> bool:
    """Whether lines that a reading fits are not merely boxes in one corner, or drawn a little over the edge."""
    if cause == PERCENTAGES:
        firsts, lasts = lines.select("first_x", "first_y"), lines.select("last_x", "last_y")
        spreads = (firsts.max() - firsts.min()).row(0)
        return bool(min(lasts.max().row(0)) >= _MIN_REACH and max(spreads) >= _MIN_SPREAD)
    overshoot = lines.filter("is_outside")["overshoot"].median()
    return isinstance(overshoot, float) and overshoot > _MIN_OVERSHOOT


def _readings(boxes: LazyFrame) -> LazyFrame:
    """For each line with boxes, which readings fit all of them, whether one is outside its image, and how far."""
    width, height = col("image_width"), col("image_height")
    right, bottom = col("left") + col("width"), col("top") + col("height")
    half_width, half_height = col("width") / 2, col("height") / 2
    is_corners = (
        (pl.min_horizontal("left", "top") >= 0)
        & (col("width") > col("left"))
        & (col("height") > col("top"))
        & (col("width") <= width + _ROUNDING)
        & (col("height") <= height + _ROUNDING)
    )
    is_centers = (
        (pl.min_horizontal("width", "height") > 0)
        & (pl.min_horizontal(col("left") - half_width, col("top") - half_height) >= -_ROUNDING)
        & (col("left") + half_width <= width + _ROUNDING)
        & (col("top") + half_height <= height + _ROUNDING)
    )
    return boxes.group_by(*_LINE).agg(
        # As a fraction, a whole image is 0, 0, 1, 1, which alone would not show it.
        is_unit=(pl.max_horizontal(RECTANGLE) <= 1).all() & (pl.min_horizontal(RECTANGLE) >= 0).all(),
        is_fraction=_is_fraction().any(),
        is_percentage=_is_percentage().all(),
        is_corners=is_corners.all(),
        is_centers=is_centers.all(),
        is_outside=is_outside().any(),
        overshoot=pl.max_horizontal(right - width, bottom - height).max(),
        first_x=col("left").min(),
        first_y=col("top").min(),
        last_x=right.max(),
        last_y=bottom.max(),
    )


@table()
def copied_image_sizes(attributes: LazyFrame, images: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """One line whose `image_size` is not that of its image, where most lines of the manifest declare the same size.

    `width` and `height` are those of the image.
    """
    key = ["data_set", "manifest"]
    measured = images.filter(col("width").is_not_null()).select("data_set", "source_ref", "width", "height")
    declared = attributes.filter(col("boxes").is_not_null(), col("image_width").is_not_null())
    sizes = declared.select(*_LINE, "attribute", "source_ref", "image_width", "image_height").join(
        measured, on=["data_set", "source_ref"]
    )
    is_swapped = (col("image_width") == col("height")) & (col("image_height") == col("width"))
    is_other = (col("image_width") != col("width")) | (col("image_height") != col("height"))
    usual = (
        sizes.filter(is_other, ~is_swapped)
        .group_by(*key, "image_width", "image_height")
        .agg(lines=col("line").n_unique(), sizes=pl.struct("width", "height").n_unique())
        .join(lengths(manifests), on=key)
        .filter(col("lines") > MOST * col("count"), col("lines") >= _MIN_LINES, col("sizes") > 1)
    )
    same = [*key, "image_width", "image_height"]
    return (
        sizes.filter(is_other, ~is_swapped)
        .join(usual.select(same), on=same, how="semi")
        .select(*_LINE, "attribute", "image_width", "image_height", "width", "height")
    )


@table()
def attributes_per_image(attributes: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """One attribute whose name no other line of its manifest has, as on most lines.

    In exports of the service's console, an image-level label is an attribute with the name of its label: such names
    may be rare.
    """
    key = ["data_set", "manifest", "attribute"]
    is_labeled = col("kind").is_in(["classification", "detection", "multilabel", "segmentation", "other"])
    named = attributes.filter(is_labeled)
    single = named.group_by(key).agg(lines=col("line").n_unique()).filter(col("lines") == 1)
    is_label = col("attribute").str.to_lowercase() == col("class_name").str.to_lowercase()
    lonely = named.join(single, on=key, how="semi").filter(~is_label.fill_null(False))
    others = named.join(single, on=key, how="anti").select("line_id").unique()
    rows = lonely.join(others, on="line_id", how="anti").select(*_LINE, "attribute")
    enough = rows.group_by(key[:2]).agg(lines=col("line").n_unique()).filter(col("lines") > _MIN_LINES)
    return _on_most_lines(rows.join(enough, on=key[:2], how="semi"), manifests)


@table()
def copied_types(problems: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """One line with an unsupported type on a label whose value has a supported form, where most lines have the type."""
    values = col("values").struct
    copied = problems.filter(col("kind") == Kind.UNSUPPORTED_TYPE.value, values.field("expected").is_not_null())
    rows = copied.select(*_LINE, "attribute", found=values.field("found"), expected=values.field("expected"))
    return _on_most_lines(rows, manifests)


@table()
def shifted_class_ids(
    problems: LazyFrame, classes: LazyFrame, attributes: LazyFrame, manifests: LazyFrame
) -> LazyFrame:
    """One line of a manifest whose class ids count from another base than its class maps: `shift` is 1 or -1.

    Either the ids of all boxes are a run of whole numbers like those of all maps, only one higher or lower, so that the
    map's first id (or last) is never used; or on most lines a box has the id after the last one of the line's own map
    (or before its first), which no box uses.
    """
    key = ["data_set", "manifest"]
    found = col("values").struct.field("found").cast(pl.Int64, strict=False)
    missing = problems.filter(col("kind") == Kind.MISSING_CLASS_ID.value)
    unknown = missing.select(*_LINE, "attribute", id=found).filter(col("id").is_not_null())
    boxed = attributes.filter(col("boxes") > 0).join(unknown.select(key).unique(), on=key, how="semi")
    entries = (
        classes.join(boxed.select("attribute_id"), on="attribute_id", how="semi")
        .select(*key, "line_id", "line", "attribute", "used", id=col("id").cast(pl.Int64, strict=False))
        .filter(col("id").is_not_null())
    )
    shifts = pl.concat([_shift_of_manifests(unknown, entries, boxed), _shift_of_lines(unknown, entries, manifests)])
    affected = boxed.select(*_LINE).unique().join(shifts.unique(key), on=key)
    return _on_most_lines(affected, manifests)


def _shift_of_manifests(unknown: LazyFrame, entries: LazyFrame, boxed: LazyFrame) -> LazyFrame:
    """Manifests whose boxes, taken together, use the ids of all maps moved by one."""
    key = ["data_set", "manifest"]
    ids = pl.concat([entries.filter("used").select(*key, "id"), unknown.select(*key, "id")])
    of_ids = ids.group_by(key).agg(first=col("id").min(), last=col("id").max())
    of_maps = entries.group_by(key).agg(map_first=col("id").min(), map_last=col("id").max(), ids=col("id").n_unique())
    failing = unknown.group_by(key).agg(failing=col("line").n_unique(), missing=col("id").n_unique())
    labeled = boxed.group_by(key).agg(lines=col("line").n_unique())
    shift = col("first") - col("map_first")
    return (
        of_maps.join(of_ids, on=key)
        .join(failing, on=key)
        .join(labeled, on=key)
        .filter(
            shift.abs() == 1,
            col("last") - col("map_last") == shift,
            col("map_last") - col("map_first") + 1 == col("ids"),
            # One stray id is a fault of its line; the id that a wrong base leaves out is used as often as others.
            col("missing") == 1,
            col("failing") >= 2,
            2 * col("ids") * col("failing") >= col("lines"),
        )
        .select(*key, shift=shift)
    )


def _shift_of_lines(unknown: LazyFrame, entries: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """Manifests on most lines of which a box has the id next to those of the line's own map."""
    key = ["data_set", "manifest"]
    attribute = ["line_id", "attribute"]
    own = entries.group_by(attribute).agg(
        map_first=col("id").min(),
        map_last=col("id").max(),
        uses_first=col("used").filter(col("id") == col("id").min()).any(),
        uses_last=col("used").filter(col("id") == col("id").max()).any(),
    )
    is_after = (col("id") == col("map_last") + 1) & ~col("uses_first")
    is_before = (col("id") == col("map_first") - 1) & ~col("uses_last")
    shift = pl.when(is_after).then(lit(1, pl.Int64)).when(is_before).then(lit(-1, pl.Int64))
    rows = unknown.join(own, on=attribute).select(*key, "line", shift=shift).filter(col("shift").is_not_null())
    several = rows.group_by(key).agg(lines=col("line").n_unique(), shifts=col("shift").n_unique())
    clear = several.filter(col("lines") >= _MIN_LINES, col("shifts") == 1)
    return _on_most_lines(rows.join(clear, on=key, how="semi"), manifests).select(*key, "shift").unique()


@table()
def adjusted_copies(attributes: LazyFrame, counterparts: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """Two attributes of a line, one of which adjusts the other and has nearly the same boxes, as on most lines.

    `newest` is the one of the later date, else the adjustment; `oldest` is the other.
    """
    key = ["data_set", "manifest", "attribute", "attribute_other"]
    detail = attributes.select("attribute_id", *_LINE, "created", is_adjusted=col("adjustment").is_not_null())
    pairs = counterparts.select("attribute_id", "attribute_id_other", "attribute", "attribute_other", "count", "alone")
    both = pairs.join(detail, on="attribute_id").join(
        detail.select(attribute_id_other="attribute_id", created_other="created", is_adjusted_other="is_adjusted"),
        on="attribute_id_other",
    )
    of_manifest = (
        both.group_by(key)
        .agg(
            lines=col("line").n_unique(),
            boxes=col("count").sum(),
            alone=col("alone").sum(),
            is_adjusted=col("is_adjusted").any(),
            is_adjusted_other=col("is_adjusted_other").any(),
            created=col("created").max(),
            created_other=col("created_other").max(),
        )
        .join(lengths(manifests), on=key[:2])
        .filter(
            col("is_adjusted") | col("is_adjusted_other"),
            col("lines") > MOST * col("count"),
            col("boxes") - col("alone") >= _MIN_MATCHED * col("boxes"),
        )
    )
    is_newer = pl.coalesce(
        pl.when(col("created") != col("created_other")).then(col("created") > col("created_other")), "is_adjusted"
    )
    named = of_manifest.select(
        *key,
        newest=pl.when(is_newer).then("attribute").otherwise("attribute_other"),
        oldest=pl.when(is_newer).then("attribute_other").otherwise("attribute"),
    )
    return both.join(named, on=key).select(*_LINE, "attribute", "attribute_other", "newest", "oldest")


@table()
def lines_per_box(repeated_lines: LazyFrame, boxes: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """One of several lines with the same image and different boxes, where most lines of the manifest are such lines."""
    image = ["data_set", "manifest", "source_ref"]
    # Of each image one line is not a repetition. With few repetitions, most lines cannot be such lines.
    counted = (
        repeated_lines.group_by(image[:2]).agg(repeated=col("line").n_unique()).join(lengths(manifests), on=image[:2])
    )
    frequent = counted.filter(2 * col("repeated") > MOST * col("count"))
    repeated = repeated_lines.join(frequent, on=image[:2], how="semi").select(image).unique().collect()
    if repeated.is_empty():
        return boxes.select(*_LINE, "source_ref").clear()
    placed = boxes.select(*_LINE, "source_ref", place=pl.struct("label", *RECTANGLE)).join(
        repeated.lazy(), on=image, how="semi"
    )
    differing = (
        placed.group_by(image)
        .agg(places=col("place").n_unique(), boxes=pl.struct("line", "place").n_unique(), lines=col("line").n_unique())
        # Copies of one line have the same boxes.
        .filter(col("places") == col("boxes"), col("lines") > 1)
    )
    rows = placed.select(*_LINE, "source_ref").unique().join(differing.select(image), on=image, how="semi")
    return _on_most_lines(rows, manifests).select(*_LINE, "source_ref")


@table()
def set_wide_causes(
    coordinate_causes: LazyFrame,
    copied_image_sizes: LazyFrame,
    attributes_per_image: LazyFrame,
    copied_types: LazyFrame,
    shifted_class_ids: LazyFrame,
    adjusted_copies: LazyFrame,
    lines_per_box: LazyFrame,
) -> LazyFrame:
    """One line with a fault that most lines of its manifest have: `cause` is the rule that reports it once for all."""
    of_cause = {
        COPIED_IMAGE_SIZE: copied_image_sizes,
        ATTRIBUTE_PER_IMAGE: attributes_per_image,
        COPIED_TYPE: copied_types,
        SHIFTED_CLASS_IDS: shifted_class_ids,
        ADJUSTED_COPY: adjusted_copies,
        LINE_PER_BOX: lines_per_box,
    }
    rows = [frame.select(*_LINE, cause=lit(code)) for code, frame in of_cause.items()]
    # In an image of another size, boxes that seem to leave it need no other explanation.
    copied = copied_image_sizes.select("data_set", "manifest", cause=lit([CORNERS, CENTERS])).unique().explode("cause")
    coordinates = coordinate_causes.join(copied, on=["data_set", "manifest", "cause"], how="anti")
    return pl.concat([coordinates.select(*_LINE, "cause"), *rows]).unique()
