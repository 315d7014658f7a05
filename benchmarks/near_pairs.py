"""Measure the search for pairs of near hashes: CPU time, memory, growth, and whether it finds all pairs.

`python benchmarks/near_pairs.py` prints a Markdown table of the figures and their goals; `--quick` uses small sizes.
"""

from __future__ import annotations

import argparse
import math
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from groundlint_rules.algorithms import hamming

RADIUS = 8
MEGABYTE = 1e6


class Row(NamedTuple):
    """A row of the table."""

    what: str
    measured: str
    goal: str
    met: bool


class Cost(NamedTuple):
    """Cost of a search in its own process: wall and CPU time in s, peak memory of the process in bytes, pairs found."""

    wall: float
    cpu: float
    peak: int
    pairs: int


def uniform(count: int, generator: np.random.Generator) -> NDArray[np.uint64]:
    """Every bit is random."""
    return generator.integers(0, 1 << 64, count, dtype=np.uint64)


def balanced(count: int, generator: np.random.Generator) -> NDArray[np.uint64]:
    """Like those of phash: the first bit and 31 random others are set."""
    hashes = np.empty(count, np.uint64)
    # In blocks: otherwise this takes more memory than the search that is measured.
    for start in range(0, count, 10_000):
        block = hashes[start : start + 10_000]
        order = generator.random((len(block), 63), np.float32).argpartition(31, axis=1)[:, :31].astype(np.uint64)
        block[:] = (np.uint64(1) << order).sum(axis=1) | np.uint64(1 << 63)
    return hashes


def shared_chunk(count: int, generator: np.random.Generator) -> NDArray[np.uint64]:
    """20,000 of them share their upper 16 bits."""
    hashes = uniform(count, generator)
    chosen = generator.choice(count, min(20_000, count), replace=False)
    hashes[chosen] = (hashes[chosen] & np.uint64((1 << 48) - 1)) | np.uint64(0xBEEF << 48)
    return hashes


def clustered(count: int, generator: np.random.Generator) -> NDArray[np.uint64]:
    """Groups of hashes up to twelve bits from a center: many pairs are within the radius, and many just outside it."""
    centers = uniform(max(count // 10, 1), generator)
    hashes = centers[generator.integers(0, len(centers), count)]
    for _ in range(12):
        flip = np.uint64(1) << generator.integers(0, 64, count, dtype=np.uint64)
        hashes ^= np.where(generator.random(count) < 0.5, flip, np.uint64(0))
    return hashes


KINDS: dict[str, Callable[[int, np.random.Generator], NDArray[np.uint64]]] = {
    "random": uniform,
    "like phash": balanced,
    "20,000 share 16 bits": shared_chunk,
    "clustered": clustered,
}


def search(kind: str, count: int, seed: int) -> None:
    """Run one search and print its cost. Memory includes the interpreter and numpy."""
    hashes = KINDS[kind](count, np.random.default_rng(seed))
    before, start = time.process_time(), time.perf_counter()
    found = hamming.pairs(hashes, RADIUS)
    wall, cpu = time.perf_counter() - start, time.process_time() - before
    # In kilobytes; on macOS in bytes.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    print(wall, cpu, peak, len(found[0]))


def cost(kind: str, count: int, seed: int = 0) -> Cost:
    command = [sys.executable, __file__, "--search", kind, str(count), str(seed)]
    wall, cpu, peak, found = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return Cost(float(wall), float(cpu), int(peak), int(found))


def brute_force(hashes: NDArray[np.uint64]) -> set[tuple[int, int, int]]:
    """Find pairs by comparing each hash with all that follow it."""
    found = set()
    for i in range(len(hashes) - 1):
        distances = np.bitwise_count(hashes[i + 1 :] ^ hashes[i])
        near = np.flatnonzero(distances <= RADIUS)
        found |= {(i, i + 1 + int(j), int(distances[j])) for j in near}
    return found


def exactness(kind: str, count: int) -> Row:
    """Compare the search with `brute_force`. A tenth of the hashes are planted near others: few are near by chance."""
    generator = np.random.default_rng(1)
    hashes = KINDS[kind](count, generator)
    near = hashes[: count // 10].copy()
    for _ in range(RADIUS + 1):
        near ^= np.uint64(1) << generator.integers(0, 64, len(near), dtype=np.uint64)
    hashes[-len(near) :] = near
    generator.shuffle(hashes)
    expected = brute_force(hashes)
    found = list(zip(*(column.tolist() for column in hamming.pairs(hashes, RADIUS)), strict=True))
    same = len(found) == len(expected) and set(found) == expected
    return Row(
        f"{kind}, {count:,}: pairs found of those found by comparing all",
        f"{len(expected & set(found)):,} of {len(expected):,}, {len(set(found) - expected)} others",
        "all, 0 others",
        same,
    )


def rows(sizes: tuple[int, int], exact: int) -> Iterator[Row]:
    """Measure all figures."""
    for kind in KINDS:
        yield exactness(kind, exact)
    small, large = (f"{size:,}" for size in sizes)
    for kind in KINDS:
        few, many = (cost(kind, size) for size in sizes)
        seconds = f"{many.cpu:.2f} s CPU, {many.wall:.2f} s wall; {many.pairs:,} pairs"
        goal = kind != "clustered"  # its time is mostly that of writing the pairs
        yield Row(f"{kind}, {large}: time", seconds, "at most 30 s of CPU, stretch goal 12 s", many.cpu <= 30)
        peak = many.peak / MEGABYTE
        yield Row(f"{kind}, {large}: peak memory of the process", f"{peak:.0f} MB", "at most 400 MB", peak <= 400)
        exponent = math.log(many.cpu / few.cpu) / math.log(sizes[1] / sizes[0])
        note = f"{exponent:.2f}; {few.cpu:.2f} s CPU for {small}"
        yield Row(f"{kind}: growth exponent", note, "at most 1.6" if goal else "none", exponent <= 1.6 or not goal)


def main() -> None:
    """Print each row of the table as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 and 200,000 hashes, exactness over 5,000")
    parser.add_argument(
        "--search", nargs=3, metavar=("KIND", "COUNT", "SEED"), help="run one search and print its cost"
    )
    options = parser.parse_args()
    if options.search:
        kind, count, seed = options.search
        search(kind, int(count), int(seed))
        return
    print(f"Python {platform.python_version()}, numpy {np.__version__}; {platform.system()} {platform.machine()}.\n")
    print("| what | measured | goal | met |")
    print("|---|---|---|---|")
    for row in rows((20_000, 200_000) if options.quick else (100_000, 1_000_000), 5_000 if options.quick else 20_000):
        print(f"| {row.what} | {row.measured} | {row.goal} | {'yes' if row.met else 'no'} |", flush=True)


if __name__ == "__main__":
    main()
