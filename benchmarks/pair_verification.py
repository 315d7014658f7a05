"""Measure how many modified copies of photographs are found: hashes within a radius, then verification.

`python benchmarks/pair_verification.py ../shared/data` modifies the images of clothing and raccoon and prints how many
copies are recognized as a Markdown table, followed by the pairs of different originals that are confused, and by how
well the hashes of imagehash tell crops from other images. It takes some minutes; `--every 10` uses every tenth image.
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

import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

from groundlint_rules.algorithms import hamming
from groundlint_rules.algorithms.crop_verification import KEPT, MAX_DISTANCE, crop_distances
from groundlint_rules.algorithms.pair_verification import MIN_SIMILARITY, cropping, similarity
from groundlint_rules.tables.near_pairs import CROP_RADIUS, phashes

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


def evenly(share: float) -> Change:
    """Remove this share on each side."""
    return cropped(share, share, share, share)


def transposed(how: Image.Transpose) -> Change:
    return lambda image: image.transpose(how)


COPIES: dict[str, tuple[Change | None, int, float | None]] = {
    "exact": (None, 0, 1.0),
    "JPEG quality 85": (lambda image: image, 85, 1.0),
    "JPEG quality 30": (lambda image: image, 30, 1.0),
    "half size": (lambda image: image.resize((image.width // 2, image.height // 2)), QUALITY, 1.0),
    "1.3 times as bright": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), QUALITY, 0.98),
    "cropped by 2% on each side": (evenly(0.02), QUALITY, 0.95),
    "mirrored": (transposed(Image.Transpose.FLIP_LEFT_RIGHT), QUALITY, 0.95),
    "rotated by 90 degrees": (transposed(Image.Transpose.ROTATE_90), QUALITY, 0.9),
    "rotated by 180 degrees": (transposed(Image.Transpose.ROTATE_180), QUALITY, 0.9),
    "rotated by 270 degrees": (transposed(Image.Transpose.ROTATE_270), QUALITY, 0.9),
    "cropped by 1% on each side": (evenly(0.01), QUALITY, None),
    "cropped by 3% on each side": (evenly(0.03), QUALITY, None),
    "cropped by 4% on each side": (evenly(0.04), QUALITY, None),
    "cropped by 5% on each side": (evenly(0.05), QUALITY, None),
    "cropped by 7.5% on each side": (evenly(0.075), QUALITY, None),
    "cropped by 10% on each side": (evenly(0.1), QUALITY, None),
    "cropped by 12% on each side": (evenly(0.12), QUALITY, None),
    "cropped by 4% at the top and on the left, by 6% at the other sides": (
        cropped(0.04, 0.04, 0.06, 0.06),
        QUALITY,
        None,
    ),
    "cropped by 5% on each side, mirrored, JPEG quality 30": (
        lambda image: evenly(0.05)(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        30,
        None,
    ),
    "cropped by 4% on the left": (cropped(0.04, 0, 0, 0), QUALITY, None),
    "cropped by 4% on the left and at the top": (cropped(0.04, 0.04, 0, 0), QUALITY, None),
    "cropped by 2% on each side, mirrored, JPEG quality 30": (
        lambda image: evenly(0.02)(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
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


def small(content: bytes) -> Images:
    return np.asarray(gray(content).resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=2.0))


def versions(path: Path) -> Images:
    """The original and its copies. Shape (1 + copies, 32, 32)."""
    content = path.read_bytes()
    image = Image.open(io.BytesIO(content)).convert("RGB")
    made = [small(content)]
    for change, quality, _ in COPIES.values():
        saved = io.BytesIO(content)
        if change is not None:
            saved = io.BytesIO()
            change(image).save(saved, "JPEG", quality=quality)
        made.append(small(saved.getvalue()))
    return np.array(made)


def orientations(images: Images) -> list[Images]:
    """The images mirrored or not, then the same rotated by 90, 180, 270 degrees. Eight of shape (n, 32, 32)."""
    quarter = [np.rot90(images, turns, axes=(1, 2)) for turns in range(4)]
    return [np.ascontiguousarray(view) for rotated in quarter for view in (rotated, rotated[:, :, ::-1])]


def recall(originals: Images, copies: Images, radius: int, with_crops: bool) -> tuple[NDArray[np.bool_], ...]:
    """Whether each copy is a candidate, and whether it is confirmed, in any orientation. Two of shape (n,)."""
    candidate = np.zeros(len(originals), np.bool_)
    same = candidate.copy()
    hashes = phashes(originals)
    for number, view in enumerate(orientations(copies)):
        theirs = phashes(view)
        chosen = np.flatnonzero(np.bitwise_count(hashes ^ theirs) <= radius)
        candidate[chosen] = True
        same[chosen[similarity(originals[chosen], view[chosen]) >= MIN_SIMILARITY]] = True
        for kept in KEPT if with_crops and number < 2 else ():
            chosen = np.flatnonzero(np.bitwise_count(phashes(originals, kept) ^ theirs) <= CROP_RADIUS)
            candidate[chosen] = True
            same[chosen[crop_distances(originals[chosen], view[chosen], kept) <= MAX_DISTANCE]] = True
    return candidate, same


def confused(originals: Images, radius: int) -> dict[tuple[int, int], tuple[int, float]]:
    """Distance and similarity of all pairs of originals within the radius, in their most similar orientation."""
    hashes = phashes(originals)
    best: dict[tuple[int, int], tuple[int, float]] = {}
    for view in orientations(originals):
        i, j, distance = hamming.between(hashes, phashes(view), radius)
        values = similarity(originals[i], view[j])
        for a, b, bits, value in zip(i.tolist(), j.tolist(), distance.tolist(), values.tolist(), strict=True):
            pair = (min(a, b), max(a, b))
            if a != b and value > best.get(pair, (0, -2.0))[1]:
                best[pair] = (bits, value)
    return best


HASHES: dict[str, Callable[[Image.Image], list[imagehash.ImageHash]]] = {
    "dhash and dhash_vertical, 512 bits": lambda image: [
        imagehash.dhash(image, 16),
        imagehash.dhash_vertical(image, 16),
    ],
    "dhash, 256 bits": lambda image: [imagehash.dhash(image, 16)],
    "phash, 256 bits": lambda image: [imagehash.phash(image, 16, 2)],
    "whash, 256 bits": lambda image: [imagehash.whash(image, 16)],
    "average_hash, 256 bits": lambda image: [imagehash.average_hash(image, 16)],
}
"""What could verify candidates for a crop; the first is what crop_verification computes."""


def bits(name: str, images: Images) -> NDArray[np.bool_]:
    """The hashes of images. Shape (n, bits)."""
    made = [HASHES[name](Image.fromarray(image)) for image in images]
    return np.array([np.concatenate([each.hash.ravel() for each in hashes]) for hashes in made])


def crop_candidates(
    originals: Images, others: Images, *, aligned: bool
) -> dict[tuple[int, int], list[tuple[float, int]]]:
    """Kept share and orientation, 0 or 1 for mirrored, in which an image is a candidate for a crop of an original.

    Aligned, each image is compared with the original in the same place only; otherwise with all in other places.
    """
    found: dict[tuple[int, int], list[tuple[float, int]]] = {}
    for number, view in enumerate(orientations(others)[:2]):
        theirs = phashes(view)
        for kept in KEPT:
            mine = phashes(originals, kept)
            if aligned:
                i = j = np.flatnonzero(np.bitwise_count(mine ^ theirs) <= CROP_RADIUS)
            else:
                i, j, _ = hamming.between(mine, theirs, CROP_RADIUS)
            for a, b in zip(i.tolist(), j.tolist(), strict=True):
                if aligned or a != b:
                    found.setdefault((a, b), []).append((kept, number))
    return found


def least_bits(name: str, originals: Images, others: Images, *, aligned: bool) -> dict[tuple[int, int], int]:
    """Bits in which candidates differ from their original, cropped most similarly."""
    views = [bits(name, view) for view in orientations(others)[:2]]
    crops: dict[float, NDArray[np.bool_]] = {}
    for kept in (kept + step for kept in KEPT for step in (-0.02, 0.0, 0.02)):
        weights = cropping(kept, 0.5)
        levels = np.clip(np.rint(weights @ originals @ weights.T), 0, 255).astype(np.uint8)
        crops[round(kept, 2)] = bits(name, levels)
    return {
        (a, b): min(
            int(np.count_nonzero(crops[round(kept + step, 2)][a] != views[number][b]))
            for kept, number in ways
            for step in (-0.02, 0.0, 0.02)
        )
        for (a, b), ways in crop_candidates(originals, others, aligned=aligned).items()
    }


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

    pair = made[:100, 0], made[:100, 1]
    content = paths[0].read_bytes()
    print(f"small image from the file: {median_ms(partial(small, content)):.3f} ms; ", end="")
    print(f"pair verification: {median_ms(partial(similarity, *pair), 20) / len(pair[0]):.3f} ms per pair; ", end="")
    crop = partial(crop_distances, *pair, KEPT[0])
    print(f"crop verification: {median_ms(crop, 20) / len(pair[0]):.3f} ms per pair\n")

    ways = [(8, False), (10, False), (10, True)]
    heads = [f"radius {radius}{', also crops' if with_crops else ''}" for radius, with_crops in ways]
    print("Recall of candidates / of confirmed copies. The thresholds were chosen on half 0", end=" ")
    print(f"({sum(half == 0)} images); half 1 has {sum(half == 1)}.\n")
    print("| copy | goal |" + "".join(f" {head}: half 0 | half 1 |" for head in heads))
    print("|---|---|" + "---|" * 2 * len(ways))
    for number, (name, (_, _, goal)) in enumerate(COPIES.items(), 1):
        cells = [name, "" if goal is None else f"{goal:.2f}"]
        for radius, with_crops in ways:
            found = recall(made[:, 0], made[:, number], radius, with_crops)
            cells += [" / ".join(f"{which[half == part].mean():.4f}" for which in found) for part in (0, 1)]
        print("| " + " | ".join(cells) + " |", flush=True)

    def named(a: int, b: int) -> str:
        names = " | ".join(references[i].removeprefix("s3://datasets/") for i in (a, b))
        return f"{half[a]}{half[b]} | {names}"

    print("\nOriginals that are reported as near-duplicates, and the next most similar pairs, of ", end="")
    print(f"{len(half) * (len(half) - 1) // 2:,} pairs:\n\n| | distance | similarity | halves | a | b |")
    print("|---|---|---|---|---|---|")
    for radius in (8, 10):
        best = confused(made[:, 0], radius)
        ordered = sorted(best.items(), key=lambda item: -item[1][1])
        reported = sum(value >= MIN_SIMILARITY for _, (_, value) in ordered)
        for (a, b), (distance, value) in ordered[: reported + 3]:
            print(f"| radius {radius} | {distance} | {value:.3f} | {named(a, b)} |")
        print(f"| radius {radius}: {len(best)} candidates, {reported} reported | | | | | |", flush=True)

    crops = [number for number, name in enumerate(COPIES, 1) if name.startswith(CROPS)]
    print(
        "\nBits in which candidates for a crop differ from their original, cropped likewise: of copies cropped by 2% to"
    )
    print("10% on each side, and of the most similar other originals.\n")
    print("| hash | copies of half 0: 50%, 99%, 99.5% | of half 1 | bits of others | halves | a | b |")
    print("|---|---|---|---|---|---|---|")
    for name in HASHES:
        of_copies = [least_bits(name, made[:, 0], made[:, number], aligned=True) for number in crops]
        cells = []
        for part in (0, 1):
            values = [value for found in of_copies for (a, _), value in found.items() if half[a] == part]
            cells.append(", ".join(f"{value:.0f}" for value in np.quantile(values, [0.5, 0.99, 0.995])))
        others = sorted(least_bits(name, made[:, 0], made[:, 0], aligned=False).items(), key=lambda item: item[1])
        for (a, b), value in others[:16]:
            print(f"| {name} | {' | '.join(cells)} | {value} | {named(a, b)} |", flush=True)


CROPS = tuple(f"cropped by {share}% on each side" for share in ("2", "3", "4", "5", "7.5", "10"))


if __name__ == "__main__":
    main()
