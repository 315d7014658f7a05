"""Measures what a check costs: each figure is a ratio, within one run, to something that stands still.

`python benchmarks/speed.py` prints a Markdown table of the figures and their goals; `--quick` takes small sizes.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import json
import os
import platform
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
    """What a process took: wall time, CPU time with its children's in seconds, the largest one's memory in bytes."""

    wall: float
    cpu: float
    peak: int


class Row(NamedTuple):
    """A line of the table."""

    what: str
    measured: str
    goal: str
    met: bool


def measure(command: Sequence[str], folder: Path) -> Run:
    """Runs the command and waits for it. Findings are no failure; whatever is said on standard error is."""
    # As it is installed, with its bytecode, like what it is held against.
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
    if said or process.returncode not in (0, 1):
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}\n{said[-4000:]}")
    # The kernel counts the largest process only, macOS in bytes.
    largest = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Run(wall, usage.ru_utime + usage.ru_stime, largest)


def peak_memory(command: Sequence[str], folder: Path) -> int:
    """Runs the command and gives the peak memory, in bytes, of its process and those below it together.

    Together where /proc tells (Linux), looked up a hundred times a second; elsewhere of the largest alone.
    """
    together = 0
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(measure, command, folder)
        while not running.done():
            together = max(together, sum(sum(_resident(child)) for child in _children(os.getpid())))
            time.sleep(0.01)
    return max(together, running.result().peak)


def _resident(pid: int) -> Iterator[int]:
    """Memory of a process and of those below it, in bytes; nothing of a process that has just ended."""
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
    """A command and what it is held against, run in turn, so that a busy minute hits both."""

    def __init__(self, command: Sequence[str], against: Sequence[str], folder: Path, times: int) -> None:
        # The first run of each also fills the page cache and the bytecode.
        self.peak, self.unit_peak = (peak_memory(side, folder) for side in (command, against))
        self.runs: list[Run] = []
        self.units: list[Run] = []
        for i in range(times):
            sides = [(command, self.runs), (against, self.units)]
            for side, results in sides if i % 2 else reversed(sides):
                results.append(measure(side, folder))

    def wall(self) -> list[float]:
        """Wall time as a share of the other's, pair by pair."""
        return [run.wall / unit.wall for run, unit in zip(self.runs, self.units, strict=True)]

    def cpu(self) -> list[float]:
        """CPU time as a share of the other's, pair by pair."""
        return [run.cpu / unit.cpu for run, unit in zip(self.runs, self.units, strict=True)]

    def seconds(self) -> str:
        """Median wall times of both."""
        run, unit = (statistics.median(r.wall for r in runs) for runs in (self.runs, self.units))
        return f"{run:.2f} s against {unit:.2f} s"


def ratio(what: str, shares: list[float], most: float, note: str = "", stretch: str = "") -> Row:
    """A row for the median of the shares."""
    median = statistics.median(shares)
    spread = f"{median:.2f} ({min(shares):.2f} to {max(shares):.2f})"
    return Row(what, f"{spread}; {note}" if note else spread, f"at most {most:g}{stretch}", median <= most)


def show(rows: Iterable[Row]) -> None:
    """Prints each row of the table as soon as it is known."""
    print("| what | measured | goal | met |")
    print("|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.measured} | {row.goal} | {'yes' if row.met else 'no'} |", flush=True)


def generate(path: Path, lines: int) -> None:
    """Writes the manifest and beside it the list of what is wrong in it; in a process of its own, to stay small."""
    truth = str(path.with_suffix(".csv"))
    command = [sys.executable, str(HERE / "generate.py"), str(path), "--lines", str(lines), "--truth", truth]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def check(path: Path) -> list[str]:
    """The command that is measured: text and json are written."""
    outputs = [f"--output=text:{path.with_suffix('.txt')}", f"--output=json:{path.with_suffix('.json')}"]
    return [GROUNDLINT, "check", "--quiet", str(path), *outputs]


def python(code: str, *arguments: str) -> list[str]:
    """A Python process that runs the code."""
    return [sys.executable, "-c", code, *arguments]


def large(folder: Path, sizes: tuple[int, int], times: int) -> Iterator[Row]:
    """Time against plain decoding, memory, and whether both stay linear."""
    shares = []
    peaks = []
    for lines, repeats, stretch in zip(sizes, (times, max(times // 2, 1)), (", stretch 0.65", ""), strict=True):
        path = folder / f"{lines}.manifest"
        generate(path, lines)
        size = path.stat().st_size / MEGABYTE
        pairs = Pairs(check(path), python(DECODE, str(path)), folder, repeats)
        name = f"{lines:,} lines, {size:.0f} MB"
        yield ratio(f"{name}: wall of `json.loads`", pairs.wall(), 1.0, pairs.seconds(), stretch)
        yield ratio(f"{name}: CPU of `json.loads`", pairs.cpu(), 1.3)
        peak = pairs.peak / MEGABYTE
        yield Row(f"{name}: peak memory", f"{peak:.0f} MB", f"at most {400 + size:.0f} MB", peak <= 400 + size)
        shares.append(statistics.median(pairs.wall()))
        peaks.append(peak)
        path.unlink()
    factor = sizes[1] / sizes[0]
    yield ratio(f"wall share at {factor:g} times the lines, of that before", [shares[1] / shares[0]], 1.1)
    yield ratio(f"peak memory at {factor:g} times the lines, of that before", [peaks[1] / peaks[0]], factor)


def correct(folder: Path, lines: int) -> Iterator[Row]:
    """Whether the report that was measured tells every planted fault and cries at no sound line."""
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
    """One line of 5,000 equal boxes among sound ones, against the same boxes five to a line."""
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
    return ratio("a line of 5,000 equal boxes: wall of the same boxes five to a line", pairs.wall(), 1.2, note)


def small(folder: Path, times: int) -> Iterator[Row]:
    """What a commit hook pays."""
    raccoon = folder / "raccoon.manifest"
    parts = [HERE.parent / "fixtures" / "raccoon" / f"{name}.manifest" for name in ("train", "added", "test")]
    raccoon.write_bytes(b"".join(part.read_bytes() for part in parts))
    pairs = Pairs([GROUNDLINT, "check", "--quiet", str(raccoon)], python("import polars"), folder, times)
    yield ratio("raccoon, 200 lines: wall of `import polars`", pairs.wall(), 2.5, pairs.seconds())
    pairs = Pairs([GROUNDLINT, "--version"], python("import typer"), folder, times)
    yield ratio("`--version`: wall of `import typer`", pairs.wall(), 1.5, pairs.seconds())


def rows(folder: Path, *, quick: bool) -> Iterator[Row]:
    """All figures."""
    sizes, times = ((20_000, 80_000), 2) if quick else ((250_000, 1_000_000), 5)
    yield from large(folder, sizes, times)
    yield equal_boxes(folder, times)
    yield from small(folder, 2 * times)
    for lines in sizes:
        yield from correct(folder, lines)


def main() -> None:
    """Reads the options, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="20,000 and 80,000 lines, few repetitions")
    options = parser.parse_args()
    packages = ", ".join(f"{name} {version(name)}" for name in ("groundlint", "polars", "msgspec"))
    print(f"Python {platform.python_version()}, {packages}; {os.cpu_count()} cores, {platform.system()}.")
    print("Medians of interleaved pairs, in brackets the least and the most.\n")
    with tempfile.TemporaryDirectory() as folder:
        show(rows(Path(folder), quick=options.quick))


if __name__ == "__main__":
    main()
