"""Hostile and damaged image files: one finding for each, and the run goes on."""

from __future__ import annotations

import io
import json
import random
import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from command import groundlint
from corpora import DATA
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_mutations import forged, mutated, originals
from image_sets import image_bytes
from lines import classification, detection, manifest
from PIL import Image

from groundlint.engine import registry
from groundlint.images.measure import Measurer
from groundlint.images.record import ImageRecord, ImageTask

FILE_RULES = {"invalid-image", "image-unreadable", "image-truncated", "image-missing", "unfetched-image"}
FEATURES = [feature for feature in registry.load(isolated=True).features.values() if not feature.is_costly]


def line(name: str) -> dict[str, Any]:
    """A line on an image with two boxes and a label."""
    boxes = detection(f"s3://bucket/img/{name}", ({}, {"left": 1, "top": 1, "class_id": 1}))
    return boxes | classification(f"s3://bucket/img/{name}")


def written(folder: Path, files: Mapping[str, bytes]) -> None:
    """Images in a folder, and a manifest that names them."""
    (folder / "img").mkdir()
    for name, data in files.items():
        (folder / "img" / name).write_bytes(data)
    (folder / "a.manifest").write_text(manifest(*(line(name) for name in files)))


def findings(folder: Path, *flags: str) -> list[dict[str, Any]]:
    """The findings of the command on these images, which must end as usual."""
    command = ("check", "a.manifest", "--isolated", "--no-cache", "--output", "json:report.json", *flags)
    done = groundlint(*command, cwd=folder)
    assert (done.returncode, done.stderr) in ((0, ""), (1, "")), done.stderr
    found: list[dict[str, Any]] = json.loads((folder / "report.json").read_text())["findings"]
    return found


def of_files(found: list[dict[str, Any]]) -> Counter[str]:
    """Number of findings on each file as such, by its name."""
    return Counter(finding["source_ref"].rpartition("/")[2] for finding in found if finding["name"] in FILE_RULES)


SIZES = [(4_294_967_169, 4), (4_294_967_169, 4_294_967_169), (2_147_483_647, 2_147_483_647), (2**31, 2**31), (0, 0)]


@pytest.mark.parametrize("target", ["rekognition", "ground-truth"])
def test_a_header_of_any_size_is_one_finding(tmp_path: Path, target: str) -> None:
    files = {f"{n}.{name}": data for n, size in enumerate(SIZES) for name, data in forged(*size).items()}
    # A GIF file may have 65,535 px on one side, and takes its size from its frame if it says none.
    files = {name: data for name, data in files.items() if name not in ("0.gif", "4.gif")}
    # A JPEG file has 16 bits for a side, so this one is 129 x 4 px: the service refuses it for its size.
    refused = {"0.jpg"} if target == "rekognition" else set()
    written(tmp_path, files)
    assert of_files(findings(tmp_path, "--target", target)) == dict.fromkeys(files.keys() - refused, 1)


def test_images_of_extreme_shapes_break_nothing(tmp_path: Path) -> None:
    forms = {"jpg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "tif": "TIFF", "webp": "WEBP", "ppm": "PPM"}
    files: dict[str, bytes] = {}
    for width, height in ((1, 1), (1, 16_000), (16_000, 1), (2, 3), (5_000, 7)):
        for extension, form in forms.items():
            stream = io.BytesIO()
            Image.effect_noise((width, height), 90).convert("RGB").save(stream, form)
            files[f"{width}x{height}.{extension}"] = stream.getvalue()
    written(tmp_path, files)
    assert of_files(findings(tmp_path, "--target", "ground-truth", "--select", "ALL")) == {}


@pytest.mark.parametrize("name", ["png", "tif", "lzw.tif"])
def test_a_forged_size_is_said(tmp_path: Path, name: str) -> None:
    data = forged(4_294_967_169, 4)[name]
    written(tmp_path, {name: data})
    (finding,) = (finding for finding in findings(tmp_path) if finding["name"] in FILE_RULES)
    assert finding["message"] == (
        f"the image cannot be decoded: its header says 4,294,967,169 x 4 px, but the file has {len(data):,} bytes; "
        "export it again"
    )


def test_a_large_blank_image_in_a_small_file_is_not_called_forged(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.new("1", (13_000, 13_000)).save(stream, "PNG")
    written(tmp_path, {"1.png": stream.getvalue()})
    (finding,) = (finding for finding in findings(tmp_path) if finding["name"].startswith("invalid-image"))
    assert "13000 x 13000 px" in finding["message"]


def test_damaged_files_and_failed_downloads_are_named(tmp_path: Path) -> None:
    whole = image_bytes((300, 200))
    half = len(whole) // 2
    files = {
        "sound.jpg": whole,
        "no-end-marker.jpg": whole[:-2],
        "cut.jpg": whole[:half],
        "zeroed.jpg": whole[:half] + bytes(len(whole) - half - 2) + whole[-2:],
        "denied.jpg": b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code></Error>',
        "title.jpg": b"<html><title>\x1b[31m\n::error::owned</title></html>",
        "fetch.jpg": b"outs:\n- md5: 3863d0e3\n  size: 1\n  path: fetch.jpg\n",
    }
    written(tmp_path, files)
    found = findings(tmp_path)
    said = {
        finding["source_ref"].rpartition("/")[2]: finding["message"].partition("; ")[0]
        for finding in found
        if finding["name"] in FILE_RULES and finding["source_ref"]
    }
    assert said == {
        "cut.jpg": said["cut.jpg"],
        "zeroed.jpg": f"the image is truncated: {len(whole) - half - 2:,} bytes of its image data are zeros",
        "denied.jpg": "not an image: an XML error page (AccessDenied): the download failed",
        "title.jpg": said["title.jpg"],
    }
    (unfetched,) = (finding["message"] for finding in found if finding["name"] == "unfetched-image")
    assert unfetched == "1 of 7 images cannot be judged: tracked by DVC; run `dvc pull`"
    assert said["cut.jpg"].startswith("the image is truncated: ")
    assert said["title.jpg"].endswith("'\\x1b[31m ::error::owned'): the download failed")


def test_a_palette_image_without_a_palette_is_one_finding(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.open(io.BytesIO(image_bytes())).convert("P").save(stream, "TIFF")
    data = stream.getvalue()
    # The tag of the palette becomes an unknown one.
    color_map, unknown = struct.pack("<HH", 320, 3), struct.pack("<HH", 65_000, 3)
    assert data.count(color_map) == 1
    written(tmp_path, {"1.tif": data.replace(color_map, unknown)})
    assert of_files(findings(tmp_path, "--target", "ground-truth")) == {"1.tif": 1}


@given(name=st.sampled_from(sorted(originals())), seed=st.integers(0, 2**32))
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_mutated_image_is_a_valid_record_and_breaks_no_feature(tmp_path: Path, name: str, seed: int) -> None:
    (tmp_path / "file").write_bytes(mutated(originals()[name], random.Random(seed)))
    task = ImageTask(0, str(tmp_path / "file"), [(1.0, 1.0, 30.0, 20.0)], [True])
    measured = Measurer(FEATURES).measure(task)
    assert measured.raised == []
    # The types of a record are checked when it is decoded.
    record = msgspec.msgpack.decode(msgspec.msgpack.encode(measured.record), type=ImageRecord)
    assert (record.detail is None) == (record.fault is None)
    assert len(record.detail or "") < 300


@pytest.mark.slow
@pytest.mark.parametrize("part", ["corpora", 0, 1, 2])
def test_each_damaged_file_is_one_finding_and_the_run_goes_on(tmp_path: Path, part: str | int) -> None:
    files: dict[str, bytes] = {}
    if part == "corpora":
        paths = (path for corpus in ("png", "png_crashers", "exif_orientation") for path in (DATA / corpus).rglob("*"))
        files = {f"{n}-{path.name}": path.read_bytes() for n, path in enumerate(sorted(paths)) if path.is_file()}
    else:
        chance = random.Random(part)
        files = {f"{n}.{name}": mutated(data, chance) for n in range(50) for name, data in originals().items()}
    written(tmp_path, files)
    found = of_files(findings(tmp_path, "--target", "ground-truth", "--select", "ALL"))
    done = groundlint("export", "images", "a.manifest", "--isolated", "--no-cache", "--to", "i.parquet", cwd=tmp_path)
    assert done.returncode == 0
    images = pl.read_parquet(tmp_path / "i.parquet")
    faulty = images.filter(pl.col("fault").is_not_null(), ~pl.col("fault").eq("too-big") | pl.col("width").is_null())
    assert faulty.height > 0
    assert found == dict.fromkeys((path.rpartition("/")[2] for path in faulty["path"]), 1)
