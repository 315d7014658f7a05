"""Which images the rules on the quality of images judge."""

from __future__ import annotations

from polars import LazyFrame, col


def decoded(images: LazyFrame) -> LazyFrame:
    """The images that were decoded."""
    return images.filter(col("fault").is_null() & col("digest").is_not_null())
