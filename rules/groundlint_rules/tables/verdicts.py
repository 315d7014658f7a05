"""What the service would remove: boxes, attributes and lines, and the training if too few labels are left."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import table, worded
from groundlint.engine.base_tables import RECTANGLE, VALUES
from groundlint.manifest.kinds import Effect, Kind, kinds_with

MAX_ACCEPTED_BOXES = 50
MIN_IMAGE_SIDE, MAX_IMAGE_SIDE = 64, 4096
MAX_ASPECT = 20
MAX_IMAGE_BYTES = 15 * 1024 * 1024
"""The documents say 15 MB without saying which; the larger reading raises no false alarm."""
RESIZED_SIDE = 1280
"""Longest side, in px, to which training scales larger images."""

SCHEMA = {
    "data_set": pl.Int32(),
    "line_id": pl.Int32(),
    "attribute_id": pl.Int64(),
    "box_id": pl.Int32(),
    "manifest": pl.String(),
    "line": pl.Int32(),
    "attribute": pl.String(),
    "box": pl.Int32(),
    "source_ref": pl.String(),
    "label": pl.String(),
}
"""Location columns of a loss; those that do not apply are null."""

# Workers' boxes are averaged: 138.8 + 541.2 must not exceed 680.
_ROUNDING = 1e-6


def is_outside() -> Expr:
    """Whether a box extends beyond the image that `image_size` declares, or has a negative side."""
    return (
        (pl.min_horizontal("left", "top") < -_ROUNDING)
        | (pl.min_horizontal("width", "height") < 0)
        | (col("left") + col("width") > col("image_width") + _ROUNDING)
        | (col("top") + col("height") > col("image_height") + _ROUNDING)
    )


def is_too_small() -> Expr:
    """Whether a side of a box is at most one pixel once training has scaled the image."""
    scale = pl.min_horizontal(1.0, RESIZED_SIDE / pl.max_horizontal("image_width", "image_height"))
    side = pl.min_horizontal("width", "height")
    return (side >= 0) & (side * scale <= 1)


def of_custom_labels(rows: LazyFrame, limits: LazyFrame) -> LazyFrame:
    """Rows if Custom Labels is the target, else none."""
    return rows.join(limits.filter(col("target") == "rekognition").select("target"), how="cross").drop("target")


def images_of_labels(labels: LazyFrame, boxes: LazyFrame) -> LazyFrame:
    """Labels of each split and use case (classification or detection), with the number of their `images`."""
    of_use_case = (("classification", labels), ("detection", boxes))
    return pl.concat(
        rows.filter(col("label").is_not_null())
        .group_by("data_set", "split", "label")
        .agg(images=col("line_id").n_unique())
        .with_columns(use_case=lit(use_case))
        for use_case, rows in of_use_case
    )


def losses_of(rows: LazyFrame, kind: Kind | Expr, values: Mapping[str, str | int | Expr] | Expr) -> LazyFrame:
    """Rows as losses: with the service code and the rule of their kind, and what it removes.

    Args:
        rows: Rows with some of the columns of `SCHEMA`.
        kind: The kind of all rows, or that of each.
        values: What the message of the rule is made of.
    """
    kinds = kind if isinstance(kind, Expr) else lit(kind.value)
    present = rows.collect_schema().names()
    if not isinstance(values, Expr):
        given = {key: value if isinstance(value, Expr) else lit(value) for key, value in values.items()}
        values = pl.struct(
            given.get(key, lit(None)).cast(dtype).alias(key) for key, dtype in VALUES.to_schema().items()
        )
    return rows.select(
        *((col(key) if key in present else lit(None)).cast(dtype).alias(key) for key, dtype in SCHEMA.items()),
        kind=kinds,
        aws=_of_kind(kinds, "aws"),
        loses=_of_kind(kinds, "loses"),
        cause=_of_kind(kinds, "rule"),
        values=values,
    )


def _of_kind(kinds: Expr, name: str) -> Expr:
    known = {kind.value: None if (value := getattr(kind, name)) is None else str(value) for kind in Kind}
    return kinds.replace_strict(known, default=None, return_dtype=pl.String)


def _size(width: str, height: str) -> Expr:
    return worded("{} x {}", pixels(col(width)), pixels(col(height)))


def pixels(number: Expr) -> Expr:
    """A number of px as text: whole, or to four digits where it is small."""
    rounded = pl.when(number.abs() < 1000).then(number.round_sig_figs(4)).otherwise(number.round(1))
    return rounded.cast(pl.Float64).cast(pl.String).str.strip_suffix(".0")


def _beyond() -> Expr:
    """How far a box extends beyond the edges of its image, as "3 px beyond the left edge"."""
    beyond = {
        "left": -col("left"),
        "top": -col("top"),
        "right": col("left") + col("width") - col("image_width"),
        "bottom": col("top") + col("height") - col("image_height"),
    }
    parts = [
        pl.when(by > _ROUNDING).then(worded(f"{{}} px beyond the {side} edge", pixels(by)))
        for side, by in beyond.items()
    ]
    return pl.concat_str(parts, separator=" and ", ignore_nulls=True)


def _outside(bad: LazyFrame) -> LazyFrame:
    """The boxes that extend beyond their image, by how they do."""
    size = _size("image_width", "image_height")
    edges = worded("left {}, top {}, width {}, height {}", *(pixels(col(side)) for side in RECTANGLE))
    is_negative = pl.min_horizontal("width", "height") < 0
    negative = pl.when(col("width") < 0).then(worded("width ({} px)", pixels(col("width"))))
    is_beyond = (
        (col("left") >= col("image_width"))
        | (col("top") >= col("image_height"))
        | (col("left") + col("width") <= 0)
        | (col("top") + col("height") <= 0)
    )
    rest = bad.filter(is_outside(), ~is_negative)
    return pl.concat(
        [
            losses_of(
                bad.filter(is_negative),
                Kind.NEGATIVE_BOX,
                {"found": negative.otherwise(worded("height ({} px)", pixels(col("height"))))},
            ),
            losses_of(rest.filter(is_beyond), Kind.BOX_BEYOND_IMAGE, {"found": edges, "expected": size}),
            losses_of(rest.filter(~is_beyond), Kind.BOX_OUTSIDE_IMAGE, {"found": _beyond(), "expected": size}),
        ]
    )


def is_placeholder() -> Expr:
    """Whether a box of at most one pixel in the corner of its image stands for "no object"."""
    is_whole = (col("width") == col("width").round()) & (col("height") == col("height").round())
    is_in_corner = (col("left") == 0) & (col("top") == 0)
    return is_in_corner & is_whole & pl.max_horizontal("width", "height").is_between(0, 1)


def _repeated(repeated_lines: LazyFrame, boxes: LazyFrame) -> LazyFrame:
    """The repeated lines, with whether they have other boxes than the line that they repeat."""
    values = {"found": col("first_manifest"), "count": col("first_line")}
    ids = pl.concat([repeated_lines.select("line_id"), repeated_lines.select(line_id="line_id_first")]).unique()
    place = worded("{} {} {} {} {}", col("label").fill_null(""), *(col(side).cast(pl.String) for side in RECTANGLE))
    places = boxes.join(ids, on="line_id", how="semi").group_by("line_id").agg(places=place.sort().str.join("\n"))
    both = repeated_lines.join(places, on="line_id", how="left").join(
        places, left_on="line_id_first", right_on="line_id", how="left", suffix="_first"
    )
    is_other = (col("places") != col("places_first")).fill_null(False)
    kind = pl.when(is_other).then(lit(Kind.REPEATED_WITH_OTHER_BOXES.value))
    return losses_of(both, kind.otherwise(lit(Kind.REPEATED_SOURCE_REF.value)), values)


@table()
def repeated_lines(lines: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """One line whose source-ref an earlier line of the same split has: `first_line` of `first_manifest`."""
    same = ["data_set", "split", "source_ref"]
    order = manifests.select("data_set", "manifest", "split").with_row_index("order")
    rows = lines.filter(col("bucket").is_not_null()).select("line_id", "manifest", "line", *same)
    repeated = rows.filter(pl.struct(same).is_duplicated())
    return (
        repeated.join(order, on=["data_set", "manifest", "split"])
        .sort("order", "line")
        .with_columns(
            first_manifest=col("manifest").first().over(same),
            first_line=col("line").first().over(same),
            line_id_first=col("line_id").first().over(same),
            n=pl.int_range(pl.len()).over(same),
        )
        .filter(col("n") > 0)
        .select(
            "data_set", "line_id", "manifest", "line", "source_ref", "first_manifest", "first_line", "line_id_first"
        )
    )


@table()
def image_losses(lines: LazyFrame, problems: LazyFrame, attributes: LazyFrame, images: LazyFrame) -> LazyFrame:
    """One line whose image the service does not accept, judged by its file: `kind` and `values`.

    Images that are not on this machine are not judged, unless S3 says that they do not exist, nor are images of lines
    whose structure the service refuses first. Where a line declares `image_size`, the aspect ratio is judged by that,
    in `declared_size_losses`.
    """
    short, long = pl.min_horizontal("width", "height"), pl.max_horizontal("width", "height")
    is_out = (short < MIN_IMAGE_SIDE) | (long > MAX_IMAGE_SIDE)
    reasons = (
        (Kind.MISSING_IMAGE, col("fault") == "no-object", col("detail")),
        (Kind.NOT_AN_IMAGE, col("fault") == "no-image", col("detail")),
        (Kind.UNSUPPORTED_IMAGE_FORMAT, ~col("format").is_in(["JPEG", "PNG", "MPO"]), col("format")),
        (Kind.IMAGE_FILE_TOO_LARGE, col("bytes") > MAX_IMAGE_BYTES, lit(None)),
        (Kind.IMAGE_SIDE_OUT_OF_RANGE, is_out, _size("width", "height")),
        (Kind.IMAGE_TOO_ELONGATED, long > MAX_ASPECT * short, _size("width", "height")),
    )
    fault = col("fault").fill_null("")
    judged = images.filter((col("found") & ~fault.is_in(["not-fetched", "refused"])) | (fault == "no-object"))
    bad = judged.select(
        *("data_set", "source_ref", "bytes"),
        kind=pl.coalesce(pl.when(is_true).then(lit(kind.value)) for kind, is_true, _ in reasons),
        found=pl.coalesce(pl.when(is_true).then(found.cast(pl.String)) for _, is_true, found in reasons),
    ).filter(col("kind").is_not_null())
    refused = problems.filter(col("kind").is_in(kinds_with(Effect.FINAL))).select("line_id")
    named = (
        lines.select("data_set", "line_id", "manifest", "line", "source_ref")
        .join(bad, on=["data_set", "source_ref"])
        .join(refused, on="line_id", how="anti")
    )
    declared = (
        attributes.select("line_id", "boxes", "image_width")
        .join(named.select("line_id"), on="line_id", how="semi")
        .group_by("line_id")
        .agg(has_boxes=(col("boxes") > 0).any(), has_size=col("image_width").is_not_null().any())
    )
    is_dimension = (col("kind") == Kind.IMAGE_SIDE_OUT_OF_RANGE.value) & col("has_boxes").fill_null(False)
    is_elongated = col("kind") == Kind.IMAGE_TOO_ELONGATED.value
    return (
        named.join(declared, on="line_id", how="left")
        .filter(~(is_elongated & col("has_size").fill_null(False)))
        .with_columns(kind=pl.when(is_dimension).then(lit(Kind.INVALID_IMAGE_DIMENSION.value)).otherwise("kind"))
        .select("data_set", "line_id", "manifest", "line", "source_ref", "kind", "found", "bytes")
    )


@table()
def declared_size_losses(attributes: LazyFrame, images: LazyFrame, image_losses: LazyFrame) -> LazyFrame:
    """One line whose image the service does not accept, judged by `image_size`: its `kind`, and `found`, the size.

    If the image was measured, its sides are judged by the file instead.
    """
    sides = (pl.min_horizontal("image_width", "image_height"), pl.max_horizontal("image_width", "image_height"))
    measured = images.filter(col("width").is_not_null()).select("data_set", "source_ref", is_measured=lit(True))
    return (
        attributes.filter("usable", col("kind") == "detection")
        .with_columns(
            is_out=((sides[0] < MIN_IMAGE_SIDE) | (sides[1] > MAX_IMAGE_SIDE)) & (col("boxes") > 0),
            is_long=sides[1] > MAX_ASPECT * sides[0],
        )
        .filter(col("is_out") | col("is_long"))
        .join(measured, on=["data_set", "source_ref"], how="left")
        .with_columns(is_out=col("is_out") & col("is_measured").is_null())
        .filter(col("is_out") | col("is_long"))
        .join(image_losses.select("line_id"), on="line_id", how="anti")
        .sort("attribute")
        .group_by("line_id", maintain_order=True)
        .agg(
            col("data_set", "manifest", "line", "source_ref").first(),
            col("is_out").any(),
            found=_size("image_width", "image_height").first(),
        )
        .select(
            *("data_set", "line_id", "manifest", "line", "source_ref", "found"),
            kind=pl.when("is_out")
            .then(lit(Kind.INVALID_IMAGE_DIMENSION.value))
            .otherwise(lit(Kind.IMAGE_TOO_ELONGATED.value)),
        )
    )


@table()
def losses(
    problems: LazyFrame,
    attributes: LazyFrame,
    boxes: LazyFrame,
    labels: LazyFrame,
    image_losses: LazyFrame,
    declared_size_losses: LazyFrame,
    repeated_lines: LazyFrame,
) -> LazyFrame:
    """One box, attribute or line that the service removes or warns of, with the reason."""
    sound = boxes.filter("usable")
    bad = sound.filter(is_outside() | is_too_small())
    size = _size("image_width", "image_height")
    small = bad.filter(is_too_small())
    all_bad = (
        bad.group_by("line_id")
        .agg(col("data_set", "manifest", "line", "source_ref").first(), bad=pl.len())
        .join(
            sound.join(bad.select("line_id").unique(), on="line_id", how="semi")
            .group_by("line_id")
            .agg(boxes=pl.len()),
            on="line_id",
        )
        .filter(col("bad") == col("boxes"))
        .join(labels.filter("usable").select("line_id"), on="line_id", how="anti")
    )
    crowded = attributes.filter("usable", col("kind") == "detection", col("boxes") > MAX_ACCEPTED_BOXES)
    return pl.concat(
        [
            losses_of(problems.filter(col("kind") != Kind.RECORDED_ERROR.value), col("kind"), col("values")),
            _outside(bad),
            losses_of(
                small.filter(~is_placeholder()),
                Kind.BOX_TOO_SMALL,
                {"found": _size("width", "height"), "expected": size},
            ),
            losses_of(small.filter(is_placeholder()), Kind.PLACEHOLDER_BOX, {"found": _size("width", "height")}),
            losses_of(all_bad, Kind.NO_VALID_BOXES, {"count": col("boxes")}),
            losses_of(
                crowded,
                Kind.TOO_MANY_BOXES,
                {"key": col("attribute"), "count": col("boxes"), "limit": MAX_ACCEPTED_BOXES},
            ),
            losses_of(declared_size_losses, col("kind"), {"found": col("found")}),
            losses_of(
                image_losses, col("kind"), {"found": col("found"), "count": col("bytes"), "limit": MAX_IMAGE_BYTES}
            ),
            _repeated(repeated_lines, boxes),
        ]
    )


@table()
def lost_lines(losses: LazyFrame, attributes: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """One line that the service removes.

    `removed_silently` says whether it does so without a message, `are_all` whether it removes all of the manifest.
    """
    place = ("line_id", "data_set", "manifest", "line")
    whole = losses.filter(col("loses") == "line", col("line").is_not_null()).select(
        *place, removed_silently=col("kind").is_in(kinds_with(Effect.SILENT))
    )
    damaged = attributes.filter(~col("usable")).select("line_id").unique()
    without_attributes = (
        attributes.join(damaged, on="line_id", how="semi")
        .group_by("line_id")
        .agg(col("data_set", "manifest", "line").first(), col("usable").any())
        .filter(~col("usable"))
        .select(*place, removed_silently=lit(False))
    )
    same = pl.concat([whole, without_attributes]).group_by("line_id")
    lost = same.agg(col("data_set", "manifest", "line").first(), col("removed_silently").any())
    manifest = ["data_set", "manifest"]
    counts = lost.group_by(manifest).agg(lost=col("line").n_unique())
    lengths = manifests.group_by(manifest).agg(count=col("lines").max())
    whole_manifests = counts.join(lengths, on=manifest).select(*manifest, are_all=col("lost") == col("count"))
    return lost.join(whole_manifests, on=manifest, how="left")


@table()
def usable_labels(labels: LazyFrame, boxes: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
    """One label of a split and use case (classification or detection) that training can use, and its `images`."""
    columns = ("line_id", "data_set", "split", "label")
    # With millions of boxes, every column that is carried along costs.
    is_sound = col("usable") & ~is_outside() & ~is_too_small()
    lost = lost_lines.select("line_id")
    sound = (labels.filter("usable").select(columns), boxes.filter(is_sound).select(columns))
    return images_of_labels(*(rows.join(lost, on="line_id", how="anti") for rows in sound))


@table()
def verdicts(rooted_losses: LazyFrame, data_set_verdicts: LazyFrame) -> LazyFrame:
    """One box, attribute, line or training that the service rejects: its code, and the code of our rule as `cause`.

    `caused_by` is the code of the rule that reports what it follows from, null where it follows from nothing else.
    """
    return pl.concat([rooted_losses, data_set_verdicts])
