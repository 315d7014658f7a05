"""IMG: images that are not on this machine."""

from __future__ import annotations

from urllib.parse import unquote, unquote_plus

import polars as pl
from polars import LazyFrame, col, lit

from groundlint import (
    FACT,
    Bad,
    Good,
    Rule,
    Safety,
    Severity,
    json_string,
    set_value,
    worded,
)


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
