"""The hashes of imagehash, for comparison with other programs."""

from __future__ import annotations

import polars as pl
from polars import DataFrame, LazyFrame

from groundlint import table
from groundlint_rules.features.small_image import SIDE

_HASHES = ("phash", "dhash", "whash", "average_hash")


@table(features=("small_image",), objects=("images",))
def image_hashes(images: LazyFrame) -> DataFrame:
    """One image that was measured, and its hashes as imagehash writes them: 16 hexadecimal digits.

    They are those of the image in gray levels, reduced to 32 x 32 px. Of the 64 bits, on average less than one differs
    from the hash that imagehash makes of the file.

    - `phash`: perceptual hash; the `distance` in `near_pairs` is the number of bits in which two of these differ.
    - `dhash`: difference hash.
    - `whash`: wavelet hash.
    - `average_hash`: average hash.
    """
    import imagehash
    from PIL import Image

    measured = images.select("data_set", "source_ref", "small_image").drop_nulls().collect()
    opened = [Image.frombytes("L", (SIDE, SIDE), content) for content in measured["small_image"]]
    columns = [
        pl.Series(name, [str(getattr(imagehash, name)(image)) for image in opened], pl.String) for name in _HASHES
    ]
    return measured.select("data_set", "source_ref").with_columns(columns)
