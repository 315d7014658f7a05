"""Measure what a check costs, as ratios to programs that do not change, measured in the same run.

`python benchmarks/speed.py` prints a Markdown table of the figures and their goals; `--quick` uses small sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
GROUNDLINT = str(Path(sys.executable).with_name("groundlint"))
MEGABYTE = 1e6

MAX_WALL, MAX_CPU, MAX_PEAK = 1.8, 3.0, 650
"""Goals for a manifest of 250,000 lines: times of `json.loads`, and MB."""

DECODE = """
import json, sys
with open(sys.argv[1], "rb") as file:
    for line in file:
        try:
            json.loads(line)
        except ValueError:
            pass
"""


class Run(NamedTuple):
    """Cost of a process with its children: wall and CPU time in s, peak memory of the largest process in bytes."""

    wall: float
    cpu: float
    peak: int


class Row(NamedTuple):
    """A row of the table."""

    what: str
    measured: str
    goal: str
    met: bool


def measure(command: Sequence[str], folder: Path) -> Run:
    """Run a command and measure it. Findings are not a failure; output on standard error is, except notes."""
    # As installed, with its bytecode, like what it is compared with.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, env=environment
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        said = errors.read().decode(errors="replace")
    errors_said = [line for line in said.splitlines() if not line.startswith("note: ")]
    if errors_said or process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}\n{said[-4000:]}")
    # The kernel reports the largest process only; macOS in bytes.
    largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Run(wall, usage.ru_utime + usage.ru_stime, largest)


def peak_memory(command: Sequence[str], folder: Path) -> int:
    """Peak memory in bytes of a command with its child processes.

    On Linux the sum, sampled a hundred times a second; elsewhere that of the largest process.
    """
    together = 0
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(measure, command, folder)
        while not running.done():
            together = max(together, sum(sum(_resident(child)) for child in _children(os.getpid())))
            time.sleep(0.01)
    return max(together, running.result().peak)


def _resident(pid: int) -> Iterator[int]:
    """Memory of a process and of each process below it, in bytes; nothing for one that has just ended."""
    try:
        yield int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return
    for child in _children(pid):
        yield from _resident(child)


def _children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


class Pairs:
    """Runs of two commands that are compared. They alternate, so that a busy minute affects both."""

    def __init__(self, command: Sequence[str], against: Sequence[str], folder: Path, times: int) -> None:
        # The first run of each also fills the page cache and compiles bytecode.
        self.peak, self.unit_peak = (peak_memory(side, folder) for side in (command, against))
        self.runs: list[Run] = []
        self.units: list[Run] = []
        for i in range(times):
            sides = [(command, self.runs), (against, self.units)]
            for side, results in sides if i % 2 else reversed(sides):
                results.append(measure(side, folder))

    def wall(self) -> list[float]:
        """Ratios of wall times, pair by pair."""
        return [run.wall / unit.wall for run, unit in zip(self.runs, self.units, strict=True)]

    def cpu(self) -> list[float]:
        """Ratios of CPU times, pair by pair."""
        return [run.cpu / unit.cpu for run, unit in zip(self.runs, self.units, strict=True)]

    def seconds(self) -> str:
        """Median wall times of both."""
        run, unit = (statistics.median(r.wall for r in runs) for runs in (self.runs, self.units))
        return f"{run:.2f} s against {unit:.2f} s"


def ratio(what: str, shares: list[float], most: float, note: str = "", stretch: str = "") -> Row:
    """A row for the median of some ratios."""
    median = statistics.median(shares)
    spread = f"{median:.2f} ({min(shares):.2f} to {max(shares):.2f})"
    return Row(what, f"{spread}; {note}" if note else spread, f"at most {most:g}{stretch}", median <= most)


def show(rows: Iterable[Row]) -> None:
    """Print each row of the table as soon as it is measured."""
    print("| what | measured | goal | met |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.measured} | {row.goal} | {'yes' if row.met else 'no'} |", flush=True)


def generate(path: Path, lines: int) -> None:
    """Write a manifest and, beside it, the list of its faults; in a separate process, to keep this one small."""
    truth = str(path.with_suffix(".csv"))
    command = [sys.executable, str(HERE / "generate.py"), str(path), "--lines", str(lines), "--truth", truth]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def check(path: Path) -> list[str]:
    """The command that is measured: it writes text and json."""
    outputs = [f"--output=text:{path.with_suffix('.txt')}", f"--output=json:{path.with_suffix('.json')}"]
    return [GROUNDLINT, "check", "--quiet", str(path), *outputs]


def python(code: str, *arguments: str) -> list[str]:
    """A Python process that runs the code."""
    return [sys.executable, "-c", code, *arguments]


def large(folder: Path, sizes: tuple[int, int], times: int) -> Iterator[Row]:
    """Time relative to `json.loads`, memory, and whether both grow linearly."""
    shares = []
    peaks = []
    for lines, repeats in zip(sizes, (times, max(times // 2, 1)), strict=True):
        path = folder / f"{lines}.manifest"
        generate(path, lines)
        size = path.stat().st_size / MEGABYTE
        pairs = Pairs(check(path), python(DECODE, str(path)), folder, repeats)
        name = f"{lines:,} lines, {size:.0f} MB"
        yield ratio(f"{name}: wall time of `json.loads`", pairs.wall(), MAX_WALL, pairs.seconds(), ", stretch goal 1.3")
        yield ratio(f"{name}: CPU time of `json.loads`", pairs.cpu(), MAX_CPU, stretch=", stretch goal 2.2")
        peak = pairs.peak / MEGABYTE
        most = MAX_PEAK * lines / sizes[0]
        yield Row(f"{name}: peak memory", f"{peak:,.0f} MB", f"at most {most:,.0f} MB", peak <= most)
        shares.append(statistics.median(pairs.wall()))
        peaks.append(peak)
        path.unlink()
    factor = sizes[1] / sizes[0]
    growth = f"wall time at {factor:g} times the lines, relative to `json.loads` as before"
    yield ratio(growth, [shares[1] / shares[0]], 1.1)
    yield ratio(f"peak memory at {factor:g} times the lines", [peaks[1] / peaks[0]], factor)


def correct(folder: Path, lines: int) -> Iterator[Row]:
    """Whether the report that was measured has every planted fault and no error on a sound line."""
    with (folder / f"{lines}.csv").open(encoding="utf-8", newline="") as file:
        planted = {int(row["line"]): row["code"] for row in csv.DictReader(file)}
    report = json.loads((folder / f"{lines}.json").read_text(encoding="utf-8"))
    codes: dict[int, set[str]] = {}
    alarms = 0
    for finding in report["findings"]:
        line = finding["line"]
        codes.setdefault(line, {"ours"}).add(finding["aws"])
        alarms += finding["severity"] == "error" and line is not None and line not in planted
    wanted = {line: code for line, code in planted.items() if code != "ground-truth"}
    found = sum(code in codes.get(line, ()) for line, code in wanted.items())
    yield Row(
        f"{lines:,} lines: planted faults that the report names",
        f"{found:,} of {len(wanted):,}",
        "all",
        found == len(wanted),
    )
    yield Row(f"{lines:,} lines: errors on sound lines", str(alarms), "0", alarms == 0)


def equal_boxes(folder: Path, times: int) -> Row:
    """One line of 5,000 equal boxes among sound lines, compared with the same boxes five to a line."""
    box = {"class_id": 0, "left": 10, "top": 10, "width": 50, "height": 50}

    def line(number: int, boxes: int) -> str:
        value = {"image_size": [{"width": 640, "height": 480, "depth": 3}], "annotations": [box] * boxes}
        metadata = {
            "objects": [{"confidence": 1}] * boxes,
            "class-map": {"0": "car"},
            "type": "groundtruth/object-detection",
            "human-annotated": "yes",
            "creation-date": "2024-05-02T10:11:12",
        }
        source = {"source-ref": f"s3://example-bucket/{number}.jpg"}
        return json.dumps(source | {"boxes": value, "boxes-metadata": metadata}) + "\n"

    one, spread = folder / "one.manifest", folder / "spread.manifest"
    one.write_text("".join(line(i, 5) for i in range(1_000)) + line(1_000, 5_000), encoding="utf-8")
    spread.write_text("".join(line(i, 5) for i in range(2_000)), encoding="utf-8")
    pairs = Pairs(check(one), check(spread), folder, times)
    note = f"peak {pairs.peak / MEGABYTE:.0f} MB against {pairs.unit_peak / MEGABYTE:.0f} MB"
    return ratio("a line of 5,000 equal boxes: wall time of the same boxes five to a line", pairs.wall(), 1.2, note)


def small(folder: Path, times: int) -> Iterator[Row]:
    """Costs of start-up and of a small check, as in a commit hook."""
    raccoon = folder / "raccoon.manifest"
    parts = [HERE.parent / "fixtures" / "raccoon" / f"{name}.manifest" for name in ("train", "added", "test")]
    raccoon.write_bytes(b"".join(part.read_bytes() for part in parts))
    pairs = Pairs([GROUNDLINT, "check", "--quiet", str(raccoon)], python("import polars"), folder, times)
    yield ratio("raccoon, 200 lines: wall time of `import polars`", pairs.wall(), 2.5, pairs.seconds())
    pairs = Pairs([GROUNDLINT, "--version"], python("import typer"), folder, times)
    yield ratio("`--version`: wall time of `import typer`", pairs.wall(), 1.5, pairs.seconds())
    yield _three_images(folder, times)


def _three_images(folder: Path, times: int) -> Row:
    """CPU time of a check of three images, in s: an absolute figure, because nothing comparable is as short."""
    images = folder / "three"
    images.mkdir()
    source = HERE.parent / "fixtures" / "photographs"
    lines = (source / "raccoons.manifest").read_text(encoding="utf-8").splitlines(keepends=True)[:3]
    (images / "three.manifest").write_text("".join(lines), encoding="utf-8")
    for line in lines:
        name = json.loads(line)["source-ref"].rpartition("/")[2]
        shutil.copy(source / "raccoons" / name, images / name)
    command = [GROUNDLINT, "check", "--quiet", "--fast", "--no-cache", "three.manifest"]
    seconds = sorted(measure(command, images).cpu for _ in range(times))
    median = statistics.median(seconds)
    spread = f"{median:.2f} s ({seconds[0]:.2f} to {seconds[-1]:.2f})"
    return Row("three images, `--fast`: CPU time", spread, "at most 0.8 s", median <= 0.8)


def many(folder: Path, times: int) -> Row:
    """200 manifests of five lines, compared with one manifest of the same 1,000 lines."""
    source = folder / "thousand.manifest"
    generate(source, 1_000)
    lines = source.read_bytes().splitlines(keepends=True)
    below = folder / "many"
    below.mkdir()
    for start in range(0, len(lines), 5):
        (below / f"{start:04}.manifest").write_bytes(b"".join(lines[start : start + 5]))
    pairs = Pairs(check(below), check(source), folder, times)
    return ratio("200 manifests of 5 lines: CPU time of one manifest with the same lines", pairs.cpu(), 4.0)


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """Measure all figures."""
    sizes, times = ((20_000, 80_000), 2) if quick else ((250_000, 1_000_000), 5)
    yield from large(folder, sizes, times)
    yield many(folder, times)
    yield equal_boxes(folder, times)
    yield from small(folder, 2 * times)
    for lines in sizes:
        yield from correct(folder, lines)


def main() -> None:
    """Print the table of figures and goals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 and 80,000 lines, few repetitions")
    options = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("groundlint", "polars", "msgspec"))
    print(f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, {platform.system()}.")
    print("Medians of interleaved pairs, with minimum and maximum in parentheses.\n")
    with tempfile.TemporaryDirectory() as folder:
        show(rows(Path(folder), quick=options.quick))


if __name__ == "__main__":
    main()
