"""How the images of two parts of a data set differ: training and test images, training and reference images."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
from polars import DataFrame, LazyFrame, Series, col, lit

from groundlint import table
from groundlint_rules.features.embeddings import NUMBERS
from groundlint_rules.wide_columns import values_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MIN_IMAGES = 20
"""Images that each part needs to be compared."""

MIN_AUROC = 0.6
"""Area under the ROC curve below which a difference is too small to be tested."""

MAX_RELATED = 20
"""Images that a comparison shows."""

_MAX_COMPARED = 1_000
"""Images of each part that are compared, chosen by a hash of their name."""

_COMPONENTS = 32
"""Principal components of the embeddings by which images are compared."""

_KNOWN = 0.5
"""Share of the images of each part for which a trait must be known."""

_IMAGE = ("data_set", "source_ref")


class Trait(NamedTuple):
    """A measure by which images may differ.

    `words` name it, `more` and `less` are what images are that have more or less of it, and `number` is how its values
    are written.
    """

    words: str
    more: str
    less: str
    number: str = "{:.0f}"


TRAITS = {
    "long_side": Trait("longer side", "larger", "smaller", "{:,.0f} px"),
    "aspect_ratio": Trait("aspect ratio", "wider", "narrower", "{:.2f}"),
    "brightness": Trait("gray level (of 255)", "brighter", "darker"),
    "spread": Trait("contrast (of 255)", "higher in contrast", "lower in contrast"),
    "blur": Trait("blur", "blurrier", "sharper", "{:.1f} px"),
    "saturation": Trait("saturation (of 255)", "more colorful", "less colorful"),
    "redness": Trait("redness", "redder", "greener"),
    "yellowness": Trait("yellowness", "yellower", "bluer"),
}

_MEASURED = ("brightness", "spread", "blur", "saturation", "redness", "yellowness")

_SCHEMA = pl.Schema(
    {
        "data_set": pl.Int32(),
        "part": pl.String(),
        "auroc": pl.Float64(),
        "p_value": pl.Float64(),
        "trait": pl.String(),
        "trait_auroc": pl.Float64(),
        "difference": pl.String(),
        "average": pl.String(),
        "value": pl.Float64(),
        "trained": pl.Float64(),
        "related": pl.List(pl.String()),
    }
)


@table(features=(*_MEASURED, "image_embedding"))
def split_shifts(
    images: LazyFrame, lines: LazyFrame, duplicate_groups: LazyFrame, reference_images: LazyFrame
) -> DataFrame:
    """One trait by which the images of a part of a data set are compared with its training images.

    `part` is test or reference. `auroc` is how well a classifier, which sees all traits or the embeddings, tells images
    of the part from training images, and `p_value` how often it would do as well if the images were divided at random:
    null where `auroc` is below 0.6. `trait_auroc` is the same for the trait alone, below 0.5 if the part has less of
    it; `difference` says it in a word. `value` and `trained` are the medians of the trait in the part and in the
    training images, or the means if the medians are equal, as `average` says. `related` names up to 20 images that are
    most unlike training images. Each part needs 20 images, of duplicates one counts, and of more than 1,000 a sample.
    """
    named = lines.select(*_IMAGE, part=col("split").cast(pl.String)).drop_nulls().unique()
    parts = pl.concat([named, reference_images.select(*_IMAGE, part=lit("reference"))])
    divided = parts.filter(col("part").n_unique().over("data_set") > 1)
    measured = pl.concat(
        [
            _traits_of(images).join(divided.filter(col("part") != "reference"), on=_IMAGE),
            _traits_of(reference_images).join(divided.filter(col("part") == "reference"), on=_IMAGE),
        ]
    )
    rows = (
        measured.join(duplicate_groups.select(*_IMAGE, "group"), on=_IMAGE, how="left")
        .with_columns(group=pl.coalesce("group", "source_ref"))
        # A duplicate of a training image says nothing about a difference.
        .sort("data_set", "group", "part", "source_ref")
        .unique(["data_set", "group"], keep="last", maintain_order=True)
        .collect()
    )
    of_sets = rows.partition_by("data_set", maintain_order=True) or [rows]
    sampled = pl.concat(_sampled(of_set) for of_set in of_sets)
    # Of the sample only, because embeddings are wide.
    of_parts = [
        part.join(values_of(part.lazy(), seen, "image_embedding"), on=_IMAGE, how="left", maintain_order="left")
        for part, seen in (
            (sampled.filter(col("part") != "reference"), images),
            (sampled.filter(col("part") == "reference"), reference_images),
        )
    ]
    embedded = pl.concat(of_parts)
    found = [
        row for (data_set,), of in embedded.group_by("data_set", maintain_order=True) for row in _compared(of, data_set)
    ]
    return DataFrame(found, schema=_SCHEMA, orient="row")


def _traits_of(images: LazyFrame) -> LazyFrame:
    """The traits of each image that was measured."""
    width, height = (col(side).cast(pl.Float64) for side in ("width", "height"))
    return images.filter(col("brightness").is_not_null()).select(
        *(*_IMAGE, *_MEASURED),
        long_side=pl.max_horizontal(width, height),
        aspect_ratio=width / height,
    )


def _compared(rows: DataFrame, data_set: Any) -> Iterator[dict[str, Any]]:
    """The traits of the parts of a data set that have enough images."""
    train = rows.filter(col("part") == "train")
    for part in ("test", "reference"):
        other = rows.filter(col("part") == part)
        if min(train.height, other.height) >= MIN_IMAGES:
            yield from ({"data_set": data_set, "part": part, **row} for row in _comparison(train, other))


def _sampled(rows: DataFrame) -> DataFrame:
    """The rows of at most 1,000 images of each part, in an order that has nothing to do with their names."""
    digests = [blake2b(ref.encode("utf-8", "surrogatepass"), digest_size=8).digest() for ref in rows["group"]]
    shuffled = rows.with_columns(Series("digest", digests, dtype=pl.Binary)).sort("digest", "source_ref")
    return shuffled.filter(pl.int_range(pl.len()).over("part") < _MAX_COMPARED)


def _comparison(train: DataFrame, other: DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of one comparison, one for each trait that is known of both parts."""
    import numpy as np

    from groundlint_rules.algorithms.discriminant import fold_of
    from groundlint_rules.algorithms.two_sample import auroc, compare

    both = pl.concat([train, other])
    is_other = np.arange(both.height) >= train.height
    known = [name for name in TRAITS if all(part[name].count() >= _KNOWN * part.height for part in (train, other))]
    blocks: list[NDArray[np.floating]] = [_traits(both, known)]
    if both["image_embedding"].null_count() == 0:
        blocks.append(_embeddings(both["image_embedding"]))
    folds = np.array([fold_of(group.encode("utf-8", "surrogatepass")) for group in both["group"]], np.intp)
    result = compare(blocks, is_other, folds, b"".join(both["digest"]), min_auroc=MIN_AUROC)
    nearest_first = np.argsort(-result.scores[is_other], kind="stable")[:MAX_RELATED]
    shared = {
        "auroc": result.auroc,
        "p_value": result.p_value,
        "related": other["source_ref"].gather(nearest_first).to_list(),
    }
    for name in known:
        is_known = both[name].is_not_null().to_numpy()
        area = auroc(both[name].drop_nulls().to_numpy(), is_other[is_known])
        difference = TRAITS[name].more if area > 0.5 else TRAITS[name].less
        found = {"trait": name, "trait_auroc": round(area, 6), "difference": difference}
        yield {**found, **_averages(other[name], train[name]), **shared}


def _averages(other: Series, train: Series) -> dict[str, Any]:
    """The averages of a trait in two parts, and the word for what the first is."""
    trait = TRAITS[other.name]
    average, value, trained = "median", other.median(), train.median()
    if trait.number.format(value) == trait.number.format(trained):
        # A minority of the images differs.
        average, value, trained = "mean", other.mean(), train.mean()
    return {"average": average, "value": value, "trained": trained}


def _traits(rows: DataFrame, names: list[str]) -> NDArray[np.float64]:
    """The ranks of the images in each trait, -1 to 1, with the middle for unknown values, (images, traits)."""
    ranks = rows.select((col(name).rank() - 0.5) / col(name).count() * 2 - 1 for name in names)
    return ranks.fill_null(0.0).to_numpy()


def _embeddings(column: Series) -> NDArray[np.floating]:
    """The principal components of embeddings, (images, components)."""
    import numpy as np

    from groundlint_rules.algorithms.discriminant import Block, components
    from groundlint_rules.algorithms.stacked import stacked

    block = Block(stacked(column, NUMBERS, np.uint8), root=True, components=_COMPONENTS, are_roots=True)
    return components(block, np.arange(len(column)))
