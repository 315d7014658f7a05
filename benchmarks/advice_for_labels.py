"""Follow the advice of `--evaluation` on a classifier of clothing, and measure what it changes.

    python benchmarks/advice_for_labels.py ../shared/data

The images are divided at random: 40% to train, 20% to test, 20% from which images are added, and 20% for the figures,
on which nothing is chosen. Of the images to train and to test, none or 10% get a wrong label, that of the most similar
image with another label. The advice is followed in its order: the images that `labels-confused-by-the-model` shows are
corrected where their label is wrong, the model is trained again, until no shown label is wrong (5 rounds at most); then
of both labels of each pair the 5 images nearest to the shown ones are added; as a control, as many at random. The
advised thresholds are used on the first model. Figures are means over the labels and over 10 divisions, at the
thresholds with the highest F1 on the test images.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from followed_advice import Advice, Row, advice, divisions, metrics, precision_and_recall, print_steps
from measured import Measured, agreement, halves
from polars import DataFrame, col
from trained_models import Floats, Ints, Labeled, classifier, held_out

DIVISIONS, ROUNDS, ADDED = 10, 5, 5
SHARES = {"train": 0.4, "test": 0.2, "more": 0.2, "fresh": 0.2}
FIGURES = ("precision", "recall", "f1")


def divided(count: int, random: np.random.Generator) -> dict[str, Ints]:
    """Rows of each part."""
    ends = np.rint(np.cumsum(list(SHARES.values())) * count).astype(int)
    return {
        name: np.sort(part) for name, part in zip(SHARES, np.split(random.permutation(count), ends[:-1]), strict=True)
    }


def followed(images: Labeled, wrong: float, seed: int) -> Iterator[Row]:
    """Follow the advice once: a row of figures for each step."""
    random = np.random.default_rng(seed)
    parts = divided(len(images.refs), random)
    given = images.similar_labels(wrong, random)
    train, test, more, fresh = (parts[name] for name in SHARES)
    given[more] = images.classes[more]
    place = {ref: row for row, ref in enumerate(images.refs)}

    def trained(rows: Ints) -> tuple[Advice, Floats]:
        """What is said of a model that is trained on some images, and its probabilities for the fresh images."""
        model = classifier(images.features[rows], given[rows], len(images.names))
        predicted = images.predictions(test, model.probabilities(images.features[test]))
        tested, lines = images.manifest(test, given), images.manifest(rows, given)
        said = advice(images.data, images.cache, tested, predicted, lines)
        return said, model.probabilities(images.features[fresh])

    def measured(step: str, said: Advice, found: Floats, **others: Any) -> Row:
        rows = metrics(images.manifest(fresh, images.classes), images.predictions(fresh, found), said.assumed())
        means = rows.select(col(FIGURES).fill_null(0).mean()).row(0)
        accuracy = float((found.argmax(1) == images.classes[fresh]).mean())
        return {"step": step, **dict(zip(FIGURES, means, strict=True)), "accuracy": accuracy, **others}

    said, found = trained(train)
    yield measured("as it is", said, found, pairs=len(list(said.pairs())))
    yield from advised_thresholds(said, images.predictions(fresh, found), images, fresh)
    seen: set[int] = set()
    corrected = 0
    for _ in range(ROUNDS):
        shown = {place[ref] for _, _, refs in said.pairs() for ref in refs}
        seen |= shown
        bad = [row for row in sorted(shown) if given[row] != images.classes[row]]
        if not bad:
            break
        given[bad] = images.classes[bad]
        corrected += len(bad)
        said, found = trained(train)
    if wrong:
        left = int((given != images.classes)[np.concatenate([train, test])].sum())
        yield measured("labels corrected", said, found, corrected=corrected, wrong=corrected + left, shown=len(seen))
    like: set[int] = set()
    for a, b, refs in said.pairs():
        rows = [place[ref] for ref in refs]
        for label in (a, b):
            own = more[images.classes[more] == images.names.index(label)]
            nearness = (images.features[own] @ images.features[rows].T).max(1)
            like |= set(own[np.argsort(-nearness, kind="stable")[:ADDED]].tolist())
    control = random.choice(more, len(like), replace=False)
    for step, added in (("images like them added", sorted(like)), ("as many added at random", control)):
        said, found = trained(np.concatenate([train, np.array(added, np.intp)]))
        yield measured(step, said, found, added=len(like))


def advised_thresholds(said: Advice, predicted: DataFrame, images: Labeled, fresh: Ints) -> Iterator[Row]:
    """Metrics of the labels for which another threshold is advised, with the assumed one and with it."""
    lines = images.manifest(fresh, images.classes)
    assumed, advised = said.assumed(), said.advised()
    for code, what in (("EVA201", "raised"), ("EVA202", "lowered")):
        labels = [each["label"] for each in said.findings if each["code"] == code]
        if not labels:
            continue
        for step, at in (("assumed", assumed), (what, assumed | advised)):
            rows = metrics(lines, predicted, at).filter(col("label").is_in(labels))
            exact = [(col("label") == label) & (col("threshold") == at[label]) for label in labels]
            expected = said.thresholds.filter(pl.any_horizontal(exact)).unique(["label", "threshold"])
            for where, figures in (("test", expected), ("fresh", rows)):
                means = figures.select(col(FIGURES).fill_null(0).mean()).row(0)
                found = dict(zip(FIGURES, means, strict=True))
                yield {"step": f"threshold {what}: {step}, {where} images", **found, "labels": len(labels)}


def figures(data: Path) -> Iterator[Measured]:
    """Wrong labels among those that the rules name: made by people in cifar10n, planted in clothing."""
    with tempfile.TemporaryDirectory() as name:
        cache = Path(name)
        images = Labeled(data, "cifar10n", cache)
        rows = np.arange(len(images.refs))
        predicted = images.predictions(rows, held_out(images))
        said = advice(data, cache, images.manifest(rows, images.classes), predicted, target="ground-truth")
        named = {each["source_ref"] for each in said.findings if each["code"] == "EVA306"}
        truth = pl.read_csv(data / "cifar10n" / "truth.csv")
        truth = truth.filter(halves(truth["source_ref"]) == 1)
        is_named = col("source_ref").is_in(list(named))
        yield Measured(
            "EVA306",
            "cifar10n, half 1",
            "wrong labels that mislabel-suspect leaves out, by a classifier of the embeddings",
            agreement(truth, is_named, col("error_aggre_label") == 1),
        )
        clothing = Labeled(data, "clothing", cache)
        rows = divisions(followed, clothing, 0.1, DIVISIONS)
        yield Measured(
            "EVA301",
            "clothing, 10% of the labels wrong",
            "wrong labels among the images shown, until none is shown",
            precision_and_recall(rows, "labels corrected", right="corrected", planted="wrong", what="shown"),
        )


def steps(data: Path, cache: Path) -> Iterator[tuple[str, list[Row]]]:
    """The steps without wrong labels, and with a tenth of them."""
    images = Labeled(data, "clothing", cache)
    for wrong in (0.0, 0.1):
        yield f"{wrong:.0%} wrong labels", divisions(followed, images, wrong, DIVISIONS)


if __name__ == "__main__":
    print_steps(__doc__, steps)
