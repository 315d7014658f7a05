"""Measure how many modified copies of photographs are found: hashes within a radius, then pair verification.

`python benchmarks/pair_verification.py ../shared/data` modifies the images of clothing and raccoon and prints how many
copies are recognized as a Markdown table, followed by the pairs of different originals that are confused. It takes some
minutes; `--every 10` uses every tenth image.
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

Images = NDArray[np.uint8]
Change = Callable[[Image.Image], Image.Image]

SETS = ("clothing", "raccoon")
QUALITY = 90
"""JPEG quality of copies with another change."""


def cropped(left: float, top: float, right: float, bottom: float) -> Change:
    """Remove these shares of the width or height at the sides."""

    def change(image: Image.Image) -> Image.Image:
        width, height = image.size
        box = (round(left * width), round(top * height), width - round(right * width), height - round(bottom * height))
        return image.crop(box)

    return change


def transposed(how: Image.Transpose) -> Change:
    return lambda image: image.transpose(how)


COPIES: dict[str, tuple[Change | None, int, float | None]] = {
    "exact": (None, 0, 1.0),
    "JPEG quality 85": (lambda image: image, 85, 1.0),
    "JPEG quality 30": (lambda image: image, 30, 1.0),
    "half size": (lambda image: image.resize((image.width // 2, image.height // 2)), QUALITY, 1.0),
    "1.3 times as bright": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), QUALITY, 0.98),
    "cropped by 2% on each side": (cropped(0.02, 0.02, 0.02, 0.02), QUALITY, 0.95),
    "mirrored": (transposed(Image.Transpose.FLIP_LEFT_RIGHT), QUALITY, 0.95),
    "rotated by 90 degrees": (transposed(Image.Transpose.ROTATE_90), QUALITY, 0.9),
    "rotated by 180 degrees": (transposed(Image.Transpose.ROTATE_180), QUALITY, 0.9),
    "rotated by 270 degrees": (transposed(Image.Transpose.ROTATE_270), QUALITY, 0.9),
    "cropped by 1% on each side": (cropped(0.01, 0.01, 0.01, 0.01), QUALITY, None),
    "cropped by 3% on each side": (cropped(0.03, 0.03, 0.03, 0.03), QUALITY, None),
    "cropped by 4% on each side": (cropped(0.04, 0.04, 0.04, 0.04), QUALITY, None),
    "cropped by 4% on the left": (cropped(0.04, 0, 0, 0), QUALITY, None),
    "cropped by 4% on the left and at the top": (cropped(0.04, 0.04, 0, 0), QUALITY, None),
    "cropped by 2% on each side, mirrored, JPEG quality 30": (
        lambda image: cropped(0.02, 0.02, 0.02, 0.02)(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        30,
        None,
    ),
}
"""The change, the JPEG quality that the copy is saved with, and the target recall."""


def gray(content: bytes) -> Image.Image:
    """The reduced gray image that quality measures and hashes share."""
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (256, 256))
    return image.convert("RGB").convert("L")


def small(image: Image.Image) -> Image.Image:
    return image.resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=2.0)


def both(content: bytes) -> tuple[Images, Images]:
    """The small image, and that of the inner 96% for a second hash."""
    image = gray(content)
    width, height = image.size
    box = (0.02 * width, 0.02 * height, 0.98 * width, 0.98 * height)
    inner = image.resize((32, 32), Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    return np.asarray(small(image)), np.asarray(inner)


def versions(path: Path) -> Images:
    """The original and its copies. Shape (1 + copies, 2, 32, 32)."""
    content = path.read_bytes()
    image = Image.open(io.BytesIO(content)).convert("RGB")
    made = [both(content)]
    for change, quality, _ in COPIES.values():
        saved = io.BytesIO(content)
        if change is not None:
            saved = io.BytesIO()
            change(image).save(saved, "JPEG", quality=quality)
        made.append(both(saved.getvalue()))
    return np.array(made)


def phash(small_images: Images) -> NDArray[np.uint64]:
    """Perceptual hashes as imagehash.phash makes them: bits of the 8 x 8 lowest frequencies above their median."""
    low = scipy.fft.dctn(small_images.astype(np.float64), axes=(1, 2))[:, :8, :8].reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def orientations(small_images: Images) -> list[Images]:
    """The images rotated by 0, 90, 180, 270 degrees, each also mirrored. Eight of shape (n, 32, 32)."""
    quarter = [np.rot90(small_images, turns, axes=(1, 2)) for turns in range(4)]
    return [view for rotated in quarter for view in (rotated, rotated[:, :, ::-1])]


def recall(originals: Images, copies: Images, radius: int, inner: bool) -> tuple[NDArray[np.bool_], ...]:
    """Whether each copy is a candidate, and whether it is confirmed, in any orientation. Two of shape (n,)."""
    candidate = np.zeros(len(originals), np.bool_)
    same = candidate.copy()
    hash_copy, inner_copy = (phash(copies[:, i]) for i in (0, 1))
    for full, center in zip(orientations(originals[:, 0]), orientations(originals[:, 1]), strict=True):
        hash_full = phash(full)
        near = np.bitwise_count(hash_full ^ hash_copy) <= radius
        if inner:
            near |= np.bitwise_count(phash(center) ^ hash_copy) <= radius
            near |= np.bitwise_count(hash_full ^ inner_copy) <= radius
        candidate |= near
        chosen = np.flatnonzero(near)
        is_same = similarity(full[chosen], copies[chosen, 0]) >= MIN_SIMILARITY
        same[chosen[is_same]] = True
    return candidate, same


def confused(originals: Images, radius: int, inner: bool) -> dict[tuple[int, int], tuple[int, float]]:
    """Distance and similarity of all pairs of originals within the radius, in their most similar orientation."""
    hashes, inners = phash(originals[:, 0]), phash(originals[:, 1])
    best: dict[tuple[int, int], tuple[int, float]] = {}
    for full, center in zip(orientations(originals[:, 0]), orientations(originals[:, 1]), strict=True):
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
    """Median CPU time in ms."""
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
        made = np.array(list(pool.map(versions, paths, chunksize=16)))
    half = np.array([hashlib.sha256(reference.encode()).digest()[0] & 1 for reference in references])

    first = gray(paths[0].read_bytes())
    pair = made[:100, 0, 0], made[:100, 1, 0]
    print(f"small image from the decoded gray image: {median_ms(partial(small, first)):.3f} ms; ", end="")
    print(f"pair verification: {median_ms(partial(similarity, *pair), 20) / len(pair[0]):.3f} ms per pair\n")

    ways = [(8, False), (10, False), (8, True)]
    heads = [f"radius {radius}{', also inner 96%' if inner else ''}" for radius, inner in ways]
    print("Recall of candidates / of confirmed copies. The threshold was tuned on half 0", end=" ")
    print(f"({sum(half == 0)} images); half 1 has {sum(half == 1)}.\n")
    print("| copy | goal |" + "".join(f" {head}: half 0 | half 1 |" for head in heads))
    print("|---|---|" + "---|" * 2 * len(ways))
    for number, (name, (_, _, goal)) in enumerate(COPIES.items(), 1):
        cells = [name, "" if goal is None else f"{goal:.2f}"]
        for radius, inner in ways:
            found = recall(made[:, 0], made[:, number], radius, inner)
            cells += [" / ".join(f"{which[half == part].mean():.4f}" for which in found) for part in (0, 1)]
        print("| " + " | ".join(cells) + " |", flush=True)

    print("\nOriginals that are reported as near-duplicates, and the next most similar pairs, of ", end="")
    print(f"{len(half) * (len(half) - 1) // 2:,} pairs:\n\n| | distance | similarity | halves | a | b |")
    print("|---|---|---|---|---|---|")
    for (radius, inner), head in zip(ways, heads, strict=True):
        best = confused(made[:, 0], radius, inner)
        ordered = sorted(best.items(), key=lambda item: -item[1][1])
        reported = sum(value >= MIN_SIMILARITY for _, (_, value) in ordered)
        for (a, b), (bits, value) in ordered[: reported + 3]:
            names = " | ".join(references[i].removeprefix("s3://datasets/") for i in (a, b))
            print(f"| {head} | {bits} | {value:.3f} | {half[a]}{half[b]} | {names} |")
        print(f"| {head}: {len(best)} candidates, {reported} reported | | | | | |", flush=True)


if __name__ == "__main__":
    main()
