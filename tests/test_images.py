"""Images: found where they may be looked for, measured once, remembered, and no file takes the run with it."""

from __future__ import annotations

import importlib
import io
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import psutil
import pytest
from lines import classification, detection, manifest
from PIL import Image
from typer.testing import CliRunner

import groundlint
from groundlint.cli import app
from groundlint.engine import registry
from groundlint.engine.features import feature
from groundlint.images import pool
from groundlint.images.cache import FILE, Cache
from groundlint.images.image_tables import Gallery
from groundlint.images.record import Task
from groundlint.images.store import Roots, Store
from groundlint.manifest.reader import Source, read

SHARED = Path(__file__).parents[2] / "shared/data"
COUNT = 40
FEATURES = [registry.load(isolated=True).features["decoded"]]


def picture(size: tuple[int, int] = (96, 80), seed: int = 0, **save: Any) -> bytes:
    """A JPEG, or what `format` says, with something in it."""
    image = Image.effect_mandelbrot(size, (-2 + seed / 50, -1.5, 1, 1.5), 30).convert("RGB")
    stream = io.BytesIO()
    image.save(stream, **{"format": "JPEG", **save})
    return stream.getvalue()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest and its images beside it."""
    monkeypatch.chdir(tmp_path)
    Path("images").mkdir()
    for n in range(COUNT):
        Path(f"images/{n}.jpg").write_bytes(picture(seed=n))
    Path("a.manifest").write_text(
        manifest(*(classification(f"s3://bucket/images/{n}.jpg", "ab"[n % 2]) for n in range(COUNT)))
    )
    return tmp_path


def check(*arguments: str) -> tuple[int, Any, str]:
    """Exit status, report and standard error of the command."""
    result = CliRunner().invoke(app, ["check", "--output", "json:report.json", *arguments])
    report = json.loads(Path("report.json").read_text()) if Path("report.json").exists() else None
    return result.exit_code, report, result.stderr


def names(report: Any) -> set[tuple[str, str]]:
    return {(finding["name"], finding["source_ref"]) for finding in report["findings"]}


def of_images(report: Any) -> list[Any]:
    return [finding for finding in report["findings"] if finding["code"].startswith("IMG")]


def gallery(cache: Path | None, *, features: Any = FEATURES) -> Gallery:
    return Gallery(Store(Roots({}), [Path.cwd()]), Cache(cache), features, jobs=2)


# Where images are found


@pytest.mark.parametrize(
    ("where", "flags", "config"),
    [
        ("images", [], ""),
        ("elsewhere", ["--images", "elsewhere"], ""),
        ("else/bucket/images", ["--images", "else"], ""),
        ("else/where", ["--images", "s3://bucket/images/=else/where"], ""),
        ("else/where", [], '[images]\n"s3://bucket/images" = "else/where"\n'),
    ],
)
def test_images_are_found(where: str, flags: list[str], config: str, folder: Path) -> None:
    Path("groundlint.toml").write_text(config)
    if where != "images":
        (folder / where).parent.mkdir(parents=True, exist_ok=True)
        Path("images").rename(where)
    status, report, _ = check("a.manifest", *flags)
    assert status == 0
    assert report["summary"]["images"] == {"total": COUNT, "found": COUNT, "unreadable": 0}


def test_a_manifest_in_a_folder_of_its_own_finds_the_images_above_it(folder: Path) -> None:
    Path("manifests").mkdir()
    Path("a.manifest").rename("manifests/a.manifest")
    assert check("manifests/a.manifest")[1]["summary"]["images"]["found"] == COUNT


def test_the_longest_suffix_wins(folder: Path) -> None:
    Path("0.jpg").write_bytes(b"another")
    Path("bucket/images").mkdir(parents=True)
    Path("bucket/images/0.jpg").write_bytes(picture((70, 65)))
    sizes = dict(images_of(gallery(None)))
    assert sizes["bucket/images/0.jpg"] == 70
    assert "0.jpg" not in sizes


def images_of(made: Gallery) -> Iterator[tuple[str, int]]:
    tables = read([Source("a.manifest", "train", Path("a.manifest"))]).tables
    yield from made.tables(tables["lines"], tables["boxes"], tables["labels"])["images"].select("path", "width").rows()


def test_no_image_at_all_is_said_once_and_no_image_is_called_missing(folder: Path) -> None:
    Path("images").rename("gone")
    status, report, said = check("a.manifest")
    assert (status, of_images(report)) == (0, [])
    assert said.count("no image of a.manifest is found") == 1
    assert "--images" in said
    assert report["summary"]["images"] == {"total": COUNT, "found": 0, "unreadable": 0}
    assert "IMG202" in {skipped["code"] for skipped in report["summary"]["skipped_rules"]}
    assert "BOX101" not in {skipped["code"] for skipped in report["summary"]["skipped_rules"]}
    assert check("a.manifest", "--require-images")[0] == 2


def test_one_of_several_manifests_without_images_keeps_the_gate_shut(folder: Path) -> None:
    Path("b.manifest").write_text(manifest(classification("s3://bucket/gone/1.jpg")), encoding="utf-8")
    status, report, said = check("a.manifest", "b.manifest", "--require-images")
    assert status == 2
    assert "error: no image of b.manifest is found" in said
    assert report["summary"]["images"]["found"] == COUNT
    assert {skipped["reason"] for skipped in report["summary"]["skipped_rules"]} == {"no image of b.manifest is found"}


def test_that_no_image_is_found_is_said_for_the_rules_of_the_service_too(folder: Path) -> None:
    Path("images").rename("gone")
    of_service = ("--select", "ERROR_INVALID_IMAGE")
    assert "no image of a.manifest is found" in check("a.manifest", "--images", ".", *of_service)[2]
    assert "no image of a.manifest is found" in check("a.manifest", "--require-images", *of_service)[2]


def test_images_that_are_all_refused_are_found_faulty(folder: Path) -> None:
    Path("links").mkdir()
    for name in ("1.jpg", "2.jpg"):
        Path("links", name).symlink_to("/dev/zero")
    lines = [classification(f"s3://bucket/links/{name}") for name in ("1.jpg", "2.jpg")]
    Path("b.manifest").write_text(manifest(*lines), encoding="utf-8")
    status, report, _ = check("b.manifest")
    assert status == 1
    assert [(finding["line"], finding["aws"]) for finding in of_images(report)] == [
        (1, "ERROR_INVALID_IMAGE"),
        (2, "ERROR_INVALID_IMAGE"),
    ]
    assert report["summary"]["images"] == {"total": 2, "found": 0, "unreadable": 0}


def test_pointers_of_git_lfs_are_no_images(folder: Path) -> None:
    for path in Path("images").iterdir():
        path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", encoding="utf-8")
    status, _, said = check("a.manifest", "--require-images")
    assert status == 2
    assert "no image of a.manifest is found" in said


def test_each_missing_file_is_an_error_and_a_fifth_of_them_fails_the_training(folder: Path) -> None:
    Path("images/3.jpg").unlink()
    status, report, _ = check("a.manifest")
    assert (status, [f["aws"] for f in of_images(report)]) == (1, ["ERROR_INVALID_IMAGE"])
    for n in range(4, 13):
        Path(f"images/{n}.jpg").unlink()
    codes = [finding["aws"] for finding in check("a.manifest")[1]["findings"]]
    assert codes.count("ERROR_INVALID_IMAGE") == 10
    assert "ERROR_TOO_MANY_INVALID_ROWS_IN_MANIFEST" in codes
    assert {f["name"] for f in of_images(check("a.manifest", "--target", "ground-truth")[1])} == {"image-missing"}


# What is not opened


HOSTILE = [
    "s3://bucket/../../secret.jpg",
    "s3://bucket/images/../../secret.jpg",
    "s3://bucket//etc/passwd",
    "s3://bucket/etc/passwd",
    "s3://../../secret.jpg",
    "s3://bucket/images/..%2f..%2fsecret.jpg",
    "s3://bucket/images\\..\\..\\secret.jpg",
    "file:///etc/passwd",
    "/etc/passwd",
    "\\\\server\\share\\secret.jpg",
    "s3://bucket/images/out.jpg",
    "s3://bucket/images/loop.jpg",
    "s3://bucket/images/outside/secret.jpg",
    "s3://bucket/images/pipe.jpg",
    "s3://bucket/images/folder.jpg",
    "s3://bucket/images/null.jpg",
    "s3://bucket/images/socket.jpg",
    "s3://bucket/images/\x00.jpg",
    "s3://bucket/proc/self/environ",
    "s3://bucket/dev/zero",
]


@pytest.mark.skipif(os.name == "nt", reason="links, pipes and devices are those of Unix")
def test_nothing_outside_the_folders_is_opened(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.jpg").write_bytes(picture())
    Path("images/out.jpg").symlink_to(outside / "secret.jpg")
    Path("images/loop.jpg").symlink_to("loop.jpg")
    Path("images/outside").symlink_to(outside)
    Path("images/null.jpg").symlink_to("/dev/zero")
    Path("images/folder.jpg").mkdir()
    os.mkfifo("images/pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("images/socket.jpg")
        Path("a.manifest").write_text(
            manifest(*(classification(ref) for ref in HOSTILE), classification("s3://bucket/images/1.jpg"))
        )
        opened: set[str] = set()

        def spy(event: str, arguments: Any) -> None:
            if event == "open" and isinstance(arguments[0], str):
                opened.add(os.path.realpath(arguments[0]))

        sys.addaudithook(spy)
        for roots in (Roots({}), Roots({"s3://bucket/": Path("images")}), Roots({}, [Path("images")])):
            store = Store(roots, [Path.cwd()])
            for ref in HOSTILE:
                assert store.find(ref, "a.manifest").path is None, ref
        found = check("a.manifest")[1]
    assert found["summary"]["images"]["found"] == 1
    assert not {path for path in opened if path.startswith(("/etc/passwd", "/dev/zero", str(outside)))}


def test_a_link_within_the_folders_is_followed(folder: Path) -> None:
    Path("images/link.jpg").symlink_to("1.jpg")
    place = Store(Roots({}), [Path.cwd()]).find("s3://bucket/images/link.jpg", "a.manifest")
    assert place.path == str(folder.resolve() / "images/1.jpg")


# What measuring makes of files


def test_each_odd_file_is_one_finding_that_names_it(folder: Path) -> None:
    whole = picture((400, 300))
    files = {
        "0": b"",
        "1": b"not an image",
        "2": whole[: len(whole) // 2],
        "3": picture(format="GIF"),
        "4": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
        "5": picture((60, 60)),
        "6": picture((2100, 100)),
        "7": picture(format="PNG"),
        "8": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00",
        "9": picture(format="WEBP"),
    }
    for name, data in files.items():
        Path(f"images/{name}.jpg").write_bytes(data)
    report = check("a.manifest", "--no-cache", "--ignore", "IMG3")[1]
    found = {f["source_ref"].rpartition("/")[2]: (f["name"], f["message"]) for f in of_images(report)}
    assert {name: finding[0] for name, finding in found.items()} == {
        "0.jpg": "invalid-image",
        "1.jpg": "invalid-image",
        "2.jpg": "image-truncated",
        "3.jpg": "invalid-image",
        "4.jpg": "image-not-fetched",
        "5.jpg": "invalid-image",
        "6.jpg": "invalid-image",
        "7.jpg": "suffix-contradicts-content",
        "8.jpg": "invalid-image",
        "9.jpg": "invalid-image",
    }
    assert "HEIF" in found["8.jpg"][1]
    assert "WEBP" in found["9.jpg"][1]
    assert "GIF" in found["3.jpg"][1]


def test_a_picture_is_judged_by_its_own_size(folder: Path) -> None:
    Path("a.manifest").write_text(
        manifest(
            detection("s3://bucket/images/0.jpg"),
            detection("s3://bucket/images/1.jpg"),
            *(detection(f"s3://bucket/images/{n}.jpg") for n in range(2, COUNT)),
        )
    )
    for n in range(COUNT):
        Path(f"images/{n}.jpg").write_bytes(picture((640, 480), seed=n))
    Path("images/0.jpg").write_bytes(picture((640, 60)))
    Path("images/1.jpg").write_bytes(picture((480, 640)))
    _, report, _ = check("a.manifest", "--ignore", "IMG4")
    found = [(f["source_ref"][-5:], f["name"], f["message"]) for f in of_images(report)]
    assert [entry[:2] for entry in found] == [
        ("0.jpg"[-5:], "invalid-image-dimension"),
        ("0.jpg"[-5:], "wrong-image-size"),
        ("1.jpg"[-5:], "wrong-image-size"),
    ]
    assert found[2][2].endswith("the sides are swapped")


@pytest.mark.skipif(not SHARED.is_dir(), reason="the corpora lie outside the project, in ../shared/data")
@pytest.mark.parametrize("corpus", ["png", "png_crashers", "exif_orientation"])
def test_a_corpus_of_hostile_files_is_measured_to_the_end(corpus: str) -> None:
    paths = sorted(path for path in (SHARED / "corpora" / corpus).rglob("*") if path.is_file())
    tasks = [Task(n, str(path)) for n, path in enumerate(paths)]
    measured = {each.number: each for each in pool.measure(tasks, FEATURES, jobs=2)}
    assert sorted(measured) == list(range(len(paths)))
    for n, path in enumerate(paths):
        is_sound = measured[n].fault is None
        if corpus == "png" and path.suffix == ".png":
            # A wrong checksum of the pixels is read over by decoders.
            is_corrupt = path.name.startswith("x") and path.name != "xcsn0g01.png"
            assert is_sound != is_corrupt, (path.name, measured[n].detail)
        if corpus == "exif_orientation" and path.suffix == ".jpg":
            assert is_sound


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_file_cut_at_any_tenth_is_told(tenth: int) -> None:
    for form in ("JPEG", "PNG"):
        data = picture((300, 200), format=form)
        Path("cut").write_bytes(data[: len(data) * tenth // 10])
        (measured,) = pool.measure([Task(0, "cut")], FEATURES, jobs=1)
        assert measured.fault in {"truncated", "no-image", "unreadable"}


def bombs() -> Iterator[tuple[str, bytes]]:
    """Files that ask for gigabytes, by name."""
    for side in (13_000, 9_000):
        stream = io.BytesIO()
        Image.new("1", (side, side)).save(stream, "PNG")
        yield f"png of {side}", stream.getvalue()
    whole = bytearray(next(bombs_header()))
    yield "png that says 65,535", bytes(whole)
    stream = io.BytesIO()
    frames = [Image.new("P", (2000, 2000), n) for n in range(50)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    yield "gif of many frames", stream.getvalue()


def bombs_header() -> Iterator[bytes]:
    import struct
    import zlib

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    yield (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 1000))
        + chunk(b"IEND", b"")
    )


def test_bombs_cost_neither_memory_nor_time() -> None:
    tasks = []
    for n, (_, data) in enumerate(bombs()):
        Path(f"bomb{n}").write_bytes(data)
        tasks.append(Task(n, f"bomb{n}"))
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.is_set():
            for child in psutil.Process().children():
                try:
                    peak = max(peak, child.memory_info().rss)
                except psutil.NoSuchProcess:
                    continue
            time.sleep(0.01)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        faults = {each.number: each.fault for each in pool.measure(tasks, FEATURES, jobs=1)}
    finally:
        done.set()
        watcher.join()
    assert faults == {0: "too-big", 1: "too-big", 2: "too-big", 3: None}
    assert 0 < peak < 512 * 1024 * 1024


# Workers that die


CULPRITS = """
import os, signal, time
from groundlint import feature

@feature(of="images", dtype=int)
def culprit(data: bytes) -> int:
    if data.endswith(b"crash"): os.kill(os.getpid(), signal.SIGSEGV)
    if data.endswith(b"hang"): time.sleep(60)
    if data.endswith(b"raise"): raise RuntimeError("odd")
    return len(data)
"""


def test_a_file_that_kills_or_hangs_a_worker_costs_itself_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = folder / "plugin"
    plugin.mkdir()
    (plugin / "culprits.py").write_text(CULPRITS)
    monkeypatch.syspath_prepend(str(plugin))
    monkeypatch.setenv("PYTHONPATH", str(plugin))
    from culprits import culprit  # type: ignore[import-not-found]

    image = picture()
    for n in range(COUNT):
        Path(f"images/{n}.jpg").write_bytes(image)
    for n, order in ((5, b"crash"), (17, b"hang"), (30, b"crash")):
        Path(f"images/{n}.jpg").write_bytes(image + order)
    tasks = [Task(n, f"images/{n}.jpg") for n in range(COUNT)]
    faults = {m.number: m.fault for m in pool.measure(tasks, [culprit], jobs=2, timeout=2)}
    assert sorted(faults) == list(range(COUNT))
    assert {n: fault for n, fault in faults.items() if fault} == {5: "crashed", 17: "timed-out", 30: "crashed"}


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of Unix")
def test_a_worker_that_somebody_kills_costs_no_finding(folder: Path) -> None:
    large = picture((2000, 1500), quality=95)
    for n in range(COUNT):
        Path(f"images/{n}.jpg").write_bytes(large)
    Path("images/7.jpg").write_bytes(b"no image")
    tasks = [Task(n, f"images/{n}.jpg") for n in range(COUNT)]
    measured = {}
    for each in pool.measure(tasks, FEATURES, jobs=2):
        measured[each.number] = each.fault
        if len(measured) == 3:
            psutil.Process().children()[0].kill()
    assert sorted(measured) == list(range(COUNT))
    assert {n: fault for n, fault in measured.items() if fault} == {7: "no-image"}


def test_a_worker_that_dies_as_it_starts_leaves_its_work_to_the_other(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("once.py").write_text(
        "import os, signal\n"
        "from groundlint.engine.features import feature\n"
        "try:\n"
        "    open('begun', 'x').close()\n"
        "except FileExistsError:\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "@feature(of='images', dtype=int)\n"
        "def size(data: bytes) -> int:\n"
        "    return len(data)\n"
    )
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    size = importlib.import_module("once").size
    Path("begun").unlink()
    tasks = [Task(n, f"images/{n}.jpg") for n in range(COUNT)]
    measured = {each.number: each.values[size.key] for each in pool.measure(tasks, [size], jobs=2)}
    assert measured == {n: Path(f"images/{n}.jpg").stat().st_size for n in range(COUNT)}


def test_a_feature_that_cannot_be_imported_is_named(folder: Path) -> None:
    from groundlint.engine.features import Feature

    def lost(data: bytes) -> int:
        return len(data)

    with pytest.raises(pool.PoolError, match="test_images"):
        list(pool.measure([Task(0, "images/0.jpg")], [Feature(lost, "images", 1, int)], jobs=1))


# What is remembered


def test_a_second_run_opens_no_image(folder: Path) -> None:
    age()
    first, second = gallery(folder / "cache"), gallery(folder / "cache")
    before = list(images_of(first))
    first.cache.close()
    assert (list(images_of(second)), first.opened, second.opened) == (before, COUNT, 0)


def age() -> None:
    """Let the images be older than the span in which a file's date does not tell whether it has changed."""
    for path in Path("images").iterdir():
        os.utime(path, (time.time() - 100,) * 2)


def test_a_changed_file_is_measured_again_and_a_renamed_one_is_not_new(folder: Path) -> None:
    age()
    first = gallery(folder / "cache")
    list(images_of(first))
    first.cache.close()
    Path("images/1.jpg").write_bytes(picture((200, 100)))
    second = gallery(folder / "cache")
    assert dict(images_of(second))["images/1.jpg"] == 200
    assert second.opened == 1


def test_what_only_labels_need_is_measured_once_an_image_has_one(folder: Path) -> None:
    age()
    unlabelled = manifest(*(detection(f"s3://bucket/images/{n}.jpg") for n in range(COUNT)))
    Path("b.manifest").write_text(unlabelled)
    counts = []
    for name in ("b.manifest", "a.manifest", "b.manifest"):
        done = CliRunner().invoke(app, ["export", "images", name, "--cache-dir", "cache", "--to", "images.parquet"])
        assert done.exit_code == 0, done.output
        counts.append(pl.read_parquet("images.parquet").select("net", "phash").count().row(0))
    assert counts == [(0, COUNT), (COUNT, COUNT), (0, COUNT)]


@feature(of="crops", dtype=int)
def crop_width(crop: Image.Image) -> int:
    """Pixels of the box's width."""
    return crop.width


@feature(of="crops", dtype=int, only_sampled=True)
def crop_height(crop: Image.Image) -> int:
    """Pixels of the box's height, of few boxes."""
    return crop.height


def boxed(count: int, width: int = 30) -> str:
    """Images with two boxes each, of which the second moves with the width."""
    boxes = ({"left": 4, "top": 4, "width": 20, "height": 20}, {"left": 8, "top": 8, "width": width, "height": 25})
    return manifest(*(detection(f"s3://bucket/images/{n}.jpg", boxes) for n in range(count)))


@pytest.fixture
def workers_find_features(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


def crops_of(made: Gallery) -> pl.DataFrame:
    tables = read([Source("a.manifest", "train", Path("a.manifest"))]).tables
    return made.tables(tables["lines"], tables["boxes"], tables["labels"])["crops"].sort("line", "box")


@pytest.mark.usefixtures("workers_find_features")
def test_a_box_drawn_anew_is_measured_and_what_is_known_of_the_others_stays(folder: Path) -> None:
    age()
    opened = []
    for width in (30, 40, 30):
        Path("a.manifest").write_text(boxed(COUNT, width))
        made = gallery(folder / "cache", features=[crop_width, crop_height])
        assert crops_of(made)["crop_width"].to_list() == [20, width] * COUNT
        opened.append(made.opened)
        made.cache.close()
    assert opened == [COUNT, COUNT, 0]


@pytest.mark.usefixtures("workers_find_features")
def test_of_very_many_boxes_some_are_looked_at_closely_whatever_is_remembered(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    age()
    Path("a.manifest").write_text(boxed(COUNT))
    features = [crop_width, crop_height]
    whole = crops_of(gallery(folder / "cache", features=features))
    assert whole.null_count().row(0) == (0,) * whole.width
    monkeypatch.setattr("groundlint.images.image_tables.MAX_SAMPLE", 10)
    fresh, remembered = (crops_of(gallery(cache, features=features)) for cache in (None, folder / "cache"))
    assert fresh.equals(remembered)
    assert fresh["crop_width"].to_list() == whole["crop_width"].to_list()
    assert fresh["crop_height"].count() == 10
    assert fresh.filter(pl.col("crop_height").is_not_null())["line"].n_unique() > 5


def spoilt(kind: str, cache: Path) -> None:
    file = cache / FILE
    if kind == "garbage":
        file.write_bytes(b"garbage" * 1000)
    elif kind == "another schema":
        file.unlink()
        with sqlite3.connect(file) as connection:
            connection.execute("CREATE TABLE files (a INTEGER)")
        connection.close()
    elif kind == "other types":
        with sqlite3.connect(file) as connection:
            connection.execute("UPDATE facts SET data = ?", (b"\x99" + b"\xa1x" * 9,))
        connection.close()
    elif kind == "no folder":
        for path in cache.iterdir():
            path.unlink()
        cache.rmdir()
        cache.write_text("a file")


@pytest.mark.parametrize("kind", ["garbage", "another schema", "other types", "no folder"])
def test_a_spoilt_cache_changes_no_finding(kind: str, folder: Path) -> None:
    age()
    Path("images/3.jpg").write_bytes(b"no image")
    wanted = names(check("a.manifest", "--no-cache")[1])
    assert ("invalid-image", "s3://bucket/images/3.jpg") in wanted
    check("a.manifest", "--cache-dir", "cache")
    spoilt(kind, folder / "cache")
    assert names(check("a.manifest", "--cache-dir", "cache")[1]) == wanted


def test_a_cache_that_git_tracks_is_not_believed(folder: Path) -> None:
    age()
    check("a.manifest")
    for command in (["init", "-q"], ["add", "-f", ".groundlint_cache"]):
        subprocess.run(["git", *command], check=True)
    assert "git tracks it" in check("a.manifest")[2]


def test_parallel_runs_share_a_cache(folder: Path) -> None:
    command = [sys.executable, "-m", "groundlint", "check", "a.manifest", "--cache-dir", "cache", "--jobs", "1"]
    runs = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(4)]
    for run in runs:
        output, said = run.communicate(timeout=120)
        assert (run.returncode, b"cache" in said) == (0, False), said
        assert b"40 images" in output


@pytest.mark.skipif(os.name == "nt", reason="signals are those of Unix")
def test_ctrl_c_keeps_what_was_measured(folder: Path) -> None:
    large = picture((3000, 2000), quality=90)
    refs = [f"s3://bucket/images/{n}.jpg" for n in range(600)]
    for n in range(600):
        Path(f"images/{n}.jpg").write_bytes(large)
    age()
    Path("a.manifest").write_text(manifest(*(classification(ref) for ref in refs)))
    command = [sys.executable, "-m", "groundlint", "check", "a.manifest", "--cache-dir", "cache"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        database = folder / "cache" / FILE
        for _ in range(600):
            time.sleep(0.1)
            if (database.exists() and rows(database)) or run.poll() is not None:
                break
        run.send_signal(signal.SIGINT)
        assert run.wait(30) in {130, 0, 1}
    assert rows(database) > 0


def rows(database: Path) -> int:
    connection = sqlite3.connect(database)
    try:
        return int(connection.execute("SELECT count(*) FROM files").fetchone()[0])
    except sqlite3.Error:
        return 0
    finally:
        connection.close()


def test_clean_removes_the_cache_and_nothing_else(folder: Path) -> None:
    check("a.manifest")
    assert (folder / ".groundlint_cache").is_dir()
    assert CliRunner().invoke(app, ["clean"]).exit_code == 0
    assert not (folder / ".groundlint_cache").exists()
    assert CliRunner().invoke(app, ["clean", "--cache-dir", "images"]).exit_code == 2
    assert Path("images/1.jpg").exists()


def test_findings_do_not_depend_on_the_number_of_workers(folder: Path) -> None:
    Path("images/3.jpg").write_bytes(b"no image")
    Path("images/4.jpg").write_bytes(picture()[:-200])
    one, two = (groundlint_rows("--jobs", n) for n in ("1", "3"))
    assert one == two


def groundlint_rows(*flags: str) -> Any:
    return check("a.manifest", "--no-cache", *flags)[1]["findings"]


def test_in_python_images_are_looked_at_too() -> None:
    Path("images/3.jpg").write_bytes(b"no image")
    assert "invalid-image" in set(groundlint.check("a.manifest")["name"])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_exported_images_have_every_measured_column(suffix: str, folder: Path) -> None:
    done = CliRunner().invoke(app, ["export", "images", "a.manifest", "--to", str(folder / f"images.{suffix}")])
    assert done.exit_code == 0, done.output
    read = {"csv": pl.read_csv, "jsonl": pl.read_ndjson, "parquet": pl.read_parquet}[suffix]
    row = read(folder / f"images.{suffix}").row(0, named=True)
    assert {"blur", "noise", "phash", "contours", "net"} <= {name for name, value in row.items() if value is not None}


def test_a_picture_that_is_cut_off_still_says_how_it_lies(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = picture(exif=exif)
    Path("images/0.jpg").write_bytes(data[: len(data) * 2 // 3])
    select = ("--select", "IMG202,IMG205")
    for flags in ((*select, "--no-cache"), select, select):
        told = {finding["code"] for finding in check("a.manifest", *flags)[1]["findings"] if finding["line"] == 1}
        assert told == {"IMG202", "IMG205"}


def test_a_file_too_big_to_read_is_told_by_the_service_code(folder: Path) -> None:
    with Path("images/0.jpg").open("wb") as stream:
        stream.truncate(300 * 1024 * 1024)
    told = [(f["code"], f["aws"]) for f in check("a.manifest", "--select", "IMG1,IMG2")[1]["findings"]]
    assert told == [("IMG101", "ERROR_INVALID_IMAGE")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"<html>403</html>", "the content is of no known image format"),
        (b"\0\0\0\x18ftyphevx\0\0\0\0mif1", "it is HEIF (HEIC)"),
    ],
)
def test_what_is_no_image_is_named(folder: Path, data: bytes, said: str) -> None:
    Path("images/0.jpg").write_bytes(data)
    (finding,) = check("a.manifest", "--select", "IMG101")[1]["findings"]
    assert said in finding["message"]


def test_a_link_within_the_folders_that_are_searched_is_followed(folder: Path) -> None:
    Path("set").mkdir()
    Path("store").mkdir()
    Path("images/0.jpg").rename("store/0.jpg")
    Path("set/0.jpg").symlink_to("../store/0.jpg")
    Path("set/b.manifest").write_text(manifest(classification("s3://bucket/0.jpg")), encoding="utf-8")
    assert check("set/b.manifest")[1]["summary"]["images"]["found"] == 1


def test_a_folder_of_images_that_is_not_there_is_wrong_usage(folder: Path) -> None:
    status, _, said = check("a.manifest", "--images", "gone")
    assert status == 2
    assert "--images: there is no folder gone" in said
    Path("images").rename("size=96")
    assert check("a.manifest", "--images", "size=96")[1]["summary"]["images"]["found"] == COUNT


def test_measurements_that_cannot_be_are_not_taken_from_a_cache(folder: Path) -> None:
    select = ("--select", "IMG1,IMG2,DUP", "--cache-dir", "kept")
    sound = check("a.manifest", *select)
    decode, encode = msgspec.msgpack.decode, msgspec.msgpack.encode
    with sqlite3.connect(Path("kept", FILE)) as connection:
        for digest, data in connection.execute("SELECT digest, data FROM facts").fetchall():
            size, form, mode, _, height, *rest, values = decode(data)
            cut = {key: value[:5] if isinstance(value, bytes) else value for key, value in values.items()}
            wrong = [size, form, mode, 2**40, height, *rest, values], [size, form, mode, 96, height, *rest, cut]
            connection.execute("UPDATE facts SET data = ? WHERE digest = ?", (encode(wrong[digest < "8"]), digest))
    connection.close()
    assert check("a.manifest", *select)[:2] == sound[:2]


def test_a_cache_is_not_written_through_links(folder: Path) -> None:
    Path(".groundlint_cache").mkdir()
    Path(".groundlint_cache/.gitignore").symlink_to("../../outside")
    check("a.manifest")
    assert not Path("../outside").exists()


def test_what_was_measured_when_the_run_is_broken_off_is_kept(folder: Path) -> None:
    made = gallery(folder / "kept")
    tables = read([Source("a.manifest", "train", Path("a.manifest"))]).tables

    def interrupt(text: str) -> None:
        if text.startswith("measuring images: 3 "):
            raise KeyboardInterrupt

    made.tell = interrupt
    with pytest.raises(KeyboardInterrupt):
        made.tables(tables["lines"], tables["boxes"], tables["labels"])
    made.cache.close()
    with sqlite3.connect(folder / "kept" / FILE) as connection:
        assert connection.execute("SELECT count(*) FROM facts").fetchone()[0] >= 3
    connection.close()
