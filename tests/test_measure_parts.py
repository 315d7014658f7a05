"""Measuring on several machines: any division gives the report of one machine; files that do not fit are refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl
import pytest
from command import PLACES, groundlint
from hypothesis import given, settings
from hypothesis import strategies as st
from image_sets import image_bytes
from lines import classification, detection, manifest

COUNT = 12
MOST_PARTS = 3


def write_data(folder: Path) -> None:
    """A training and a test manifest, with labels and boxes, a duplicate, a leak, and images that cannot be used."""
    (folder / "images").mkdir(parents=True)
    for n in range(COUNT):
        (folder / f"images/{n}.jpg").write_bytes(image_bytes((96, 80), seed=n * 7))
    shutil.copy(folder / "images/1.jpg", folder / "images/2.jpg")
    shutil.copy(folder / "images/3.jpg", folder / "images/11.jpg")
    (folder / "images/4.jpg").write_bytes(image_bytes()[:700])
    (folder / "images/5.jpg").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n")
    (folder / "images/6.jpg").rename(folder / "images/6.jpeg")
    boxes = [detection(f"s3://bucket/images/{n}.jpg", ({"left": n, "width": 40, "height": 30},)) for n in range(6)]
    labels = [classification(f"s3://bucket/images/{n}.jpg", "ab"[n % 2]) for n in range(6, COUNT)]
    (folder / "train.manifest").write_text(manifest(*boxes, *labels[:4]))
    (folder / "test.manifest").write_text(manifest(*labels[4:]))


def check(folder: Path, *arguments: str) -> bytes:
    """The report in JSON."""
    report = folder / "report.json"
    data = ("--train", "train.manifest", "--test", "test.manifest", "--preview")
    done = groundlint("check", *data, "--output", f"json:{report}", *arguments, cwd=folder)
    assert done.returncode in (0, 1), done.stderr
    return report.read_bytes()


def measure(folder: Path, to: str, *arguments: str) -> None:
    done = groundlint("measure", "train.manifest", "test.manifest", "--to", to, *arguments, cwd=folder)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data, its report, and its measurements in one part, two parts and so on."""
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    for of in range(1, MOST_PARTS + 1):
        for number in range(1, of + 1):
            measure(folder, f"{number}-of-{of}.parquet", "--part", f"{number}/{of}")
    (folder / "whole.json").write_bytes(check(folder))
    return folder


def without_images(folder: Path, to: Path) -> Path:
    """A machine that has the manifests and the measurements only."""
    shutil.copytree(folder, to, ignore=shutil.ignore_patterns("images", ".groundlint_cache"))
    return to


ALL = st.integers(1, MOST_PARTS).map(lambda of: [f"{number}-of-{of}.parquet" for number in range(1, of + 1)])
SOME = st.integers(1, MOST_PARTS).flatmap(lambda of: st.integers(1, of).map(lambda n: [f"{n}-of-{of}.parquet"]))


@settings(max_examples=8, deadline=None)
@given(files=st.tuples(ALL, st.lists(SOME, max_size=3)).map(lambda x: x[0] + [*chain(*x[1])]).flatmap(st.permutations))
def test_any_parts_in_any_order_and_overlap_give_the_report_of_one_machine(folder: Path, files: list[str]) -> None:
    options = [option for file in files for option in ("--measurements", file)]
    assert check(folder, "--no-cache", *options) == (folder / "whole.json").read_bytes()


def test_an_image_that_was_found_when_measured_counts_as_found(folder: Path, tmp_path: Path) -> None:
    here = without_images(folder, tmp_path / "here")
    report = json.loads(check(here, "--measurements", "*-of-3.parquet"))
    expected = json.loads((folder / "whole.json").read_bytes())
    assert report["summary"] == expected["summary"]
    assert all(finding["image"] is None for finding in report["findings"])
    for finding in expected["findings"]:
        finding["image"] = None
    assert report["findings"] == expected["findings"]


def test_machines_that_have_different_images_give_the_report_of_one_that_has_all(folder: Path, tmp_path: Path) -> None:
    for machine in range(2):
        shard = tmp_path / f"{machine}"
        shutil.copytree(folder, shard, ignore=shutil.ignore_patterns("*.parquet", ".groundlint_cache"))
        for place, path in enumerate(sorted((shard / "images").iterdir())):
            if place % 2 == machine:
                path.unlink()
        measure(shard, f"{folder}/shard-{machine}.parquet")
    assert check(folder, "--no-cache", "--measurements", "shard-?.parquet") == (folder / "whole.json").read_bytes()


@pytest.fixture
def shared(folder: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write into, with the measurements of a part of the images."""
    shared = tmp_path / "shared"
    shared.mkdir()
    file = shared / "measured.parquet"
    shutil.copyfile(folder / "1-of-2.parquet", file)
    os.utime(file, (1, 1))
    file.chmod(0o444)
    shared.chmod(0o555)
    yield shared
    assert file.read_bytes() == (folder / "1-of-2.parquet").read_bytes()
    assert (file.stat().st_mtime, file.stat().st_mode & 0o777) == (1, 0o444)
    assert [*shared.iterdir()] == [file]
    shared.chmod(0o755)


def test_a_shared_file_serves_as_a_cache_to_which_nothing_is_added(folder: Path, shared: Path, tmp_path: Path) -> None:
    """Images that it does not have are measured; those that it has need not be here."""
    here = tmp_path / "here"
    shutil.copytree(folder, here, ignore=shutil.ignore_patterns("*.parquet", ".groundlint_cache"))
    rows = pl.read_parquet(shared / "measured.parquet", columns=["source_ref", "found"])
    measured = rows.filter("found")["source_ref"].to_list()
    assert 0 < len(measured) < COUNT
    for source_ref in measured:
        (here / source_ref.removeprefix("s3://bucket/")).unlink(missing_ok=True)
    report = json.loads(check(here, "--no-cache", "--measurements", f"{shared}/*.parquet"))
    expected = json.loads((folder / "whole.json").read_bytes())
    assert report["summary"] == expected["summary"]
    for finding in expected["findings"]:
        finding["image"] = finding["image"] and (finding["image"] if (here / finding["image"]).exists() else None)
    assert report["findings"] == expected["findings"]


def test_runs_at_the_same_time_share_a_file_and_a_cache(folder: Path, shared: Path, tmp_path: Path) -> None:
    data = ("--train", "train.manifest", "--test", "test.manifest", "--preview", "-q")
    options = (f"--cache-dir={tmp_path}/cache", f"--measurements={shared}/measured.parquet")
    reports = [tmp_path / f"{n}.json" for n in range(2)]
    runs = [
        subprocess.Popen(
            [sys.executable, "-m", "groundlint", "check", *data, *options, f"--output=json:{report}"],
            cwd=folder,
            env={**PLACES, "HOME": str(tmp_path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for report in reports
    ]
    for run, report in zip(runs, reports, strict=True):
        _, said = run.communicate(timeout=120)
        assert (run.returncode, said) == (1, b"")
        assert report.read_bytes() == (folder / "whole.json").read_bytes()


def refused(folder: Path, *files: str) -> str:
    options = [option for file in files for option in ("--measurements", file)]
    done = groundlint("check", "train.manifest", *options, cwd=folder)
    assert done.returncode == 2
    return done.stderr


def with_features(folder: Path, name: str, change: dict[str, str | None]) -> str:
    """A copy of the measurements that says it has other versions of features."""
    rows = pl.read_parquet(folder / "1-of-1.parquet")
    metadata = pl.read_parquet_metadata(folder / "1-of-1.parquet")
    keys = [change.get(key, key) for key in json.loads(metadata["groundlint.features"])]
    metadata["groundlint.features"] = json.dumps([key for key in keys if key])
    rows.write_parquet(folder / name, metadata=metadata)
    return name


def some_feature(folder: Path) -> str:
    keys = json.loads(pl.read_parquet_metadata(folder / "1-of-1.parquet")["groundlint.features"])
    return next(key for key in keys if key.startswith("image_embedding@"))


def test_measurements_of_different_versions_are_not_mixed(folder: Path) -> None:
    other = with_features(folder, "other.parquet", {some_feature(folder): "image_embedding@99"})
    said = refused(folder, "1-of-2.parquet", other)
    assert "1-of-2.parquet and other.parquet were measured by different versions" in said
    assert "image_embedding differs" in said


def test_a_feature_that_a_rule_needs_and_nobody_measured_ends_the_run(folder: Path) -> None:
    some = with_features(folder, "some.parquet", {some_feature(folder): None})
    assert f"some.parquet lacks {some_feature(folder)}, which a rule needs: it was not measured" in refused(
        folder, some
    )


@pytest.mark.parametrize("content", [b"", b"PAR1", b"\0" * 100])
def test_a_file_that_is_no_parquet_is_named(folder: Path, content: bytes) -> None:
    (folder / "broken.parquet").write_bytes(content)
    assert "--measurements broken.parquet: the file cannot be read" in refused(folder, "broken.parquet")


def test_a_file_of_another_program_is_refused(folder: Path) -> None:
    pl.DataFrame({"source_ref": ["s3://bucket/images/0.jpg"]}).write_parquet(folder / "foreign.parquet")
    assert "foreign.parquet: this version of `groundlint measure` did not write it" in refused(
        folder, "foreign.parquet"
    )


def test_a_glob_without_a_file_is_an_error(folder: Path) -> None:
    assert "--measurements none-*.parquet: there is no such file" in refused(folder, "none-*.parquet")


def test_an_image_that_changed_between_two_measurements_is_named(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "images", tmp_path / "images")
    for name in ("train.manifest", "test.manifest", "1-of-1.parquet"):
        shutil.copy(folder / name, tmp_path)
    (tmp_path / "images/8.jpg").write_bytes(image_bytes(seed=99))
    measure(tmp_path, "later.parquet")
    said = refused(tmp_path, "1-of-1.parquet", "later.parquet")
    assert "different contents of s3://bucket/images/8.jpg" in said


def test_boxes_drawn_after_measuring_are_noted(folder: Path, tmp_path: Path) -> None:
    here = without_images(folder, tmp_path / "here")
    lines = (here / "train.manifest").read_text().splitlines()
    moved = json.loads(lines[0])
    (attribute,) = (key for key, value in moved.items() if isinstance(value, dict) and "annotations" in value)
    moved[attribute]["annotations"][0]["left"] += 1
    (here / "train.manifest").write_text("\n".join([json.dumps(moved), *lines[1:]]) + "\n")
    report = json.loads(check(here, "--measurements", "1-of-1.parquet"))
    (note,) = (note for note in report["summary"]["notes"] if note["kind"] == "measurements-incomplete")
    assert note["count"] == 1


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b", "1/0", "-1/2"])
def test_a_part_that_does_not_exist_is_a_usage_error(folder: Path, part: str) -> None:
    done = groundlint("measure", "train.manifest", "--to", "x.parquet", f"--part={part}", cwd=folder)
    assert done.returncode == 2
    assert "write I/N with I from 1 to N" in done.stderr


def test_images_that_are_required_and_missing_end_with_2(folder: Path, tmp_path: Path) -> None:
    here = without_images(folder, tmp_path / "here")
    done = groundlint("measure", "train.manifest", "--to", "x.parquet", "--require-images", cwd=here)
    assert done.returncode == 2
    assert "not found" in done.stderr
