"""The cache of measurements: what it saves, and that a spoiled or hostile one changes no result."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from image_features import beginning, crop_width, size_if_labeled
from image_sets import (
    COUNT,
    image_bytes,
    image_tables,
    images_of,
    set_old_dates,
    tables_of,
    write_images,
    write_manifest,
)
from lines import classification, detection
from typer.testing import CliRunner

from groundlint.cli import app
from groundlint.images.cache import FILE, TAG, Cache
from groundlint.images.places import Stamp
from groundlint.images.record import CropRecord, ImageRecord


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    write_images()
    set_old_dates()
    return tmp_path


FEATURES = [beginning, crop_width]


def run(cache: str | None = "cache") -> tuple[dict[str, list[Any]], int, str | None]:
    """The rows of the tables, how many images were opened, and the warning of the cache."""
    made = image_tables(Path(cache) if cache else None, features=FEATURES)
    tables = tables_of(made)
    return {name: sorted(table.rows(), key=repr) for name, table in tables.items()}, made.opened, made.cache.warning


def test_a_second_run_opens_no_image() -> None:
    first, second = run(), run()
    assert second[0] == first[0]
    assert (first[1], second[1]) == (COUNT, 0)


def test_no_cache_is_created_where_no_image_is_found() -> None:
    Path("images").rename("gone")
    assert run()[1:] == (0, None)
    assert not Path("cache").exists()


def test_a_cache_marks_itself_as_one_and_is_ignored_by_git() -> None:
    run()
    assert Path("cache", TAG).read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert Path("cache/.gitignore").read_text() == "*\n"


def test_a_changed_file_is_measured_again() -> None:
    run()
    Path("images/1.jpg").write_bytes(image_bytes((200, 100)))
    rows, opened, _ = run()
    assert opened == 1
    assert rows == run(None)[0]


def test_a_file_written_a_moment_ago_is_measured_again() -> None:
    # It may be written once more within the resolution of its date.
    soon = time.time() + 600
    os.utime("images/1.jpg", (soon, soon))
    assert [run()[1], run()[1]] == [COUNT, 1]


def test_a_renamed_file_is_opened_and_nothing_else() -> None:
    run()
    Path("images/1.jpg").rename("images/100.jpg")
    write_manifest(*(classification(f"s3://bucket/images/{n}.jpg") for n in (0, 2, 100)))
    assert run()[1] == 1


def test_values_of_other_features_and_boxes_remain(folder: Path) -> None:
    cache = Cache(folder / "cache")
    cache.open()
    stamp = Stamp(1, 0, 1)
    one, other = (1.0, 2.0, 3.0, 4.0), (5.0, 6.0, 7.0, 8.0)
    cache.store(
        [("a", stamp, "d")], {"d": ImageRecord(digest="d", values={"x@1": 1})}, {"d": [CropRecord(one, {"y": 1})]}
    )
    again = [CropRecord(one, {"z": 2}), CropRecord(other, {"z": 3})]
    cache.store([("b", stamp, "d")], {"d": ImageRecord(digest="d", values={"x@2": 2})}, {"d": again})
    assert cache.digests({"a": stamp, "b": stamp, "c": stamp}) == {"a": "d", "b": "d"}
    assert cache.digests({"a": Stamp(2, 0, 1)}) == {}
    assert cache.images(["d"])["d"].values == {"x@1": 1, "x@2": 2}
    assert {box: crop.values for box, crop in cache.crops(["d"])["d"].items()} == {
        one: {"y": 1, "z": 2},
        other: {"z": 3},
    }
    cache.close()


def execute(statement: str, *parameters: Any) -> None:
    connection = sqlite3.connect(Path("cache", FILE))
    connection.execute(statement, parameters)
    connection.commit()
    connection.close()


def garbage() -> None:
    Path("cache", FILE).write_bytes(b"garbage" * 1000)


def other_schema() -> None:
    Path("cache", FILE).unlink()
    execute("CREATE TABLE files (a INTEGER)")


def other_types() -> None:
    execute("UPDATE images SET record = ?", b"\x99" + b"\xa1x" * 9)
    execute("UPDATE crops SET records = ?", 12.5)


def invalid_text() -> None:
    execute("UPDATE files SET digest = CAST(x'FF' AS TEXT)")


def digests_of_bytes() -> None:
    execute("UPDATE files SET digest = x'FF' WHERE path LIKE '%1.jpg'")


def a_file_in_place_of_the_folder() -> None:
    for path in Path("cache").iterdir():
        path.unlink()
    Path("cache").rmdir()
    Path("cache").write_text("a file")


SPOILED = [garbage, other_schema, other_types, invalid_text, digests_of_bytes, a_file_in_place_of_the_folder]


@pytest.mark.parametrize("spoil", SPOILED)
def test_a_spoiled_cache_changes_no_result(spoil: Callable[[], None]) -> None:
    Path("images/3.jpg").write_bytes(b"no image")
    write_manifest(*(detection(f"s3://bucket/images/{n}.jpg", ({}, {"left": 12})) for n in range(COUNT)))
    expected = run()[0]
    assert run()[0] == expected
    spoil()
    assert run()[0] == expected
    assert run()[0] == expected


def changed_records(change: Callable[[list[Any]], None]) -> None:
    """Change each record in the cache, given as a list of its fields."""
    connection = sqlite3.connect(Path("cache", FILE))
    for digest, data in connection.execute("SELECT digest, record FROM images").fetchall():
        fields = msgspec.msgpack.decode(data)
        change(fields)
        connection.execute("UPDATE images SET record = ? WHERE digest = ?", (msgspec.msgpack.encode(fields), digest))
    connection.commit()
    connection.close()


WRONG: dict[str, tuple[str, Any]] = {
    "a negative size": ("bytes", -1),
    "a width that no column holds": ("width", 2**40),
    "another type": ("format", 5),
    "an unknown fault": ("fault", "odd"),
    "the record of another content": ("digest", "0" * 64),
    "a value of the wrong length": ("values", {beginning.key: b"short"}),
    "a value of the wrong type": ("values", {beginning.key: "text"}),
}


@pytest.mark.parametrize("kind", WRONG)
def test_records_that_no_measurement_makes_are_not_taken_from_a_cache(kind: str) -> None:
    expected = run()[0]["images"]
    name, value = WRONG[kind]
    place = ImageRecord.__struct_fields__.index(name)
    changed_records(lambda fields: fields.__setitem__(place, value))
    rows, opened, _ = run()
    if name == "values":
        # The value counts as unknown.
        assert [row[:-1] for row in rows["images"]] == [row[:-1] for row in expected]
        assert {row[-1] for row in rows["images"]} == {None}
    else:
        assert (rows["images"], opened) == (expected, COUNT)


def test_a_box_that_is_twice_in_a_cache_is_one_row() -> None:
    write_manifest(*(detection(f"s3://bucket/images/{n}.jpg") for n in range(COUNT)))
    expected = run()[0]
    connection = sqlite3.connect(Path("cache", FILE))
    for digest, data in connection.execute("SELECT digest, records FROM crops").fetchall():
        twice = msgspec.msgpack.encode(msgspec.msgpack.decode(data) * 2)
        connection.execute("UPDATE crops SET records = ? WHERE digest = ?", (twice, digest))
    connection.commit()
    connection.close()
    assert run()[:2] == (expected, 0)


def test_a_cache_that_git_tracks_is_not_used() -> None:
    run()
    for command in (["init", "-q"], ["add", "-f", "cache"]):
        subprocess.run(["git", *command], check=True)
    _, opened, warning = run()
    assert opened == COUNT
    assert (
        warning
        == "cache: the cache cannot be used: git tracks it, so anybody may have written it; continuing without it"
    )


@pytest.mark.skipif(os.name == "nt", reason="links are those of Unix")
def test_a_cache_is_not_written_through_links() -> None:
    Path("cache").mkdir()
    Path("cache/.gitignore").symlink_to("../../outside")
    Path("cache", FILE).symlink_to("../../database")
    assert "it is a symbolic link" in (run()[2] or "")
    assert not Path("../outside").exists()
    assert not Path("../database").exists()


SCRIPT = """
import sys
from pathlib import Path
from image_sets import image_tables, images_of
if __name__ == "__main__":
    made = image_tables(Path("cache"), jobs=1)
    print(images_of(made)["width"].count(), made.cache.warning)
"""


def started() -> subprocess.Popen[str]:
    """A run in another process, which prints how many images it measured and the warning of its cache."""
    return subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_parallel_runs_share_a_cache() -> None:
    for each in [started() for _ in range(4)]:
        assert each.communicate(timeout=120) == (f"{COUNT} None\n", "")


def stored() -> int:
    """How many files the cache knows."""
    if not Path("cache", FILE).exists():
        return 0
    connection = sqlite3.connect(Path("cache", FILE))
    try:
        return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


@pytest.mark.skipif(os.name == "nt", reason="signals are those of Unix")
def test_ctrl_c_keeps_measurements() -> None:
    large = image_bytes((3000, 2000), quality=90)
    for n in range(600):
        Path(f"images/{n}.jpg").write_bytes(large)
    set_old_dates()
    write_manifest(*(classification(f"s3://bucket/images/{n}.jpg") for n in range(600)))
    with started() as each:
        for _ in range(600):
            time.sleep(0.05)
            if stored() or each.poll() is not None:
                break
        each.send_signal(signal.SIGINT)
        _, error = each.communicate(timeout=30)
        assert "KeyboardInterrupt" in error
    assert 0 < stored() < 600


def test_measurements_made_before_an_interruption_are_kept(folder: Path) -> None:
    made = image_tables(folder / "cache")

    def interrupt(text: str) -> None:
        if text.startswith("measuring images: 3 of 40 "):
            raise KeyboardInterrupt

    made.on_progress = interrupt
    with pytest.raises(KeyboardInterrupt):
        images_of(made)
    assert stored() >= 3


def test_clean_removes_the_cache_and_nothing_else(folder: Path) -> None:
    run()
    Path("groundlint.toml").write_text('cache-dir = "cache"\n')
    assert CliRunner().invoke(app, ["clean"]).exit_code == 0
    assert not Path("cache").exists()
    assert CliRunner().invoke(app, ["clean", "--cache-dir", "images"]).exit_code == 2
    assert Path("images/1.jpg").exists()


def test_the_cache_of_images_without_labels_serves_labeled_ones_partly(folder: Path) -> None:
    unlabeled = [detection(f"s3://bucket/images/{n}.jpg") for n in range(COUNT)]
    write_manifest(*unlabeled, name="b.manifest")
    counts = []
    for name in ("b.manifest", "a.manifest", "b.manifest"):
        made = image_tables(folder / "cache", features=[beginning, size_if_labeled])
        images = images_of(made, name)
        counts.append((made.opened, *images.select("beginning", "size_if_labeled").count().row(0)))
    assert counts == [(COUNT, COUNT, 0), (COUNT, COUNT, COUNT), (0, COUNT, 0)]


def test_clean_older_than_forgets_what_no_run_has_used_since() -> None:
    run()
    long_ago = int(time.time() // 86_400) - 31
    with sqlite3.connect(Path("cache", FILE)) as connection:
        connection.execute("UPDATE files SET used = ?", (long_ago,))
    connection.close()
    for n in range(COUNT // 2):
        Path(f"images/{n}.jpg").unlink()
    # This run uses the other half.
    assert run()[1] == 0
    Path("cache/measured-1.sqlite").write_text("of an earlier version")
    os.utime("cache/measured-1.sqlite", (long_ago * 86_400,) * 2)
    done = CliRunner().invoke(app, ["clean", "--older-than", "30", "--cache-dir", "cache"])
    assert done.output == f"cache: measurements of {COUNT // 2} images removed, {COUNT - COUNT // 2} left\n"
    assert not Path("cache/measured-1.sqlite").exists()
    assert run()[1] == 0


def test_clean_older_than_keeps_what_was_used_today() -> None:
    run()
    done = CliRunner().invoke(app, ["clean", "--older-than", "1", "--cache-dir", "cache"])
    assert done.output == f"cache: measurements of 0 images removed, {COUNT} left\n"
    assert run()[1] == 0


@pytest.mark.parametrize("days", ["-1", "1.5", "7d", ""])
def test_clean_older_than_takes_whole_days(days: str) -> None:
    run()
    done = CliRunner().invoke(app, ["clean", f"--older-than={days}", "--cache-dir", "cache"])
    assert done.exit_code == 2
    assert "Invalid value for '--older-than'" in done.output
    assert stored() == COUNT


def test_clean_older_than_any_number_of_days_keeps_what_was_used_since() -> None:
    run()
    done = CliRunner().invoke(app, ["clean", "--older-than", "1" + "0" * 30, "--cache-dir", "cache"])
    assert done.output == f"cache: measurements of 0 images removed, {COUNT} left\n"


def test_clean_older_than_names_a_database_that_it_cannot_read() -> None:
    run()
    Path("cache", FILE).write_bytes(b"garbage" * 1000)
    done = CliRunner().invoke(app, ["clean", "--older-than", "1", "--cache-dir", "cache"])
    assert done.exit_code == 2
    assert "cache: the cache cannot be cleaned: file is not a database" in done.output
