"""Measure what `--dask` costs beside the local pool: CPU time of measuring the same images with two processes.

`python benchmarks/cluster.py DATA` prints a Markdown table. A run is `groundlint measure` without a cache, with
`--jobs 2` or on a Dask cluster of two workers with one thread each. CPU time is that of all processes: of the command,
of what it starts, and of the scheduler, the workers and what they start, from when the cluster is ready. Each run has a
new cluster, so that what workers import counts. Both alternate. A cluster takes CPU time also without work; the second
row leaves it out. `--folder FOLDER` keeps the images for the next run.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from images import data_set, photographs
from speed import GROUNDLINT, measure

GOAL = 1.15
"""Times of the CPU time of the local pool."""

IDLE = 5.0
"""Seconds for which a cluster without work is measured."""

CLUSTER = """
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


@contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, int]]:
    """A cluster of processes: the address of its scheduler, and the process that started it."""
    program = folder / "cluster.py"
    program.write_text(CLUSTER)
    with subprocess.Popen(
        [sys.executable, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip(), process.pid
        process.communicate("\n")


def cpu_below(pid: int) -> float:
    """CPU time in s of a process and of all below it, with those that have ended."""
    # The name of a program, in parentheses, may have spaces.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = sum(map(int, fields[11:15]))
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]
    return ticks / os.sysconf("SC_CLK_TCK") + sum(map(cpu_below, children))


def command(folder: Path, *options: str) -> list[str]:
    """The command that measures all images, with all features."""
    to = str(folder / "measured.parquet")
    return [GROUNDLINT, "measure", "labeled.manifest", "--isolated", "--no-cache", "--quiet", "--to", to, *options]


def on_cluster(images: Path, scratch: Path) -> tuple[float, float]:
    """CPU time in s of a run on a cluster, and the part of it that the cluster would take in that time without work."""
    with cluster(scratch) as (address, pid):
        started = cpu_below(pid)
        time.sleep(IDLE)
        before = cpu_below(pid)
        run = measure(command(scratch, "--dask", address), images)
        return run.cpu + cpu_below(pid) - before, (before - started) / IDLE * run.wall


def row(what: str, pairs: list[tuple[float, float]]) -> str:
    """A row of the table, from the CPU times in s of pairs of runs."""
    ratios = [dask / local for dask, local in pairs]
    dask, local = map(statistics.median, zip(*pairs, strict=True))
    measured = f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"
    met = "yes" if statistics.median(ratios) <= GOAL else "no"
    return f"| {what} | {measured}; {dask:.1f} s against {local:.1f} s | at most {GOAL:g} | {met} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--photographs", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="keep the images in this folder and use those that are there")
    given = parser.parse_args()
    together, extra = [], []
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        count = given.photographs
        images = data_set((given.folder or scratch) / f"photographs-{count}", photographs(given.data), count)
        for _ in range(given.rounds):
            local = measure(command(scratch, "--jobs", "2"), images).cpu
            dask, idle = on_cluster(images, scratch)
            together.append((dask, local))
            extra.append((dask - idle, local))
    print("| run | measured | goal | met |\n|---|---|---|---|")
    print(row(f"{count:,} photographs measured on two Dask workers: CPU time of `--jobs 2`", together))
    print(row("the same, without what the cluster takes when it has no work", extra))


if __name__ == "__main__":
    main()
