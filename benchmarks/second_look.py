"""Measures how well copies of photographs are found: hash within a radius, then the second look.

`python benchmarks/second_look.py ../shared/data` plants copies of the images of clothing and raccoon, looks for each
original in them and prints a Markdown table; then the originals that are taken for one another. Needs the packages
pillow, imagehash and scipy. Takes some minutes; `--every 10` takes every tenth image.
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
from groundlint_rules.algorithms import pair_verification as second_look

Pictures = NDArray[np.uint8]
Plant = Callable[[Image.Image], Image.Image]

SETS = ("clothing", "raccoon")
QUALITY = 90
"""JPEG quality of the copies that are about something else."""


def cut(left: float, top: float, right: float, bottom: float) -> Plant:
    """Cuts these shares from the sides."""

    def plant(image: Image.Image) -> Image.Image:
        width, height = image.size
        box = (round(left * width), round(top * height), width - round(right * width), height - round(bottom * height))
        return image.crop(box)

    return plant


def turn(how: Image.Transpose) -> Plant:
    return lambda image: image.transpose(how)


PLANTS: dict[str, tuple[Plant | None, int, float | None]] = {
    "exact": (None, 0, 1.0),
    "JPEG q85": (lambda image: image, 85, 1.0),
    "JPEG q30": (lambda image: image, 30, 1.0),
    "half size": (lambda image: image.resize((image.width // 2, image.height // 2)), QUALITY, 1.0),
    "brightness x1.3": (lambda image: ImageEnhance.Brightness(image).enhance(1.3), QUALITY, 0.98),
    "2 % off each side": (cut(0.02, 0.02, 0.02, 0.02), QUALITY, 0.95),
    "mirrored": (turn(Image.Transpose.FLIP_LEFT_RIGHT), QUALITY, 0.95),
    "turned by 90": (turn(Image.Transpose.ROTATE_90), QUALITY, 0.9),
    "turned by 180": (turn(Image.Transpose.ROTATE_180), QUALITY, 0.9),
    "turned by 270": (turn(Image.Transpose.ROTATE_270), QUALITY, 0.9),
    "1 % off each side": (cut(0.01, 0.01, 0.01, 0.01), QUALITY, None),
    "3 % off each side": (cut(0.03, 0.03, 0.03, 0.03), QUALITY, None),
    "4 % off each side": (cut(0.04, 0.04, 0.04, 0.04), QUALITY, None),
    "4 % off the left": (cut(0.04, 0, 0, 0), QUALITY, None),
    "4 % off left and top": (cut(0.04, 0.04, 0, 0), QUALITY, None),
    "2 % off, mirrored, q30": (
        lambda image: cut(0.02, 0.02, 0.02, 0.02)(image).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        30,
        None,
    ),
}
"""What is done to an image, the JPEG quality it is saved with, and the recall that is wanted."""


def grey(content: bytes) -> Image.Image:
    """The picture that quality measures and hashes share."""
    image = Image.open(io.BytesIO(content))
    image.draft("RGB", (256, 256))
    return image.convert("RGB").convert("L")


def small(picture: Image.Image) -> Image.Image:
    return picture.resize((32, 32), Image.Resampling.LANCZOS, reducing_gap=2.0)


def both(content: bytes) -> tuple[Pictures, Pictures]:
    """The small picture, and that of the inner 96 % for the second hash."""
    picture = grey(content)
    width, height = picture.size
    box = (0.02 * width, 0.02 * height, 0.98 * width, 0.98 * height)
    return np.asarray(small(picture)), np.asarray(
        picture.resize((32, 32), Image.Resampling.LANCZOS, box=box, reducing_gap=2.0)
    )


def pictures(path: Path) -> Pictures:
    """Shape (1 + plants, 2, 32, 32): the original and its copies."""
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


def phash(small_pictures: Pictures) -> NDArray[np.uint64]:
    """imagehash.phash of each: bits of the 8 x 8 lowest frequencies above their median."""
    low = scipy.fft.dctn(small_pictures.astype(np.float64), axes=(1, 2))[:, :8, :8].reshape(-1, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").ravel().astype(np.uint64)


def turned(small_pictures: Pictures) -> list[Pictures]:
    """Shape (n, 32, 32) eight times: by 0, 90, 180, 270 degrees, each also mirrored."""
    quarter = [np.rot90(small_pictures, turns, axes=(1, 2)) for turns in range(4)]
    return [view for picture in quarter for view in (picture, picture[:, :, ::-1])]


def recall(originals: Pictures, copies: Pictures, radius: int, inner: bool) -> tuple[NDArray[np.bool_], ...]:
    """Shape (n,) twice: the copy is a candidate, and the second look confirms it; in any of the eight positions."""
    candidate = np.zeros(len(originals), np.bool_)
    same = candidate.copy()
    hash_copy, inner_copy = (phash(copies[:, i]) for i in (0, 1))
    for full, centre in zip(turned(originals[:, 0]), turned(originals[:, 1]), strict=True):
        hash_full = phash(full)
        near = np.bitwise_count(hash_full ^ hash_copy) <= radius
        if inner:
            near |= np.bitwise_count(phash(centre) ^ hash_copy) <= radius
            near |= np.bitwise_count(hash_full ^ inner_copy) <= radius
        candidate |= near
        chosen = np.flatnonzero(near)
        alike = second_look.similarity(full[chosen], copies[chosen, 0]) >= second_look.SAME
        same[chosen[alike]] = True
    return candidate, same


def alike(originals: Pictures, radius: int, inner: bool) -> dict[tuple[int, int], tuple[int, float]]:
    """Distance and similarity of all pairs of originals within the radius, in the position in which they are most."""
    hashes, inners = phash(originals[:, 0]), phash(originals[:, 1])
    best: dict[tuple[int, int], tuple[int, float]] = {}
    for full, centre in zip(turned(originals[:, 0]), turned(originals[:, 1]), strict=True):
        searches = [(hashes, phash(full))]
        if inner:
            searches += [(inners, phash(full)), (hashes, phash(centre))]
        for one, other in searches:
            i, j, distance = hamming.between(one, other, radius)
            values = second_look.similarity(originals[i, 0], full[j])
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
        made = np.array(list(pool.map(pictures, paths, chunksize=16)))
    half = np.array([hashlib.sha256(reference.encode()).digest()[0] & 1 for reference in references])

    picture = grey(paths[0].read_bytes())
    pair = made[:100, 0, 0], made[:100, 1, 0]
    print(f"small picture from the decoded grey one: {median_ms(partial(small, picture)):.3f} ms; ", end="")
    print(f"second look: {median_ms(partial(second_look.similarity, *pair), 20) / len(pair[0]):.3f} ms a pair\n")

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

    print("\nOriginals that are taken for one another, and the next most similar, of ", end="")
    print(f"{len(half) * (len(half) - 1) // 2:,} pairs:\n\n| | distance | similarity | halves | a | b |")
    print("|---|---|---|---|---|---|")
    for (radius, inner), head in zip(ways, heads, strict=True):
        best = alike(made[:, 0], radius, inner)
        ordered = sorted(best.items(), key=lambda item: -item[1][1])
        reported = sum(value >= second_look.SAME for _, (_, value) in ordered)
        for (a, b), (bits, value) in ordered[: reported + 3]:
            names = " | ".join(references[i].removeprefix("s3://datasets/") for i in (a, b))
            print(f"| {head} | {bits} | {value:.3f} | {half[a]}{half[b]} | {names} |")
        print(f"| {head}: {len(best)} candidates, {reported} reported | | | | | |", flush=True)


if __name__ == "__main__":
    main()
