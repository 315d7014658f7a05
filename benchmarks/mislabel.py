"""Measure how well wrong labels are found: mistakes that people made, and planted ones.

`python benchmarks/mislabel.py DATA` prints a Markdown table; DATA contains the folders `cifar10n` and `clothing`, each
with `output.manifest`, in which `s3://datasets/NAME/rel` is the file NAME/rel. Features are measured once and kept.
`--side` is that of the square which the net sees.

Parameters are tuned on half 0 of the images (`--tune` prints the best ones), and figures are of half 1, the images with
`sha256(source-ref)[0] & 1` = 1, except those of trashnet and animalpose, on which nothing was tuned: they are of all
images. Models are fitted on the whole set. `--few` prints figures of limits for few labels on half 0. Planted: 5% of
the labels are replaced, either at random or by similar labels, the labels of the ten nearest images. Areas are means of
20 draws, of 60 for sets of fewer than 200 images; precision and recall are over all draws together. Wrong labels that
clothing has as published count as correct.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import itertools
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from measured import Measured, auroc, exported, halves
from numpy.typing import NDArray
from occlusion import exchanged

from groundlint.images import decoding
from groundlint.images.decoding import LONG_SIDE, DecodedImage
from groundlint.images.limits import MAX_PIXELS
from groundlint_rules.algorithms.discriminant import Block, net_block
from groundlint_rules.algorithms.feature_blocks import block_of_roots
from groundlint_rules.algorithms.label_errors import LIMITS_OF_FEW, Limits, Odds, agree, area_under_curve, label_odds
from groundlint_rules.algorithms.multi_label_errors import one_vs_rest_odds
from groundlint_rules.algorithms.stacked import stacked
from groundlint_rules.features import embeddings
from groundlint_rules.features._efficientnet import WEIGHTS
from groundlint_rules.features.embeddings import NUMBERS

Bools = NDArray[np.bool_]

PLANTED = 0.05
RESOURCES = Path(embeddings.__file__).parent
NEAREST = 10
DRAWS, DRAWS_OF_FEW = 20, 60
KINDS = ((False, "at random"), (True, "by similar labels"))
RANDOM = "clothing, 5% of the labels replaced at random"
SIMILAR = "clothing, 5% of the labels replaced by similar labels"
# Wider than all limits of the grid, so that --tune can narrow them.
WIDE = Limits(p_suggested=0.5, p_given=0.2, votes_given=1, signal=0)
GRID = tuple(
    Limits(*limits)
    for limits in itertools.product(
        (0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95),
        (0.005, 0.01, 0.015, 0.02, 0.03, 0.05),
        (0.05, 0.08, 0.1, 0.15, 0.2, 0.3),
    )
)


@dataclass(frozen=True)
class Images:
    """A set of images: source-refs, features, and which images are in the half that is reported."""

    refs: list[str]
    blocks: list[Block]
    reported: Bools

    def judge(self, labels: Sequence[str], limits: Limits | None) -> Odds:
        """The odds of labels; every image is treated as the only one of its duplicate group."""
        return label_odds(self.blocks, labels, self.refs, limits)


@dataclass(frozen=True)
class Trial:
    """Labels, judged once, and which of them are known to be wrong."""

    images: Images
    given: list[str]
    odds: Odds
    wrong: Bools

    def flagged(self, limits: Limits | None = None) -> Bools:
        """The labels that are flagged, or would be under limits narrower than the wide ones they were judged with."""
        odds = self.odds
        if limits is None:
            return odds.flagged
        sure = (odds.p_suggested >= limits.p_suggested) & (odds.p_given <= limits.p_given)
        agreed = agree(np.stack([odds.votes_given, odds.votes_suggested], axis=1), limits)
        return sure & agreed & (min(odds.signal_uniform, odds.signal_similar) >= limits.signal)


@dataclass(frozen=True)
class Figures:
    """Figures of several trials of one kind on one half: areas are means, the others are over all trials together."""

    area: float
    precision_average: float
    flagged: float
    precision: float
    recall: float
    share: float

    def __str__(self) -> str:
        return f"precision {self.precision:.3f}, recall {self.recall:.3f}; AUROC of the suspicion {self.area:.3f}"


def summed(trials: Sequence[Trial], half: bool | None, limits: Limits | None = None) -> Figures:
    """Figures of one half, or of all images if it is None."""
    areas, averages = [], []
    flagged = wrong = hits = rows = 0
    for trial in trials:
        here = np.ones(len(trial.given), np.bool_) if half is None else trial.images.reported == half
        suspicion, is_wrong, is_flagged = trial.odds.suspicion[here], trial.wrong[here], trial.flagged(limits)[here]
        areas.append(area_under_curve(suspicion, is_wrong))
        averages.append(average_precision(suspicion, is_wrong))
        flagged += int(is_flagged.sum())
        wrong += int(is_wrong.sum())
        hits += int((is_flagged & is_wrong).sum())
        rows += len(is_wrong)
    return Figures(
        float(np.mean(areas)),
        float(np.mean(averages)),
        flagged / len(trials),
        hits / max(flagged, 1),
        hits / max(wrong, 1),
        flagged / rows,
    )


def average_precision(scores: NDArray[np.float64], positive: Bools) -> float:
    """The mean of the precision at the rank of each positive."""
    found = positive[np.argsort(-scores, kind="stable")]
    if not found.any():
        return np.nan
    return float((np.cumsum(found) / np.arange(1, len(found) + 1))[found].mean())


def manifest(file: Path) -> tuple[list[str], list[str]]:
    """The source-refs and class names of a manifest of image labels."""
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    return [line["source-ref"] for line in lines], [line["label-metadata"]["class-name"] for line in lines]


def measured(data: Path, cache: Path, name: str, side: int) -> Images:
    """The images of a set. Their embeddings come from the cache unless the net has changed."""
    refs, _ = manifest(data / name / "output.manifest")
    net = (RESOURCES / WEIGHTS).read_bytes()
    kept = cache / f"{name}-{side}-{hashlib.sha256(net).hexdigest()[:12]}.npz"
    if not kept.exists():
        seconds = [0.0, 0.0]
        rows = []
        for ref in refs:
            start = time.process_time()
            content = decoding.read(str(data / ref.removeprefix("s3://datasets/")))
            image = DecodedImage(content, decoding.opened(content), MAX_PIXELS).reduced(LONG_SIDE["detail"])
            decoded = time.process_time()
            rows.append(np.frombuffer(embeddings.embedded(image, side), np.uint8))
            seconds = [seconds[0] + decoded - start, seconds[1] + time.process_time() - decoded]
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(kept, roots=np.stack(rows), milliseconds=np.array(seconds) / len(refs) * 1000)
    with np.load(kept) as stored:
        roots, milliseconds = stored["roots"], stored["milliseconds"]
    print(f"{name}, {side} px: CPU time per image in ms: decoding {milliseconds[0]:.2f}, net {milliseconds[1]:.2f}")
    reported = np.array([hashlib.sha256(ref.encode()).digest()[0] & 1 == 1 for ref in refs])
    return Images(refs, [net_block(np.square(roots, dtype=np.uint16))], reported)


def label_confusion(images: Images, labels: NDArray[np.intp]) -> NDArray[np.float64]:
    """How often the nearest images of a label's images have each other label. Shape (labels, labels), diagonal 0."""
    roots = np.sqrt(images.blocks[0].features.astype(np.float64))
    roots = (roots - roots.mean(0)) / np.linalg.norm(roots - roots.mean(0), axis=1, keepdims=True)
    similarity = roots @ roots.T
    np.fill_diagonal(similarity, -np.inf)
    nearest = np.argpartition(-similarity, NEAREST, axis=1)[:, :NEAREST]
    counts = np.zeros((labels.max() + 1,) * 2)
    np.add.at(counts, (np.repeat(labels, NEAREST), labels[nearest].ravel()), 1)
    np.fill_diagonal(counts, 0)
    return counts


def judged(images: Images, given: list[str], wrong: Bools | None = None, limits: Limits | None = None) -> Trial:
    """A trial of labels; none is wrong if `wrong` is not given."""
    nothing = np.zeros(len(given), np.bool_)
    return Trial(images, given, images.judge(given, limits), nothing if wrong is None else wrong)


def plantings(
    images: Images, labels: Sequence[str], draws: int, like: bool, limits: Limits | None = None
) -> Iterator[Trial]:
    """Trials in which 5% of the labels were replaced, at random or by similar labels."""
    names, codes = np.unique(labels, return_inverse=True)
    odds = label_confusion(images, codes) if like else 1 - np.eye(len(names))
    odds = odds / odds.sum(1, keepdims=True)
    for draw in range(draws):
        random = np.random.default_rng(draw)
        given = codes.copy()
        for row in random.choice(len(codes), round(PLANTED * len(codes)), replace=False):
            given[row] = random.choice(len(names), p=odds[codes[row]])
        yield judged(images, names[given].tolist(), given != codes, limits)


def trials(data: Path, cache: Path, side: int, draws: int, limits: Limits | None = None) -> dict[str, list[Trial]]:
    """All trials, by their names in the table."""
    found: dict[str, list[Trial]] = {}
    cifar = measured(data, cache, "cifar10n", side)
    with (data / "cifar10n" / "truth.csv").open(newline="") as file:
        truth = {row["source_ref"]: row["clean_name"] for row in csv.DictReader(file)}
    clean = [truth[ref] for ref in cifar.refs]
    for what, name in (("aggregated", "output"), ("worst", "output_worse")):
        refs, given = manifest(data / "cifar10n" / f"{name}.manifest")
        assert refs == cifar.refs
        wrong = np.array(given) != np.array(clean)
        found[f"CIFAR-10N {what}, {wrong.mean():.0%} wrong"] = [judged(cifar, given, wrong, limits)]
    found["CIFAR-10, true labels"] = [judged(cifar, clean, limits=limits)]
    for like, how in KINDS:
        found[f"CIFAR-10, 5% of the true labels replaced {how}"] = list(plantings(cifar, clean, draws, like, limits))
    clothing = measured(data, cache, "clothing", side)
    _, given = manifest(data / "clothing" / "output.manifest")
    found[RANDOM] = list(plantings(clothing, given, draws, False, limits))
    found[SIMILAR] = list(plantings(clothing, given, draws, True, limits))
    start = time.process_time()
    found["clothing, as published"] = [judged(clothing, given, limits=limits)]
    print(f"clothing: CPU time to judge {len(given):,} labels: {time.process_time() - start:.2f} s")
    return found


def few_trials(found: dict[str, list[Trial]], draws: int, limits: Limits) -> dict[str, list[Trial]]:
    """Trials of 134, 171 and 290 images of 5, 6 and 8 labels, drawn from half 0, with planted faults."""
    made: dict[str, list[Trial]] = {}
    for what in ("clothing, as published", "CIFAR-10, true labels"):
        whole = found[what][0]
        labels = np.array(whole.given)
        for (count, names), like in itertools.product(((134, 5), (171, 6), (290, 8)), (False, True)):
            name = f"{count} of {what}, {'similar' if like else 'random'}"
            for draw in range(draws):
                random = np.random.default_rng(draw)
                shares = random.uniform(0.5, 1.5, names)
                rows: list[int] = []
                for label, share in zip(random.choice(np.unique(labels), names, replace=False), shares, strict=True):
                    those = np.flatnonzero((labels == label) & ~whole.images.reported)
                    wanted = round(share / shares.sum() * count)
                    rows += random.choice(those, min(wanted, len(those)), replace=False).tolist()
                blocks = [net_block(block.features[rows]) for block in whole.images.blocks]
                some = Images([whole.images.refs[row] for row in rows], blocks, np.zeros(len(rows), np.bool_))
                made.setdefault(name, []).extend(plantings(some, labels[rows].tolist(), 3, like, limits))
    return made


def print_table(found: dict[str, list[Trial]], limits: Limits | None, half: bool) -> None:
    print(f"\n{limits or 'Limits by default'}, half {int(half)}\n")
    columns = ("labels", "AUROC", "average precision", "flagged", "precision", "recall", "self-check, T, noise")
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    for what, some in found.items():
        row = summed(some, half, limits)
        first = some[0].odds
        check = f"{first.signal_uniform:.3f} / {first.signal_similar:.3f}, {first.temperature:.2f}, {first.noise:.1%}"
        faults = f"{row.precision:.3f} | {row.recall:.3f}" if some[0].wrong.any() else "- | -"
        areas = f"{row.area:.4f} | {row.precision_average:.3f}" if some[0].wrong.any() else "- | -"
        print(f"| {what} | {areas} | {row.flagged:.1f} ({row.share:.2%}) | {faults} | {check} |")


def tuned(found: dict[str, list[Trial]], precision: float, share: float) -> Iterator[tuple[float, Limits]]:
    """Yield limits that reach a precision on planted faults and flag at most a share of sound labels; recall first."""
    for limits in GRID:
        planted = [summed(found[name], False, limits) for name in (RANDOM, SIMILAR)]
        sound = [summed(found[name], False, limits) for name in ("CIFAR-10, true labels", "clothing, as published")]
        if min(row.precision for row in planted) >= precision and max(row.share for row in sound) <= share:
            yield min(row.recall for row in planted), limits


def multi_label(clothing: Images, labels: Sequence[str], draws: int) -> Iterator[tuple[str, str]]:
    """Yield figures of multi-label judging, each label against the rest: as published, and with wrong labels added.

    For every twenty images that have a label, it is added to one more image.
    """
    given = np.array(labels)
    flagged = hits = wrong = judged = sound = 0
    areas = []
    for draw in range(draws + 1):
        random = np.random.default_rng(draw)
        extra: dict[str, list[int]] = {}
        for name in np.unique(given):
            count = round(PLANTED * int((given == name).sum())) if draw else 0
            extra[name] = random.choice(np.flatnonzero(given != name), count, replace=False).tolist()
        images_of = {name: np.flatnonzero(given == name).tolist() + extra[name] for name in extra}
        for name, odds in one_vs_rest_odds(clothing.blocks, images_of, clothing.refs):
            here = clothing.reported[odds.rows]
            is_wrong = np.isin(odds.rows, extra[name])[here]
            if draw:
                flagged += int(odds.flagged[here].sum())
                hits += int((odds.flagged[here] & is_wrong).sum())
                wrong += int(is_wrong.sum())
                areas.append(area_under_curve(odds.suspicion[here], is_wrong))
            else:
                judged += len(is_wrong)
                sound += int(odds.flagged[here].sum())
    yield "as multi-label data, as published", f"{sound / judged:.2%} of the labels"
    said = f"precision {hits / max(flagged, 1):.3f}, recall {hits / max(wrong, 1):.3f}"
    yield "as multi-label data, 5% wrong labels added", f"{said}; AUROC of the suspicion {np.nanmean(areas):.3f}"


def boxes(data: Path, name: str) -> tuple[Images, list[str]]:
    """The boxes of a set that are measured, as if each were an image, and their labels."""
    file = data / name / "output.manifest"
    keys = ("manifest", "line", "attribute", "box")
    crops = exported("crops", file).select(*keys, "crop_embedding").drop_nulls()
    rows = exported("boxes", file).drop_nulls("label").join(crops, on=keys)
    block = block_of_roots(stacked(rows["crop_embedding"], NUMBERS, np.uint8))
    return Images(rows["source_ref"].to_list(), [block], (halves(rows["source_ref"]) == 1).to_numpy()), rows[
        "label"
    ].to_list()


def objects(data: Path) -> Iterator[Measured]:
    """Figures of the labels of boxes: as published, and after exchanging labels."""
    for name in ("bccd", "animalpose"):
        rows = exported("label_odds", data / name / "output.manifest")
        said = f"{rows['flagged'].sum()} of {rows.height:,} boxes"
        yield Measured("SUS105", name, "boxes flagged as published", said)
    crops, labels = boxes(data, "animalpose")
    for like, how in KINDS:
        said = str(summed(list(plantings(crops, labels, DRAWS_OF_FEW, like)), half=None))
        yield Measured("SUS105", f"animalpose, 5% of the labels replaced {how}", "flagged boxes, all", said)
    found = []
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(data / "bccd", Path(folder) / "bccd")
        for rows, places in exchanged(data, "bccd", Path(folder), "label_odds"):
            wrong = pl.DataFrame(places, schema={"at": pl.Int32, "box": pl.Int32}, orient="row")
            of_wrong = wrong.select("box", line=pl.col("at") + 1, wrong=True)
            judged = rows.join(of_wrong, on=["line", "box"], how="left").with_columns(pl.col("wrong").fill_null(False))
            right = judged.select((pl.col("flagged") & pl.col("wrong")).sum()).item()
            area = auroc(judged["suspicion"], judged["wrong"])
            found.append((right / max(judged["flagged"].sum(), 1), right / len(places), area))
    precision, recall, area = np.mean(found, axis=0)
    said = f"precision {precision:.3f}, recall {recall:.3f}; AUROC of the suspicion {area:.3f}"
    yield Measured("SUS105", "bccd", f"flagged boxes, labels of {len(places)} boxes swapped", said)


def figures(data: Path) -> Iterator[Measured]:
    """The figures on the pages of the rules."""
    with tempfile.TemporaryDirectory() as cache:
        found = trials(data, Path(cache), embeddings.SIDE, DRAWS)
        few = measured(data, Path(cache), "trashnet", embeddings.SIDE)
    _, given = manifest(data / "trashnet" / "output.manifest")
    for like, how in KINDS:
        said = str(summed(list(plantings(few, given, DRAWS_OF_FEW, like)), half=None))
        yield Measured("SUS102", f"trashnet, 5% of the labels replaced {how}", "flagged labels, all", said)
    for what, some in found.items():
        row = summed(some, half=True)
        said = str(row) if some[0].wrong.any() else f"{row.share:.2%} of the labels"
        yield Measured("SUS102", what, "flagged labels, half 1", said)
    clothing = found["clothing, as published"][0].images
    _, given = manifest(data / "clothing" / "output.manifest")
    for what, said in multi_label(clothing, given, 10):
        yield Measured("SUS107", f"clothing, {what}", "flagged labels, half 1", said)
    yield from objects(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--cache", type=Path, default=Path(".groundlint_cache/benchmarks"))
    parser.add_argument("--side", type=int, default=embeddings.SIDE)
    parser.add_argument("--draws", type=int, default=DRAWS)
    parser.add_argument("--few", action="store_true", help="only print figures of few labels, on half 0")
    parser.add_argument("--tune", action="store_true", help="also print the best limits on half 0")
    arguments = parser.parse_args()
    limits = WIDE if arguments.tune else None
    draws = 0 if arguments.few else arguments.draws
    found = trials(arguments.data, arguments.cache, arguments.side, draws, limits)
    if arguments.few:
        for limits in (LIMITS_OF_FEW, Limits()):
            print(f"\n{limits}")
            print_table(few_trials(found, 8, limits), None, half=False)
        return
    if arguments.tune:
        for precision, share in ((0.85, 0.005), (0.9, 0.004), (0.95, 0.004)):
            print(f"\nhalf 0, precision at least {precision}, at most {share:.1%} of sound labels:")
            for recall, limits in sorted(tuned(found, precision, share), reverse=True)[:8]:
                print(f"recall {recall:.3f} {limits}")
        print_table(found, Limits(), half=False)
    print_table(found, Limits() if arguments.tune else None, half=True)
    _, given = manifest(arguments.data / "clothing" / "output.manifest")
    for what, said in multi_label(found["clothing, as published"][0].images, given, arguments.draws):
        print(f"clothing, {what}: {said}")


if __name__ == "__main__":
    main()
