"""Images in S3 of which only headers are read: what whole objects give, with few bytes."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from command import groundlint
from hypothesis import given, settings
from hypothesis import strategies as st
from image_mutations import forged, originals
from image_sets import image_bytes
from lines import classification, manifest
from PIL import Image
from s3_server import Proxy, Server, running_proxy, running_server

from groundlint.engine import registry
from groundlint.engine.features import header_features
from groundlint.images.downloads import HEADER_BYTES
from groundlint.images.measure import Measurer
from groundlint.images.record import ImageTask, MeasuredImage

KNOWN = registry.load(isolated=True).features
OF_HEADER = [KNOWN[name] for name in sorted(header_features(KNOWN.values()))]

SELECT = ("--select", "IMG1,IMG203,IMG205,IMG206,IMG207,IMG208,IMG307", "--preview")
"""Rules that need headers only."""

LARGE = (1000, 800)
"""Size at which the test images have more than `HEADER_BYTES` in any format."""


def _jpeg(metadata: int = 0, **save: Any) -> bytes:
    """A JPEG of more than 50 kB with so many bytes of metadata before its size."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return image_bytes(LARGE, exif=exif, icc_profile=bytes(range(256)) * (metadata // 256), quality=95, **save)


def _tiff() -> bytes:
    """A TIFF file whose directory is at its end, where libtiff writes it."""
    return image_bytes(LARGE, format="TIFF", compression="tiff_lzw")


def _frames() -> bytes:
    stream = io.BytesIO()
    frames = [Image.open(io.BytesIO(image_bytes(LARGE, seed=n))).quantize(32) for n in range(2)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def _with_alpha() -> bytes:
    stream = io.BytesIO()
    Image.open(io.BytesIO(image_bytes(LARGE))).convert("RGBA").save(stream, "PNG")
    return stream.getvalue()


def _late_exif() -> bytes:
    """A PNG file with EXIF data behind its pixels."""
    exif = Image.Exif()
    exif[0x0112] = 3
    png = image_bytes(LARGE, format="PNG", exif=exif)
    start = png.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(png[start : start + 4])
    return png[:start] + png[end:-12] + png[start:end] + png[-12:]


OBJECTS = {
    "plain.jpg": _jpeg(),
    "progressive.jpg": _jpeg(progressive=True),
    "profile.jpg": _jpeg(100_000, progressive=True),
    "long-profile.jpg": _jpeg(600_000),
    "cut.jpg": _jpeg()[:40_000],
    "cut-in-profile.jpg": _jpeg(100_000)[:50_000],
    "rgb.png": image_bytes(LARGE, format="PNG"),
    "alpha.png": _with_alpha(),
    "late-exif.png": _late_exif(),
    "cut.png": image_bytes(LARGE, format="PNG")[:20_000],
    "lossless.webp": image_bytes(LARGE, format="WEBP", lossless=True),
    "directory-at-end.tif": _tiff(),
    "cut.tif": _tiff()[:20_000],
    "still.gif": image_bytes(LARGE, format="GIF"),
    "frames.gif": _frames(),
    "plain.bmp": image_bytes(LARGE, format="BMP"),
    "plain.ppm": image_bytes(LARGE, format="PPM"),
    "png.jpg": image_bytes(LARGE, format="PNG"),
    "jpg.png": _jpeg(),
    "page.jpg": b"<html><title>Sign in</title>" + b" " * 50_000,
    "zeros.jpg": bytes(50_000),
    "text.jpg": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 5\n",
    "empty.jpg": b"",
    "forged.png": forged(60_000, 60_000)["png"] + bytes(30_000),
    "small.jpg": image_bytes(),
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A bucket with images of all formats, broken ones among them."""
    with running_server() as running:
        running.fill("pictures", OBJECTS)
        yield running


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    """A proxy before the server, which counts what is sent."""
    with running_proxy(server) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the command runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _checked(folder: Path, *flags: str, select: tuple[str, ...] = SELECT, **environment: str) -> Any:
    done = groundlint("check", "a.manifest", *select, *flags, "--output", "json:r.json", cwd=folder, **environment)
    assert done.returncode in (0, 1), done.stderr
    report = json.loads((folder / "r.json").read_text())
    for finding in report["findings"]:
        finding["image"] = None
    return report


def _write_manifest(*keys: str) -> None:
    lines = [classification(f"s3://pictures/{key}", "ab"[n % 2]) for n, key in enumerate(keys)]
    Path("a.manifest").write_text(manifest(*lines))


def _through(server: Server, proxy: Proxy) -> dict[str, str]:
    return {**server.environment, "AWS_ENDPOINT_URL_S3": proxy.url}


@cache
def _measured(name: str, content: bytes) -> MeasuredImage:
    return Measurer(OF_HEADER).measure(ImageTask(0, name, data=content))


@pytest.mark.parametrize("name", [*originals(), *OBJECTS])
@settings(max_examples=10)
@given(st.data())
def test_a_beginning_gives_what_the_whole_file_gives_or_does_not_suffice(name: str, data: st.DataObject) -> None:
    content = {**originals(), **OBJECTS}[name]
    length = data.draw(st.integers(min(64, len(content)), max(len(content) - 1, 0)))
    whole = _measured(name, content)
    part = Measurer(OF_HEADER).measure(ImageTask(0, name, data=content[:length], size=len(content)))
    if not part.needs_more:
        assert part.record.digest is None
        part.record.digest = whole.record.digest
        assert part == whole


@pytest.mark.parametrize("name", ["plain.jpg", "progressive.jpg", "cut.jpg", "jpg.png", "plain.bmp", "plain.ppm"])
def test_16_kb_suffice_for_usual_files(name: str) -> None:
    content = OBJECTS[name]
    task = ImageTask(0, name, data=content[:HEADER_BYTES], size=len(content))
    assert not Measurer(OF_HEADER).measure(task).needs_more


def test_headers_give_the_report_of_whole_files(folder: Path, server: Server, proxy: Proxy) -> None:
    Path("local").mkdir()
    for key, data in OBJECTS.items():
        Path("local", key).write_bytes(data)
    _write_manifest(*OBJECTS)
    remote = _checked(folder, "--s3", "--no-cache", **_through(server, proxy))
    local = _checked(folder, "--images", "local", "--no-cache")
    assert remote["findings"] == local["findings"]
    assert remote["summary"] == local["summary"]
    assert {"IMG101", "IMG205", "IMG207", "IMG208"} <= {finding["code"] for finding in remote["findings"]}


def test_few_bytes_of_large_images_are_read_and_none_twice(folder: Path, server: Server, proxy: Proxy) -> None:
    keys = [f"many/{n}.jpg" for n in range(20)]
    for key in keys:
        server.put(f"s3://pictures/{key}", OBJECTS["progressive.jpg"])
    server.put(f"s3://pictures/{keys[0]}", OBJECTS["profile.jpg"])
    server.put(f"s3://pictures/{keys[1]}", OBJECTS["profile.jpg"] + bytes(1_000_000))
    _write_manifest(*keys)
    first = _checked(folder, "--s3", **_through(server, proxy))
    assert proxy.count("GET") == len(keys) + 2
    assert proxy.sent == len(keys) * HEADER_BYTES + len(OBJECTS["profile.jpg"]) + 256 * 1024
    proxy.sent = 0
    assert _checked(folder, "--s3", **_through(server, proxy)) == first
    assert proxy.sent == 0
    # Rules that need pixels read whole objects, and what they need not is kept too.
    all_rules = _checked(folder, "--s3", select=(), **_through(server, proxy))
    assert all_rules["findings"] == _checked(folder, "--s3", "--no-cache", select=(), **server.environment)["findings"]
    assert proxy.sent > 18 * len(OBJECTS["progressive.jpg"])
    proxy.sent = 0
    assert _checked(folder, "--s3", **_through(server, proxy)) == first
    assert proxy.sent == 0


def test_an_object_that_changes_while_more_of_it_is_read_is_one_of_the_two(
    folder: Path, server: Server, proxy: Proxy
) -> None:
    key = "changing.jpg"
    server.put(f"s3://pictures/{key}", OBJECTS["long-profile.jpg"])
    _write_manifest(key)

    def change(_path: str, time: int) -> None:
        if time == 2:
            server.put(f"s3://pictures/{key}", OBJECTS["late-exif.png"])

    proxy.fault = change
    found = _checked(folder, "--s3", **_through(server, proxy))["findings"]
    assert [finding["message"] for finding in found if finding["code"] == "IMG205"] == [
        "EXIF orientation 3 rotates this image, and some readers ignore it; apply it to the pixels"
    ]
    assert found == _checked(folder, "--s3", "--no-cache", **server.environment)["findings"]


def test_a_limit_counts_the_bytes_that_are_read(folder: Path, server: Server, proxy: Proxy) -> None:
    keys = [f"limited/{n}.jpg" for n in range(20)]
    for n, key in enumerate(keys):
        server.put(f"s3://pictures/{key}", OBJECTS["profile.jpg" if n < 5 else "plain.jpg"])
    _write_manifest(*keys)
    report = _checked(folder, "--s3", "--no-cache", "--max-download", "500kB", **_through(server, proxy))
    assert 300_000 < proxy.sent <= 500_000
    assert 15 <= report["summary"]["images"]["found"] < 20
    (note,) = [note for note in report["summary"]["notes"] if note["kind"] == "download-limit"]
    assert note["count"] == 20 - report["summary"]["images"]["found"]


def test_passing_faults_change_nothing(folder: Path, server: Server, proxy: Proxy) -> None:
    _write_manifest(*OBJECTS)
    expected = _checked(folder, "--s3", "--no-cache", **server.environment)
    faults = ["reset", "truncated", (503, "SlowDown"), (500, "InternalError")]
    proxy.fault = lambda path, time: faults[(len(path) + time) % 4] if time < 3 else None
    assert _checked(folder, "--s3", "--no-cache", **_through(server, proxy)) == expected


def test_an_export_reads_whole_objects(folder: Path, server: Server) -> None:
    _write_manifest("plain.jpg")
    done = groundlint(
        "export", "images", "a.manifest", "--s3", "--to", "images.jsonl", cwd=folder, **server.environment
    )
    assert done.returncode == 0, done.stderr
    assert len(json.loads(Path("images.jsonl").read_text())["digest"]) == 64
