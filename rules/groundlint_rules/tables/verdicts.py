"""What the service would make of the data: box lost, line lost, a fifth of the lines lost, too few labels left."""

from __future__ import annotations

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import table, worded

MAX_BOXES = 50
MIN_SIDE, MAX_SIDE = 64, 4096
MAX_ASPECT = 20
MAX_BYTES = 15 * 1024 * 1024
"""The documents say 15 MB and not which; the larger reading raises no false alarm."""
RESIZED_SIDE = 1280
"""Longest side, in pixels, to which training scales larger images."""

SILENTLY_REMOVED = ("line-too-long", "missing-source-ref", "invalid-source-ref", "invalid-json", "repeated-source-ref")
"""Kinds of loss that the service counts as terminal content errors and does not show."""

_FIRST_GROUP = (
    "missing-source-ref",
    "invalid-source-ref",
    "no-label-attributes",
    "invalid-label-attribute",
    "invalid-label-metadata",
    "missing-box-confidence",
    "missing-class-id",
    "invalid-json",
)
"""Kinds of loss after which the service does not look at the image."""

SERVICE_CODES = {
    "not-a-manifest": "ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT",
    "empty-manifest": "ERROR_EMPTY_MANIFEST",
    "manifest-too-large": "ERROR_MANIFEST_SIZE_TOO_LARGE",
    "invalid-json": "ERROR_INVALID_JSON_LINE",
    "missing-source-ref": "ERROR_MISSING_SOURCE_REF",
    "invalid-source-ref": "ERROR_INVALID_SOURCE_REF_FORMAT",
    "no-label-attributes": "ERROR_NO_LABEL_ATTRIBUTES",
    "no-valid-label-attributes": "ERROR_NO_VALID_LABEL_ATTRIBUTES",
    "unsupported-label-type": "ERROR_UNSUPPORTED_USE_CASE_TYPE",
    "invalid-label-attribute": "ERROR_INVALID_LABEL_ATTRIBUTE_FORMAT",
    "invalid-label-metadata": "ERROR_INVALID_LABEL_ATTRIBUTE_METADATA_FORMAT",
    "missing-box-confidence": "ERROR_MISSING_BOUNDING_BOX_CONFIDENCE",
    "missing-class-id": "ERROR_MISSING_CLASS_MAP_ID",
    "label-name-too-long": "ERROR_INVALID_LABEL_NAME_LENGTH",
    "unannotated-line": "WARNING_UNANNOTATED_RECORD",
    "line-without-boxes": "WARNING_NO_ANNOTATIONS",
    "attribute-without-boxes": "WARNING_NO_ATTRIBUTE_ANNOTATIONS",
    "box-outside-image": "ERROR_INVALID_BOUNDING_BOX",
    "box-too-small": "ERROR_BOUNDING_BOX_TOO_SMALL",
    "too-many-boxes": "ERROR_TOO_MANY_BOUNDING_BOXES",
    "no-valid-boxes": "ERROR_NO_VALID_ANNOTATIONS",
    "invalid-image-dimension": "ERROR_INVALID_IMAGE_DIMENSION",
    "invalid-image": "ERROR_INVALID_IMAGE",
}
"""The service's code for each kind of fault that has one."""

SCHEMA = {
    "manifest": pl.String,
    "line": pl.Int32,
    "attribute": pl.String,
    "box": pl.Int32,
    "source_ref": pl.String,
    "label": pl.String,
    "kind": pl.String,
    "aws": pl.String,
    "loses": pl.String,
    "detail": pl.String,
}

# Workers' boxes are averaged: 138.8 + 541.2 must not exceed 680.
_ROUNDING = 1e-6


def is_outside() -> Expr:
    """Whether a box leaves the frame that `image_size` declares, or has a negative side."""
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


def _losses(rows: LazyFrame, kind: str | Expr, loses: str | Expr | None, detail: Expr) -> LazyFrame:
    """Rows of `losses`; key columns that the rows lack are null."""
    kinds = lit(kind) if isinstance(kind, str) else kind
    present = rows.collect_schema().names()
    keys = [col(key) if key in present else lit(None, SCHEMA[key]).alias(key) for key in list(SCHEMA)[:6]]
    return rows.select(
        *(key.cast(SCHEMA[name]) for key, name in zip(keys, SCHEMA, strict=False)),
        kind=kinds,
        aws=kinds.replace_strict(SERVICE_CODES, default=None, return_dtype=pl.String),
        loses=loses if isinstance(loses, Expr) else lit(loses, pl.String),
        detail=detail,
    )


@table()
def repeated_lines(lines: LazyFrame, manifests: LazyFrame) -> LazyFrame:
    """Lines whose source-ref an earlier line of the same split has; that line is `first_manifest`, `first_line`.

    A manifest may stand in several splits, and its line then here once for each.
    """
    order = manifests.select("manifest", "split").with_row_index("order")
    rows = lines.filter(col("bucket").is_not_null()).select("manifest", "line", "split", "source_ref")
    repeated = rows.filter(pl.struct("split", "source_ref").is_duplicated())
    same = ["split", "source_ref"]
    return (
        repeated.join(order, on=["manifest", "split"])
        .sort("order", "line")
        .with_columns(
            first_manifest=col("manifest").first().over(same),
            first_line=col("line").first().over(same),
            n=pl.int_range(pl.len()).over(same),
        )
        .filter(col("n") > 0)
        .select(
            *("manifest", "line", "source_ref", "first_manifest", "first_line"),
            detail=worded(
                "{} already stands on line {} of {}; only that line counts",
                "source_ref",
                "first_line",
                "first_manifest",
            ),
        )
    )


@table()
def image_losses(lines: LazyFrame, problems: LazyFrame, attributes: LazyFrame, images: LazyFrame) -> LazyFrame:
    """One line whose image, as it is found, the service does not take: its `kind` and `detail`.

    An image that Git LFS has not fetched is not judged, nor that of a line whose structure the service refuses first.
    How long an image is for its width is told by `image_size` where a line declares it, and not here.
    """
    short, long = pl.min_horizontal("width", "height"), pl.max_horizontal("width", "height")
    size = worded("the file's picture has {} x {} pixels", "width", "height")
    is_out = (short < MIN_SIDE) | (long > MAX_SIDE)
    reasons = (
        (col("fault") == "refused", worded("the image is not opened: {}", "detail")),
        (~col("found"), lit("the image is not found; bring it, or mend the source-ref")),
        (col("fault") == "no-image", worded("the file is no image that can be read: {}", "detail")),
        (
            ~col("format").is_in(["JPEG", "PNG", "MPO"]),
            worded("the file is {}; the service takes JPEG and PNG, convert it", "format"),
        ),
        (
            col("bytes") > MAX_BYTES,
            worded(f"the file has {{}} bytes, more than {MAX_BYTES}; compress it", "bytes"),
        ),
        (is_out, worded(f"{{}}; a side is outside {MIN_SIDE} to {MAX_SIDE}, scale it", size)),
    )
    detail = pl.coalesce(pl.when(reason).then(text) for reason, text in reasons)
    too_long = worded(f"{{}}, more than {MAX_ASPECT} times as long as wide; cut it", size)
    too_long = pl.when(detail.is_null(), long > MAX_ASPECT * short).then(too_long)
    judged = images.filter((col("fault") != "not-fetched") | col("fault").is_null())
    bad = judged.select("source_ref", is_out=is_out.fill_null(False), detail=detail, too_long=too_long)
    bad = bad.filter(col("detail").is_not_null() | col("too_long").is_not_null())
    key = ["manifest", "line"]
    declared = attributes.group_by(key).agg(
        has_boxes=(col("boxes") > 0).any(), has_size=col("image_width").is_not_null().any()
    )
    refused = problems.filter(col("kind").is_in(_FIRST_GROUP)).select(key)
    named = (
        lines.join(bad, on="source_ref")
        .join(refused, on=key, how="anti")
        .join(declared, on=key, how="left")
        .with_columns(
            detail=pl.when(col("has_size").fill_null(False)).then("detail").otherwise(pl.coalesce("detail", "too_long"))
        )
        .filter(col("detail").is_not_null())
    )
    is_dimension = col("is_out") & col("has_boxes").fill_null(False) & col("detail").str.contains("a side is outside")
    kind = pl.when(is_dimension).then(lit("invalid-image-dimension")).otherwise(lit("invalid-image"))
    return named.select("manifest", "line", "source_ref", "detail", kind=kind)


@table()
def losses(
    problems: LazyFrame,
    attributes: LazyFrame,
    boxes: LazyFrame,
    labels: LazyFrame,
    images: LazyFrame,
    image_losses: LazyFrame,
    repeated_lines: LazyFrame,
) -> LazyFrame:
    """One box, attribute or line that the service removes or complains of, with the reason."""
    detections = attributes.filter("usable", col("kind") == "detection").select(
        "manifest", "line", "attribute", "source_ref", "image_width", "image_height", "boxes"
    )
    side = (pl.min_horizontal("image_width", "image_height"), pl.max_horizontal("image_width", "image_height"))
    sizes = detections.with_columns(
        is_out=((side[0] < MIN_SIDE) | (side[1] > MAX_SIDE)) & (col("boxes") > 0),
        is_long=side[1] > MAX_ASPECT * side[0],
    ).filter(col("is_out") | col("is_long"))
    # How large a picture is that was looked at is told by the file, how long for its width by what is declared.
    seen = images.filter(col("width").is_not_null()).select("source_ref", is_seen=lit(True))
    lost = image_losses.select("manifest", "line")
    sizes = (
        sizes.join(seen, on="source_ref", how="left")
        .with_columns(is_out=col("is_out") & col("is_seen").is_null())
        .filter(col("is_out") | col("is_long"))
        .join(lost, on=["manifest", "line"], how="anti")
        .sort("attribute")
        .group_by("manifest", "line", maintain_order=True)
        .agg(col("source_ref", "image_width", "image_height").first(), col("is_out").any())
    )
    sound = boxes.filter("usable")
    bad = sound.filter(is_outside() | is_too_small()).with_columns(outside=is_outside(), small=is_too_small())
    image = ("image_width", "image_height")
    box = ("left", "top", "width", "height")
    all_bad = (
        bad.group_by("manifest", "line")
        .agg(bad=pl.len(), source_ref=col("source_ref").first())
        .join(
            sound.join(bad.select("manifest", "line").unique(), on=["manifest", "line"], how="semi")
            .group_by("manifest", "line")
            .agg(boxes=pl.len()),
            on=["manifest", "line"],
        )
        .filter(col("bad") == col("boxes"))
        .join(labels.filter("usable"), on=["manifest", "line"], how="anti")
    )
    return pl.concat(
        [
            _losses(problems.filter(col("kind") != "recorded-error"), col("kind"), col("loses"), col("detail")),
            _losses(
                bad.filter("outside"),
                "box-outside-image",
                "box",
                worded(
                    "box {} of {} (left {}, top {}, width {}, height {}) leaves the image of {} x {} pixels",
                    *("box", "label", *box, *image),
                ),
            ),
            _losses(
                bad.filter("small"),
                "box-too-small",
                "box",
                worded(
                    "box {} of {} ({} x {}) has a side of 1 pixel or less once training scales the image of {} x {}",
                    *("box", "label", "width", "height", *image),
                ),
            ),
            _losses(all_bad, "no-valid-boxes", "line", worded("none of the {} boxes of the line can be used", "boxes")),
            _losses(
                detections.filter(col("boxes") > MAX_BOXES),
                "too-many-boxes",
                None,
                worded(f"`{{}}` has {{}} boxes; the service takes {MAX_BOXES}", "attribute", "boxes"),
            ),
            _losses(
                sizes.filter("is_out"),
                "invalid-image-dimension",
                "line",
                worded(
                    f"the image of {{}} x {{}} pixels has a side outside {MIN_SIDE} to {MAX_SIDE}; "
                    "scale it with its boxes",
                    *image,
                ),
            ),
            _losses(
                sizes.filter(~col("is_out")),
                "invalid-image",
                "line",
                worded(
                    f"the image of {{}} x {{}} pixels is more than {MAX_ASPECT} times as long as wide; cut it", *image
                ),
            ),
            _losses(image_losses, col("kind"), "line", col("detail")),
            _losses(repeated_lines, "repeated-source-ref", "line", col("detail")),
        ]
    )


@table()
def lost_lines(losses: LazyFrame, attributes: LazyFrame) -> LazyFrame:
    """Lines that the service removes: `removed_silently` says whether without a word."""
    key = ["manifest", "line"]
    whole = losses.filter(col("loses") == "line", col("line").is_not_null()).select(
        *key, removed_silently=col("kind").is_in(SILENTLY_REMOVED)
    )
    hurt = attributes.filter(~col("usable")).select(key).unique()
    empty = (
        attributes.join(hurt, on=key, how="semi")
        .group_by(key)
        .agg(col("usable").any())
        .filter(~col("usable"))
        .select(*key, removed_silently=lit(False))
    )
    return pl.concat([whole, empty]).group_by(key).agg(col("removed_silently").any())


@table()
def usable_labels(labels: LazyFrame, boxes: LazyFrame, lost_lines: LazyFrame) -> LazyFrame:
    """One label of a split and use case (classification or detection) that training can use, and its `images`."""
    # Millions of boxes: no column is carried along that is not needed.
    is_sound = col("usable") & ~is_outside() & ~is_too_small()
    rows = {
        "classification": labels.select("manifest", "line", "split", "label", is_sound="usable"),
        "detection": boxes.select("manifest", "line", "split", "label", is_sound=is_sound),
    }
    counts = [
        sound.filter("is_sound")
        .join(lost_lines, on=["manifest", "line"], how="anti")
        .group_by("manifest", "split", "label")
        .agg(images=col("line").n_unique())
        .with_columns(use_case=lit(use_case))
        for use_case, sound in rows.items()
    ]
    return pl.concat(counts).group_by("split", "use_case", "label").agg(col("images").sum())


@table()
def verdicts(losses: LazyFrame, data_set_verdicts: LazyFrame) -> LazyFrame:
    """One loss by the service: of a box, an attribute, a line or the whole training, with the service's code."""
    return pl.concat([losses, data_set_verdicts])
