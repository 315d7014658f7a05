"""Wide values of images: they come back as they were added, from memory and from files."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_sets import image_bytes
from lines import classification, manifest
from polars import DataFrame, Series
from polars.testing import assert_frame_equal
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.engine.features import Feature, feature
from groundlint.images import wide_values
from groundlint.images.wide_values import WideValues, beside

LENGTH = 300


def numbers(data: bytes) -> bytes:
    return data


def letters(data: bytes) -> bytes:
    return data


FEATURES: list[Feature] = [
    feature(of="images", dtype=bytes, length=LENGTH)(numbers),
    feature(of="images", dtype=bytes, length=LENGTH + 1)(letters),
    feature(of="images", dtype=bytes, length=16)(lambda data: data),
]

CELL = st.none() | st.integers(0, 255).map(lambda n: bytes([n]) * LENGTH)


def rows(cells: list[tuple[bytes | None, bytes | None]]) -> DataFrame:
    one, other = ([cell[n] for cell in cells] for n in (0, 1))
    longer = [None if cell is None else cell + b"." for cell in other]
    return DataFrame({"numbers": one, "letters": longer}, schema={"numbers": pl.Binary, "letters": pl.Binary})


@given(
    parts=st.lists(st.lists(st.tuples(CELL, CELL), max_size=5), max_size=4),
    order=st.lists(st.none() | st.integers(0, 19), max_size=30),
    most_in_memory=st.sampled_from([1, 2_000, 1_000_000]),
)
def test_values_come_back_in_any_order(
    parts: list[list[tuple[bytes | None, bytes | None]]], order: list[int | None], most_in_memory: int
) -> None:
    values = WideValues(FEATURES, most_in_memory)
    added = [values.add(rows(part)) for part in parts]
    every = pl.concat([rows([]), *(rows(part) for part in parts)])
    assert [number for those in added for number in those] == list(range(every.height))
    records = Series([n for n in order if n is None or n < every.height], dtype=pl.Int32)
    columns = beside(DataFrame({"n": range(len(records))}), values.columns(records)).drop("n")
    values.close()
    wanted = every[records.drop_nulls()] if records.null_count() == 0 else every.select(pl.all().gather(records))
    assert_frame_equal(columns.collect(), wanted)
    for start in range(0, len(records), 7):
        assert_frame_equal(
            columns.select("letters").slice(start, 7).collect(), wanted.select("letters")[start : start + 7]
        )


def test_a_query_reads_no_other_columns_and_rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    values = WideValues(FEATURES, 1)
    count = wide_values.AT_ONCE + 500
    cells = [random.Random(n).randbytes(LENGTH) for n in range(count)]
    records = values.add(rows([(cell, None) for cell in cells]))
    table = beside(DataFrame({"n": range(count)}), values.columns(records))
    first, last = sorted(tmp_path.glob("*/*/*.parquet"))
    spoil(first)
    assert table.select("n", "numbers").slice(count - 3, 3).collect()["numbers"].to_list() == cells[-3:]
    spoil(last)
    assert table.select("n").collect().height == count
    with pytest.raises(pl.exceptions.PolarsError):
        table.select("numbers").collect()


def spoil(file: Path) -> None:
    """Overwrite values in the middle of a parquet file. What says where they are is at its end."""
    data = file.read_bytes()
    middle = slice(len(data) // 3, len(data) // 2)
    file.write_bytes(data[: middle.start] + b"\xff" * (middle.stop - middle.start) + data[middle.stop :])


def test_bytes_of_another_length_are_null() -> None:
    values = WideValues(FEATURES)
    short = DataFrame({"numbers": [b"short", bytes(LENGTH)], "letters": [bytes(LENGTH + 2), b""]})
    kept = values.columns(values.add(short)).collect()
    assert kept.rows() == [(None, None), (bytes(LENGTH), None)]
    values.close()


def test_files_are_removed_with_what_they_belong_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    values = WideValues(FEATURES, 1)
    table = values.columns(values.add(rows([(bytes(LENGTH), None)])))
    values.close()
    assert table.collect().height == 1
    assert list(tmp_path.glob("groundlint-*"))
    del values
    gc.collect()
    assert not list(tmp_path.iterdir())


def test_a_check_with_files_gives_the_report_of_one_in_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images").mkdir()
    for n in range(8):
        Path(f"images/{n}.jpg").write_bytes(image_bytes((96, 80), seed=n // 2))
    labels = [classification(f"s3://bucket/images/{n}.jpg", "ab"[n % 2]) for n in range(8)]
    for name, lines in (("train", labels[:5]), ("test", labels[5:])):
        Path(f"{name}.manifest").write_text(manifest(*lines))
    data = ("--isolated", "--train", "train.manifest", "--test", "test.manifest")
    outputs = {}
    for place, most_in_memory in (("memory", 1_000_000_000), ("files", 1)):
        monkeypatch.setattr(WideValues.__init__, "__defaults__", (most_in_memory,))
        run("check", *data, "--preview", "--no-cache", "--output", f"json:{place}.json")
        run("measure", *data, "--no-cache", "--to", f"{place}.parquet")
        run("check", *data, "--preview", "--measurements", f"{place}.parquet", "--output", f"json:{place}-2.json")
        outputs[place] = [Path(f"{place}{end}").read_bytes() for end in (".json", "-2.json")]
    assert outputs["memory"] == outputs["files"]
    assert b"near-duplicate" in outputs["files"][0]
    assert_frame_equal(pl.read_parquet("memory.parquet"), pl.read_parquet("files.parquet"))


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_no_files(sent: signal.Signals, tmp_path: Path) -> None:
    places = {name: tmp_path / name for name in ("data", "temporary")}
    for place in places.values():
        place.mkdir()
    for n in range(40):
        (places["data"] / f"{n}.jpg").write_bytes(image_bytes((96, 80), seed=n))
    labels = [classification(f"s3://bucket/{n}.jpg", "ab"[n % 2]) for n in range(40)]
    (places["data"] / "a.manifest").write_text(manifest(*labels))
    program = """
import sys
from groundlint.cli import main
from groundlint.images.wide_values import WideValues

WideValues.__init__.__defaults__ = (1,)
sys.argv = ["groundlint", "check", "a.manifest", "--no-cache", "--quiet"]
main()
"""
    environment = {"TMPDIR": str(places["temporary"]), "PYTHONPATH": ":".join(sys.path), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-c", program]
    with subprocess.Popen(command, cwd=places["data"], env=environment, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None and not list(places["temporary"].glob("groundlint-*")):
            time.sleep(0.01)
        run.send_signal(sent)
        assert run.wait(timeout=60) == 128 + sent
    assert not list(places["temporary"].glob("groundlint-*"))


def run(*arguments: str) -> None:
    done = CliRunner().invoke(app, [*arguments, "--no-progress"])
    assert done.exit_code in (0, 1), done.output
    gc.collect()


def test_a_full_disk_is_an_error_that_names_the_folder(tmp_path: Path) -> None:
    program = """
import resource, signal
import polars as pl
from groundlint.engine.features import feature
from groundlint.errors import GroundlintError
from groundlint.images.wide_values import WideValues

def numbers(data: bytes) -> bytes:
    return data

values = WideValues([feature(of="images", dtype=bytes, length=1000)(numbers)], most_in_memory=1)
# A file of the system that is full: writing beyond this size fails.
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    for _ in range(100):
        values.add(pl.DataFrame({"numbers": [bytes(1000)]}))
except GroundlintError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=False,
        env={"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)},
    )
    assert done.returncode == 0, done.stderr
    assert f"the folder for temporary files, {tmp_path}, cannot be written" in done.stdout
    assert "TMPDIR" in done.stdout
