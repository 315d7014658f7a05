"""IMG: image files that cannot be read, and images that contradict their manifest."""

from __future__ import annotations

from urllib.parse import unquote, unquote_plus

import polars as pl
from polars import Expr, LazyFrame, col, lit

from groundlint import (
    FACT,
    Bad,
    Good,
    Rule,
    Safety,
    Severity,
    json_number,
    json_string,
    note,
    pointer,
    set_value,
    worded,
)
from groundlint_rules.tables.verdicts import MAX_IMAGE_BYTES, MAX_IMAGE_SIDE


class UnreadableImage(Rule):
    """The image cannot be decoded.

    ## Why it matters
    Training skips the image or stops at it.

    ## How to fix it
    Export the image again from its original.

    ## Causes
    The decoder raised an error, crashed, took too long or would have needed too much memory.
    """

    code = "IMG201"
    name = "image-unreadable"
    severity = Severity.ERROR
    precision = FACT
    message = "the image cannot be decoded: {detail}; export it again"
    features = ("decoded",)
    examples = (
        Good(images=[{"decoded": True}]),
        Bad(
            images=[{"fault": "unreadable", "detail": "broken PNG file"}],
            says="the image cannot be decoded: broken PNG file; export it again",
        ),
        Bad(images=[{"fault": "timed-out", "detail": "measuring it takes more than 30 s"}]),
        Good(images=[{"fault": "too-big", "width": 13_000, "height": 13_000}]),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images that failed to decode, except truncated ones and those larger than the service accepts."""
        is_other = col("fault").is_in(["unreadable", "crashed", "timed-out"])
        return images.filter(is_other | ((col("fault") == "too-big") & ~_is_refused_for_size()))


class TruncatedImage(Rule):
    """The image file ends before the image is complete, or zeros stand in the place of its data.

    ## Why it matters
    Decoders fill the rest with gray or reject the file. Usually a download or a copy was interrupted.

    ## How to fix it
    Copy the file again.

    ## How reliable it is
    A JPEG file that lacks nothing but its end marker is whole and is not reported. A run of 64 zero bytes or more in
    the data of a JPEG file is reported if blocks are missing or data is left over, as it is not where an area is flat.
    Zeros in the pixels of uncompressed files (BMP, PPM) and in lossy WebP files are not recognized.
    """

    code = "IMG202"
    name = "image-truncated"
    severity = Severity.ERROR
    precision = FACT
    message = "the image is truncated: {detail}; copy the file again"
    features = ("decoded",)
    examples = (
        Good(images=[{"decoded": True}]),
        Bad(
            images=[{"fault": "truncated", "detail": "image file is truncated (31 bytes not processed)"}],
            says="the image is truncated: image file is truncated (31 bytes not processed); copy the file again",
        ),
        Bad(images=[{"fault": "truncated", "detail": "53,134 bytes of its image data are zeros"}]),
    )

    def check(self, images: LazyFrame) -> LazyFrame:
        """Images whose data ends too early."""
        return images.filter(col("fault") == "truncated")


@note(
    rules=(
        "image-truncated",
        "image-dark",
        "image-bright",
        "image-low-contrast",
        "image-blurred",
        "image-low-information",
        "image-noisy",
        "cluttered-image",
    ),
    message="{count:# image} too big to decode: not judged by rules on the content of images",
)
def image_too_big(images: LazyFrame) -> LazyFrame:
    """The number of images that were not decoded because of a size that Custom Labels rejects by a code of its own."""
    too_big = images.filter(col("fault") == "too-big", _is_refused_for_size())
    return too_big.group_by("data_set").agg(count=pl.len())


def _is_refused_for_size() -> Expr:
    """Whether Custom Labels refuses the size of a file or of its image with a code of its own."""
    return ((col("bytes") > MAX_IMAGE_BYTES) | (pl.max_horizontal("width", "height") > MAX_IMAGE_SIDE)).fill_null(False)


class MissingImage(Rule):
    """The image of a line is not among the local files, or S3 does not give it.

    ## Why it matters
    The image is not judged. It may exist in S3 all the same, so this says nothing about what the service would do.
    That an object does not exist, which only S3 says with `--s3`, is IMG101.

    ## How to fix it
    Copy the image, name its folder with `--images`, or correct the source-ref.

    ## Causes
    - The file does not exist below the folders that were searched, or cannot be opened: one warning per image. If more
      than 3 images and more than 5% of a manifest's images are missing, or none is found, the local files are a partial
      copy, which gives one info for the manifest.
    - A file has almost the same name: it differs in URL encoding, upper and lower case, Unicode normalization, slashes
      or extension. This is always a finding of its own.
    - Links lead outside the folders that are searched, as DVC makes them: one info for the manifest. They are followed
      if the folder that they lead to is given with `--images`.
    - With `--s3`, S3 refuses to give the image: access is denied, or it is archived, or encrypted with a key that the
      credentials may not use. More than 3 images and more than 5% of a manifest's images with the same reason give one
      warning for the manifest.
    - Under `--target ground-truth`, the file is not an image, or S3 says that it does not exist; the labeling job fails
      on it.

    With `--require-images` all findings are errors.
    """

    code = "IMG203"
    name = "image-missing"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "absent": "image not found: no {detail}; copy it, or name its folder with --images",
        "refused": "image not opened: {detail}; put a readable file below an image folder",
        "misnamed": "image not found, but {detail}; write the key as the object is named",
        "partial": "partial copy: {count:,} of {total:,} images are not among the local files ({example}); "
        "copy them, or name their folder with --images",
        "none": "partial copy: {count:,} of {total:,} images are not among the local files; copy them, or name their "
        "folder with --images",
        "links": "{count:,} of {total:# image} not opened: links that lead outside the roots; name the folder that "
        "they lead to with `--images CACHE`",
        "inaccessible": "image not read from S3: {detail}",
        "inaccessible-images": "{count:,} of {total:# image} not read from S3: {detail}",
        "no-object": "the image cannot be loaded: {detail}; upload it or correct the source-ref",
        "no-image": "the file is not an image that can be read: {detail}; replace or convert the file",
    }
    fixes = {Safety.SAFE: "Decodes a URL-encoded key if a file with the decoded name exists."}
    targets = ("rekognition", "ground-truth")
    images_are_optional = True
    is_on_missing_images = True
    examples = (
        Good(images=[{}], lines=[{}]),
        Bad(
            images=[{"found": False, "path": None, "detail": "1.jpg below ."}, {"source_ref": "s3://bucket/2.jpg"}],
            lines=[{}, {"line": 2, "source_ref": "s3://bucket/2.jpg"}],
            says="image not found: no 1.jpg below .; copy it, or name its folder with --images",
        ),
        Bad(
            images=[
                {
                    "found": False,
                    "path": None,
                    "fault": "misnamed",
                    "detail": "1.JPG exists: upper and lower case differ",
                }
            ],
            lines=[{}],
            says="image not found, but 1.JPG exists: upper and lower case differ; write the key as the object is named",
        ),
        Bad(
            images=[
                {
                    "source_ref": "s3://bucket/a%20b.jpg",
                    "found": False,
                    "path": None,
                    "fault": "misnamed",
                    "detail": "a b.jpg exists: the key is URL-encoded",
                }
            ],
            says="image not found, but a b.jpg exists: the key is URL-encoded; write the key as the object is named",
        ),
        Bad(
            images=[{"found": False, "path": None, "fault": "leads-outside", "detail": "it is outside data"}],
            lines=[{}],
            says="1 of 1 image not opened: links that lead outside the roots; name the folder that they lead to with "
            "`--images CACHE`",
        ),
        Bad(
            images=[{"found": False, "path": None, "fault": "inaccessible", "detail": "it is archived in Glacier"}],
            lines=[{}],
            says="image not read from S3: it is archived in Glacier",
        ),
        Good(
            images=[{"found": False, "path": None, "fault": "no-object", "detail": "the object does not exist"}],
            lines=[{}],
        ),
        Bad(
            lines=[{}, {"line": 2, "source_ref": "s3://bucket/2.jpg"}],
            says="partial copy: 2 of 2 images are not among the local files; copy them, or name their folder with "
            "--images",
        ),
    )

    def check(self, missing_images: LazyFrame, images: LazyFrame, limits: LazyFrame, lines: LazyFrame) -> LazyFrame:
        """Missing images, one by one or counted for their manifest, and files that a labeling job cannot read."""
        counted = missing_images.filter("is_counted", ~col("kind").is_in(["not-fetched", "inaccessible"]))
        of_manifests = (
            counted.with_columns(
                example=pl.when(col("kind") == "absent").then(worded("no {}", "detail")).otherwise("detail"),
                kind=pl.when(col("kind") == "links").then("kind").otherwise(lit("none")),
            )
            .group_by("data_set", "manifest", "kind", maintain_order=True)
            .agg(count=pl.len(), total=col("total").first(), example=col("example").drop_nulls().first())
            .with_columns(severity=lit(Severity.INFO.value))
        )
        has_example = (col("kind") == "none") & col("example").is_not_null()
        of_manifests = of_manifests.with_columns(kind=pl.when(has_example).then(lit("partial")).otherwise("kind"))
        refused = missing_images.filter("is_counted", col("kind") == "inaccessible")
        of_reasons = refused.group_by("data_set", "manifest", "detail").agg(
            count=pl.len(), total=col("total").first(), kind=lit("inaccessible-images")
        )
        is_ground_truth = limits.filter(col("target") == "ground-truth").select("target")
        unusable = images.filter(col("fault").is_in(["no-image", "no-object"]))
        unusable = unusable.select("data_set", "source_ref", "detail", kind="fault")
        unusable = unusable.with_columns(severity=lit(Severity.ERROR.value)).join(is_ground_truth, how="cross")
        # For Custom Labels, the service's code for an image that it cannot load covers a missing object.
        single = missing_images.filter(~col("is_counted"), col("kind") != "no-object")
        single = single.join(_decoded(single, lines), on=["data_set", "manifest", "source_ref"], how="left")
        return pl.concat([single, of_manifests, of_reasons, unusable], how="diagonal_relaxed")


def _decoded(missing: LazyFrame, lines: LazyFrame) -> LazyFrame:
    """Missing images whose URL-encoded key has a decoded twin, with the edits of all lines that name them."""
    image = ["data_set", "manifest", "source_ref"]
    is_encoded = col("detail").str.ends_with(": the key is URL-encoded") & col("source_ref").str.starts_with("s3://")
    encoded = missing.filter(col("kind") == "misnamed", is_encoded)
    twins = (
        encoded.with_columns(twin=col("detail").str.strip_suffix(" exists: the key is URL-encoded"))
        .with_columns(decoded=pl.struct("source_ref", "twin").map_elements(_named_like, return_dtype=pl.String))
        .filter(col("decoded").is_not_null())
        .select(*image, "decoded")
    )
    edit = set_value(lit("/source-ref"), json_string(col("decoded")), line=col("line"))
    named = lines.select(*image, "line").join(twins, on=image).sort("line").with_columns(edit=edit)
    return named.group_by(image, maintain_order=True).agg(edits="edit")


def _named_like(image: dict[str, str]) -> str | None:
    """A source-ref with its key decoded so that it ends in the path of the file that was found."""
    bucket, _, key = image["source_ref"].removeprefix("s3://").partition("/")
    ways = (decode(key) for decode in (unquote, unquote_plus))
    decoded = next((each for each in ways if f"/{each}".endswith(f"/{image['twin']}")), None)
    return f"s3://{bucket}/{decoded}" if decoded and decoded.isprintable() else None


class UnfetchedImage(Rule):
    """The content of images is stored elsewhere and was not fetched.

    ## Why it matters
    Nothing is wrong with the data set, but the images cannot be judged on this machine. Each manifest gets one finding.

    ## How to fix it
    Run the command that fetches them before the check.

    ## Causes
    - The files are pointers of Git LFS: run `git lfs pull`.
    - A `.dvc` file stands for the images or their folder, or a link leads to a file that is missing from the cache of
      DVC: run `dvc pull`.
    - The files are pointers or broken links of git-annex: run `git annex get`.
    - With `--s3`, the limit of `--max-download` was reached, or `--s3-bucket` does not name the bucket.

    With `--require-images` the finding is an error.
    """

    code = "IMG204"
    name = "unfetched-image"
    severity = Severity.INFO
    precision = FACT
    message = "{count:,} of {total:# image} cannot be judged: {detail}"
    targets = ("rekognition", "ground-truth")
    features = ("decoded",)
    images_are_optional = True
    is_on_missing_images = True
    examples = (
        Good(images=[{}], lines=[{}]),
        Bad(
            images=[{"fault": "not-fetched", "detail": "stored in Git LFS; run `git lfs pull`"}],
            lines=[{}],
            says="1 of 1 image cannot be judged: stored in Git LFS; run `git lfs pull`",
        ),
    )

    def check(self, missing_images: LazyFrame) -> LazyFrame:
        """Manifests with images whose file is a pointer, and for each reason the number of images."""
        unfetched = missing_images.filter(col("kind") == "not-fetched")
        return unfetched.group_by("data_set", "manifest", "detail").agg(count=pl.len(), total=col("total").first())


class ExifRotatedImage(Rule):
    """EXIF metadata says that the stored image must be rotated or mirrored.

    ## Why it matters
    Some readers apply the EXIF orientation and others do not. Boxes drawn on the rotated view are in the wrong place on
    the stored image, and `image_size` is right for only one of the two.

    ## How to fix it
    Apply the orientation to the pixels, remove it from the EXIF metadata, and check the boxes.

    ## How reliable it is
    The orientation is a fact. For images without boxes whose `image_size` does not contradict it, the finding is an
    info, because most readers handle them.
    """

    code = "IMG205"
    name = "image-exif-rotated"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "boxes": "EXIF orientation {orientation} {turns} this image; boxes drawn on the {turned} view are in the wrong "
        "place",
        "size": "EXIF orientation {orientation} {turns} this image, and `image_size` is that of the {turned} view; "
        "apply it to the pixels",
        "no-boxes": "EXIF orientation {orientation} {turns} this image, and some readers ignore it; "
        "apply it to the pixels",
    }
    features = ("orientation",)
    examples = (
        Good(images=[{"orientation": 1}, {}]),
        Bad(
            images=[{"orientation": 3, "width": 640, "height": 480}],
            says="EXIF orientation 3 rotates this image, and some readers ignore it; apply it to the pixels",
        ),
        Bad(
            images=[{"orientation": 6, "width": 640, "height": 480}],
            boxes=[{}],
            says="EXIF orientation 6 rotates this image; boxes drawn on the rotated view are in the wrong place",
        ),
        Bad(
            images=[{"orientation": 6, "width": 640, "height": 480}],
            boxes=[{"image_width": 480, "image_height": 640}],
            says="EXIF orientation 6 rotates this image, and `image_size` is that of the rotated view; "
            "apply it to the pixels",
        ),
    )

    def check(self, images: LazyFrame, attributes: LazyFrame) -> LazyFrame:
        """Images that readers may rotate; a warning if boxes or `image_size` depend on it."""
        image = ("data_set", "source_ref")
        columns = (*image, "orientation", "width", "height")
        rotated = images.filter(col("orientation").is_between(2, 8)).select(columns)
        is_swapped = (col("image_width") == col("height")) & (col("image_height") == col("width"))
        labeled = attributes.select(*image, "image_width", "image_height", "boxes").join(rotated, on=image)
        of_image = labeled.group_by(image).agg(
            has_size_of_view=(is_swapped & (col("width") != col("height"))).any(), has_boxes=(col("boxes") > 0).any()
        )
        kind = pl.when("has_size_of_view").then(lit("size")).when("has_boxes").then(lit("boxes"))
        is_mirrored = col("orientation").is_in([2, 4])
        rows = rotated.join(of_image, on=image, how="left").with_columns(
            kind=kind.otherwise(lit("no-boxes")),
            turns=pl.when(is_mirrored).then(lit("mirrors")).otherwise(lit("rotates")),
            turned=pl.when(is_mirrored).then(lit("mirrored")).otherwise(lit("rotated")),
        )
        return rows.with_columns(severity=pl.when(col("kind") == "no-boxes").then(lit(Severity.INFO.value)))


class WrongImageSize(Rule):
    """`image_size` differs from the size of the image file.

    ## Why it matters
    Boxes are positions in an image of the declared size. On an image of another size they are in the wrong place.

    ## How to fix it
    If the image was scaled, scale its boxes and `image_size` too. If width and height are swapped, the image was
    rotated after it was labeled.
    """

    code = "IMG206"
    name = "wrong-image-size"
    severity = Severity.WARNING
    precision = FACT
    messages = {
        "other": "`image_size` of `{attribute}` is {image_width} x {image_height} px, but the image is "
        "{width} x {height} px; scale the boxes and `image_size`",
        "swapped": "`image_size` of `{attribute}` is {image_width} x {image_height} px, but the image is "
        "{width} x {height} px: width and height are swapped; rotate the image or the boxes",
    }
    fixes = {Safety.UNSAFE: "Writes the size of the file into `image_size`, if all boxes are within the image then."}
    features = ("orientation",)
    examples = (
        Good(images=[{"width": 640, "height": 480}], attributes=[{}]),
        Good(images=[{"width": 480, "height": 640, "orientation": 6}], attributes=[{}]),
        Bad(
            images=[{"width": 320, "height": 240}],
            attributes=[{}],
            says="`image_size` of `animals` is 640 x 480 px, but the image is 320 x 240 px; scale the boxes and "
            "`image_size`",
        ),
        Bad(
            images=[{"width": 480, "height": 640}],
            attributes=[{}],
            says="`image_size` of `animals` is 640 x 480 px, but the image is 480 x 640 px: width and height are "
            "swapped; rotate the image or the boxes",
        ),
    )

    def check(self, images: LazyFrame, attributes: LazyFrame, boxes: LazyFrame) -> LazyFrame:
        """Attributes that declare another size. Swapped sides that EXIF explains are left to image-exif-rotated."""
        image = ("data_set", "source_ref")
        sizes = images.filter(col("width").is_not_null()).select(*image, "width", "height", "orientation")
        declared = attributes.filter(col("image_width").is_not_null())
        both = declared.select(*image, "attribute_id", "attribute", "image_width", "image_height").join(sizes, on=image)
        is_swapped = (col("image_width") == col("height")) & (col("image_height") == col("width"))
        is_rotated = col("orientation").is_between(5, 8).fill_null(False)
        is_other = (col("image_width") != col("width")) | (col("image_height") != col("height"))
        wrong = both.filter(is_other, ~(is_swapped & is_rotated)).with_columns(
            kind=pl.when(is_swapped).then(lit("swapped")).otherwise(lit("other"))
        )
        ends = boxes.select("attribute_id", right=col("left") + col("width"), bottom=col("top") + col("height"))
        last = (
            ends.join(wrong.select("attribute_id").unique(), on="attribute_id", how="semi")
            .group_by("attribute_id")
            .agg(col("right").max(), col("bottom").max())
        )
        fits = (col("right") <= col("width")).fill_null(True) & (col("bottom") <= col("height")).fill_null(True)
        declared_size = [
            set_value(pointer(col("attribute"), "image_size", "0", side), json_number(col(side)))
            for side in ("width", "height")
        ]
        rows = wrong.join(last, on="attribute_id", how="left")
        is_fixed = (col("kind") == "other") & fits
        return rows.with_columns(edits=pl.when(is_fixed).then(pl.concat_list(declared_size))).drop("right", "bottom")
