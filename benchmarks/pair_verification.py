"""Measures how well near-duplicates are found: hashes within a radius, then pair verification.

`python benchmarks/pair_verification.py ../shared/data` plants copies of the images of clothing and raccoon, searches
each original among them and prints a Markdown table, then the pairs of originals that count as the same image. Needs
the packages pillow and scipy. Takes some minutes; `--every 10` uses every tenth image.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from groundlint_rules.algorithms import hamming
from groundlint_rules.algorithms.pair_verification import MIN_SIMILARITY, similarity

Gray = NDArray[np.uint8]
Plant = Callable[[Image.Image], Image.Image]

SETS = ("clothing", "raccoon")
QUALITY = 90
"""JPEG quality of the copies that test another change."""


def cropped(left: float, top: float, right: float, bottom: float) -> Plant:
    """Crop these shares from the sides."""

    def plant(image: Image.Image) -> Image.Image:
        width, height = image.size
        box = (round(left * width), round(top * height), width - round(right * width), height - round(bottom * height))
        return image.crop(box)

    return plant


def rotated(how: Image.Transpose) -> Plant:
    return lambda image: image.transpose(how)


PLANTS: dict[str, tuple[Plant | None, int, float | None]] = {
    "exact": (None, 0, 1.0),
    "JPEG q85": (lambda image: image, 85, 1.0),
    "JPEG q30": (lambda image: image, 30, 1.0),
    "half size": (lambda image: image.resize((image.width // 2, image.height // 2)), QUALITY, 1.0),
    "brightness x1.3": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), QUALITY, 0.98),
    "2% off each side": (cropped(0.02, 0.02, 0.02, 0.02), QUALITY, 0.95),
    "mirrored": (rotated(Image.Transpose.FLIP_LEFT_RIGHT), QUALITY, 0.95),
    "rotated by 90": (rotated(Image.Transpose.ROTATE_90), QUALITY, 0.9),
    "rotated by 180": (rotated(Image.Transpose.ROTATE_180), QUALITY, 0.9),
    "rotated by 270": (rotated(Image.Transpose.ROTATE_270), QUALITY, 0.9),
    "1% off each side": (cropped(0.01, 0.01, 0.01, 0.01), QUALITY, None),
    "3% off each side": (cropped(0.03, 0.03, 0.03, 0.03), QUALITY, None),
    "4% off each side": (cropped(0.04, 0.04, 0.04, 0.04), QUALITY, None),
    "4% off the left": (cropped(0.04, 0, 0, 0), QUALITY, None),
    "4% off left and top": (cropped(0.04, 0.04, 0, 0), QUALITY, None),
    "2% off, mirrored, q30": (
        lambda image: cropped(0.02, 0.02, 0.02, 0.02)(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        30,
        None,
    ),
}
"""The change, the JPEG quality of the copy, and the goal for the recall."""


def gray(content: bytes) -> Image.Image:
    """The gray image that quality measures and hashes share."""
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (256, 256))
    return image.convert("RGB").convert("L")


def small(image: Image.Image) -> Image.Image:
    return image.resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=2.0)


def both(content: bytes) -> tuple[Gray, Gray]:
    """The small image, and that of the inner 96% for the second hash."""
    image = gray(content)
    width, height = image.size
    box = (0.02 * width, 0.02 * height, 0.98 * width, 0.98 * height)
    return np.asarray(small(image)), np.asarray(
        image.resize((32, 32), Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    )


def with_copies(path: Path) -> Gray:
    """The original and its copies, (1 + plants, 2, 32, 32)."""
    content = path.read_bytes()
    image = Image.open(io.BytesIO(content)).convert("RGB")
    made = [both(content)]
    for plant, quality, _ in PLANTS.values():
        saved = io.BytesIO(content)
        if plant is not None:
            saved = io.BytesIO()
            plant(image).save(saved, "JPEG", quality=quality)
        made.append(both(saved.getvalue()))
    return np.array(made)


def phash(small_images: Gray) -> NDArray[np.uint64]:
    """imagehash.phash of each: the 8 x 8 lowest frequencies, above their median or not."""
    low = scipy.fft.dctn(small_images.astype(np.float64), axes=(1, 2))[:, :8, :8].reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def oriented(small_images: Gray) -> list[Gray]:
    """The images (n, 32, 32) in eight orientations: by 0, 90, 180, 270 degrees, each also mirrored."""
    quarters = [np.rot90(small_images, turns, axes=(1, 2)) for turns in range(4)]
    return [view for images in quarters for view in (images, images[:, :, ::-1])]


def recall(originals: Gray, copies: Gray, radius: int, inner: bool) -> tuple[NDArray[np.bool_], ...]:
    """Whether each copy is a candidate, and whether pair verification confirms it, in any orientation: (n,) twice."""
    candidate = np.zeros(len(originals), np.bool_)
    same = candidate.copy()
    hash_copy, inner_copy = (phash(copies[:, i]) for i in (0, 1))
    for full, center in zip(oriented(originals[:, 0]), oriented(originals[:, 1]), strict=True):
        hash_full = phash(full)
        near = np.bitwise_count(hash_full ^ hash_copy) <= radius
        if inner:
            near |= np.bitwise_count(phash(center) ^ hash_copy) <= radius
            near |= np.bitwise_count(hash_full ^ inner_copy) <= radius
        candidate |= near
        chosen = np.flatnonzero(near)
        confirmed = similarity(full[chosen], copies[chosen, 0]) >= MIN_SIMILARITY
        same[chosen[confirmed]] = True
    return candidate, same


def similar_pairs(originals: Gray, radius: int, inner: bool) -> dict[tuple[int, int], tuple[int, float]]:
    """Distance and similarity of all pairs of originals within the radius, in their most similar orientation."""
    hashes, inners = phash(originals[:, 0]), phash(originals[:, 1])
    best: dict[tuple[int, int], tuple[int, float]] = {}
    for full, center in zip(oriented(originals[:, 0]), oriented(originals[:, 1]), strict=True):
        searches = [(hashes, phash(full))]
        if inner:
            searches += [(inners, phash(full)), (hashes, phash(center))]
        for one, other in searches:
            i, j, distance = hamming.between(one, other, radius)
            values = similarity(originals[i, 0], full[j])
            for a, b, bits, value in zip(i.tolist(), j.tolist(), distance.tolist(), values.tolist(), strict=True):
                pair = (min(a, b), max(a, b))
                if a != b and value > best.get(pair, (0, -2.0))[1]:
                    best[pair] = (bits, value)
    return best


def median_ms(action: Callable[[], object], times: int = 200) -> float:
    """Median CPU time."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        action()
        taken.append(time.process_time() - start)
    return 1e3 * statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--every", type=int, default=1)
    options = parser.parse_args()
    references = [
        json.loads(line)["source-ref"]
        for name in SETS
        for line in (options.data / name / "output.manifest").read_text(encoding="utf-8").splitlines()
    ][:: options.every]
    paths = [options.data / reference.removeprefix("s3://datasets/") for reference in references]
    with ProcessPoolExecutor() as pool:
        made = np.array(list(pool.map(with_copies, paths, chunksize=16)))
    half = np.array([hashlib.sha256(reference.encode()).digest()[0] & 1 for reference in references])

    image = gray(paths[0].read_bytes())
    pair = made[:100, 0, 0], made[:100, 1, 0]
    print(f"small image from the decoded gray one: {median_ms(partial(small, image)):.3f} ms; ", end="")
    print(f"pair verification: {median_ms(partial(similarity, *pair), 20) / len(pair[0]):.3f} ms per pair\n")

    ways = [(8, False), (10, False), (8, True)]
    heads = [f"radius {radius}{', inner too' if inner else ''}" for radius, inner in ways]
    print(f"Recall: candidates, then confirmed; half 0 (tuned, {sum(half == 0)}), half 1 (report, {sum(half == 1)}).\n")
    print("| planted | goal |" + "".join(f" {head}: half 0 | half 1 |" for head in heads))
    print("|---|---|" + "---|" * 2 * len(ways))
    for number, (name, (_, _, goal)) in enumerate(PLANTS.items(), 1):
        cells = [name, "" if goal is None else f"{goal:.2f}"]
        for radius, inner in ways:
            found = recall(made[:, 0], made[:, number], radius, inner)
            cells += [" / ".join(f"{which[half == part].mean():.4f}" for which in found) for part in (0, 1)]
        print("| " + " | ".join(cells) + " |", flush=True)

    print("\nPairs of originals that count as the same image, and the next most similar, of ", end="")
    print(f"{len(half) * (len(half) - 1) // 2:,} pairs:\n\n| | distance | similarity | halves | a | b |")
    print("|---|---|---|---|---|---|")
    for (radius, inner), head in zip(ways, heads, strict=True):
        best = similar_pairs(made[:, 0], radius, inner)
        ordered = sorted(best.items(), key=lambda item: -item[1][1])
        reported = sum(value >= MIN_SIMILARITY for _, (_, value) in ordered)
        for (a, b), (bits, value) in ordered[: reported + 3]:
            names = " | ".join(references[i].removeprefix("s3://datasets/") for i in (a, b))
            print(f"| {head} | {bits} | {value:.3f} | {half[a]}{half[b]} | {names} |")
        print(f"| {head}: {len(best)} candidates, {reported} reported | | | | | |", flush=True)


if __name__ == "__main__":
    main()
