"""What measuring makes of files, hostile ones among them."""

from __future__ import annotations

import io
import struct
import tarfile
import threading
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from corpora import DATA
from image_sets import DECODED, image_bytes, image_tables, images_of, measured_in_pool, write_images
from PIL import Image

from groundlint.engine.features import Feature, feature
from groundlint.images.measure import Measurer
from groundlint.images.record import ImageRecord, ImageTask, MeasuredImage, Rectangle


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def measured(data: bytes, *features: Feature) -> MeasuredImage:
    Path("file").write_bytes(data)
    return Measurer(features or [DECODED]).measure(ImageTask(0, "file"))


def record(data: bytes) -> ImageRecord:
    return measured(data).record


@feature(of="images", dtype=float)
def pixel_sum(pixels: Image.Image) -> float:
    """The sum of all values."""
    return float(np.asarray(pixels, np.int64).sum())


@feature(of="images", dtype=float)
def detail_sum(detail: Image.Image) -> float:
    """The sum of all values of the larger image."""
    return float(np.asarray(detail, np.int64).sum())


@feature(of="crops", dtype=float)
def crop_sum(crop: Image.Image) -> float:
    """The sum of all values of a crop."""
    return float(np.asarray(crop, np.int64).sum())


@pytest.mark.parametrize("size", [(3000, 2000), (700, 500), (200, 100)])
@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_value_depends_neither_on_other_features_nor_on_boxes(size: tuple[int, int], form: str) -> None:
    Path("file").write_bytes(image_bytes(size, format=form))
    boxes = ImageTask(0, "file", boxes=[(10.0, 10.0, 50.0, 40.0)], sampled=[True])

    def value(*others: Feature, task: ImageTask = boxes) -> object:
        return Measurer([pixel_sum, *others]).measure(task).record.values[pixel_sum.key]

    alone = value(task=ImageTask(0, "file"))
    assert alone == value(detail_sum) == value(crop_sum) == value(detail_sum, crop_sum)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
def test_a_box_is_measured_on_the_same_pixels_whatever_other_boxes_there_are(form: str) -> None:
    Path("file").write_bytes(image_bytes((1600, 1200), format=form))
    large, small = (100.0, 100.0, 1300.0, 1050.0), (200.0, 200.0, 90.0, 60.0)

    def values(*boxes: Rectangle) -> dict[Rectangle, object]:
        task = ImageTask(0, "file", boxes=list(boxes), sampled=[True] * len(boxes))
        return {crop.box: crop.values for crop in Measurer([crop_sum]).measure(task).crops}

    assert values(large, small) == values(large) | values(small)


def test_a_large_box_is_cut_out_of_the_reduced_image_and_a_small_one_keeps_its_resolution() -> None:
    sizes: list[tuple[int, int]] = []

    def crop_size(crop: Image.Image) -> int:
        """Remember the size of the crop."""
        sizes.append(crop.size)
        return 0

    Path("file").write_bytes(image_bytes((2400, 1600)))
    boxes = [(0.0, 0.0, 2400.0, 1024.0), (0.0, 0.0, 2400.0, 1023.0), (10.0, 20.0, 30.0, 40.0)]
    task = ImageTask(0, "file", boxes=boxes, sampled=[True] * len(boxes))
    Measurer([Feature(crop_size, "crops", 1, int)]).measure(task)
    assert sizes == [(300, 128), (2400, 1023), (30, 40)]


def test_files_of_equal_bytes_and_boxes_in_one_place_are_measured_once() -> None:
    calls: list[str] = []

    def costly(pixels: Image.Image) -> int:
        """Count the images."""
        calls.append("image")
        return pixels.width

    def of_box(crop: Image.Image) -> int:
        """Count the boxes."""
        calls.append("box")
        return crop.width

    for name in ("one", "two", "three"):
        Path(name).write_bytes(image_bytes(seed=0))
    Path("other").write_bytes(image_bytes((300, 200), seed=1))
    measurer = Measurer([Feature(costly, "images", 1, int, only_labeled=True), Feature(of_box, "crops", 1, int)])
    box, further = (0.0, 0.0, 20.0, 10.0), (5.0, 5.0, 30.0, 10.0)
    first = measurer.measure(ImageTask(0, "one", [box], [True], labeled=True))
    assert calls == ["image", "box"]
    second = measurer.measure(ImageTask(1, "two", [box, further], [True, True], labeled=True))
    assert calls == ["image", "box", "box"]
    assert second.record == first.record
    assert [crop.box for crop in second.crops] == [box, further]
    assert [crop.box for crop in measurer.measure(ImageTask(2, "three", labeled=True)).crops] == []
    assert measurer.measure(ImageTask(3, "other", labeled=True)).record.values == {"costly@1": 150}
    assert calls == ["image", "box", "box", "image"]


def test_a_box_of_a_copy_that_no_feature_is_wanted_of_has_no_values() -> None:
    for name in ("one", "two"):
        Path(name).write_bytes(image_bytes())
    measurer = Measurer([DECODED, Feature(crop_area, "crops", 1, int, only_sampled=True)])
    measurer.measure(ImageTask(0, "one"))
    (crop,) = measurer.measure(ImageTask(1, "two", [(0.0, 0.0, 20.0, 10.0)], [False])).crops
    assert crop.values == {}


def crop_area(crop: Image.Image) -> int:
    """Pixels of a box."""
    return crop.width * crop.height


def test_a_small_box_of_a_jpeg_too_big_to_decode_is_cut_out_of_the_largest_scale_that_may_be() -> None:
    Path("file").write_bytes(image_bytes((2000, 1000)))
    task = ImageTask(0, "file", [(100.0, 100.0, 40.0, 60.0)], [True])
    measurer = Measurer([pixel_sum, Feature(crop_area, "crops", 1, int)], max_pixels=1_000_000)
    measured = measurer.measure(task)
    assert (measured.record.fault, pixel_sum.key in measured.record.values) == (None, True)
    assert [crop.values["crop_area@1"] for crop in measured.crops] == [20 * 30]


def test_an_image_without_a_label_does_not_pass_what_it_lacks_to_its_copy() -> None:
    for name in ("one", "two"):
        Path(name).write_bytes(image_bytes())
    measurer = Measurer([pixel_sum, Feature(pixel_count, "images", 1, int, only_labeled=True)])
    assert "pixel_count@1" not in measurer.measure(ImageTask(0, "one")).record.values
    assert measurer.measure(ImageTask(1, "two", labeled=True)).record.values["pixel_count@1"] == 96 * 80


def pixel_count(pixels: Image.Image) -> int:
    """Pixels of the reduced image."""
    return pixels.width * pixels.height


def test_costly_features_are_measured_after_all_others() -> None:
    order: list[str] = []

    def costly(pixels: Image.Image) -> int:
        """Come last, although the name is first."""
        order.append("costly")
        return pixels.width

    def quick(pixels: Image.Image) -> int:
        """Come first."""
        order.append("quick")
        return pixels.width

    Path("file").write_bytes(image_bytes())
    features = [Feature(costly, "images", 1, int, only_labeled=True), Feature(quick, "images", 1, int)]
    Measurer(features).measure(ImageTask(0, "file", labeled=True))
    assert order == ["quick", "costly"]


def test_only_suspects_of_a_cheap_feature_are_measured_at_full_size() -> None:
    def brightness(pixels: Image.Image) -> float:
        """Level of the first pixel."""
        return float(pixels.getpixel((0, 0))[0])  # type: ignore[index]

    def full_width(whole: Image.Image) -> int:
        """Width at full size."""
        return whole.width

    Image.new("RGB", (900, 600), "white").save("bright.jpg")
    Image.new("RGB", (900, 600), "black").save("dark.jpg")
    features = [
        Feature(brightness, "images", 1, float),
        Feature(full_width, "images", 1, int, when=lambda brightness: brightness > 100),
    ]
    values = [Measurer(features).measure(ImageTask(0, f"{name}.jpg")).record.values for name in ("bright", "dark")]
    assert [value["full_width@1"] for value in values] == [900, None]


def test_a_jpeg_too_big_to_decode_at_full_size_is_given_at_the_largest_size_that_fits() -> None:
    def full_width(whole: Image.Image) -> int:
        """Width at full size."""
        return whole.width

    Image.new("RGB", (1600, 1200)).save("big.jpg")
    measurer = Measurer([Feature(full_width, "images", 1, int)], max_pixels=1_000_000)
    assert measurer.measure(ImageTask(0, "big.jpg")).record.values == {"full_width@1": 800}


def test_seconds_are_counted_for_each_feature_and_step() -> None:
    def slow(pixels: Image.Image) -> float:
        """Work for 20 ms."""
        start = time.process_time()
        while time.process_time() - start < 0.02:
            pass
        return 0.0

    def quick(slow: float) -> float:
        """Need what takes long."""
        return slow

    Path("file").write_bytes(image_bytes())
    measurer = Measurer([Feature(slow, "images", 1, float), Feature(quick, "images", 1, float)])
    measurer.measure(ImageTask(0, "file"))
    assert measurer.seconds["slow"] >= 0.02
    assert measurer.seconds["quick"] < 0.01
    assert measurer.seconds.keys() == {"slow", "quick", "reading files", "decoding images"}


def test_a_sound_image_has_all_facts_and_values() -> None:
    found = record(image_bytes((300, 200), format="PNG"))
    assert (found.format, found.mode, found.width, found.height, found.animated) == ("PNG", "RGB", 300, 200, False)
    assert (found.fault, found.detail, found.values) == (None, None, {DECODED.key: True})
    assert found.bytes == Path("file").stat().st_size
    assert found.digest is not None


def archive(form: str) -> bytes:
    """A ZIP or tar archive with an empty file in it."""
    stream = io.BytesIO()
    if form == "zip":
        with zipfile.ZipFile(stream, "w") as zipped:
            zipped.writestr("1.jpg", b"")
    else:
        with tarfile.open(fileobj=stream, mode="w") as tarred:
            tarred.addfile(tarfile.TarInfo("1.jpg"))
    return stream.getvalue()


PAGE = b"<!DOCTYPE html>\n<html><head><title>407 Proxy\n Authentication Required</title></head>" + b"<p>" * 5_000
EMPTY_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(17) + b"\0\0\0\0IEND" + bytes(4)
NOT_IMAGES = {
    b"": "the file is empty",
    bytes(100_000): "the file holds only zero bytes",
    b"\0\0\0\x18ftyphevx\0\0\0\0mif1": "HEIF (HEIC), not JPEG",
    b"\0\0\0\x20ftypisom\0\0\2\0": "a video (MP4)",
    archive("zip"): "a ZIP archive",
    archive("tar"): "a tar archive",
    b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n": "a PDF document",
    b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>': "an SVG drawing",
    b'<?xml version="1.0"?>\n<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>': (
        "an XML error page (AccessDenied): the download failed"
    ),
    b"<annotation><size/></annotation>": "an XML document",
    b"<html>403</html>": "an HTML page: the download failed",
    PAGE: "an HTML page ('407 Proxy Authentication Required'): the download failed",
    b'{"message": "Forbidden"}': "a JSON error message ('Forbidden'): the download failed",
    b'{"error": {"code": 404, "message": "gone"}}': "a JSON error message ('gone'): the download failed",
    b'{"images": []}': "a JSON document",
    b"[" * 100_000: "a JSON document",
    b"HTTP/1.1 503 Slow Down\r\nServer: x\r\n\r\n": (
        "a response of a web server ('HTTP/1.1 503 Slow Down'): the download failed"
    ),
    b"Access Denied\n": "text that begins with 'Access Denied'",
    "Zugriff verweigert für".encode("utf-16"): "text that begins with 'Zugriff verweigert für'",
    b"/9j/4AAQSkZJRgABAQAAAQABAAD": "an image as Base64 text; decode it",
    b"\xef\xbf\xbd\xef\xbf\xbd\0\x10JFIF": "binary data that was converted as text; copy it in binary mode",
    b"\0\5\x16\7\0\2\0\0": "a resource fork of macOS (AppleDouble), not the image itself",
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    + bytes(17)
    + b"\0\0\0\0IEND"
    + bytes(4): "a damaged PNG file whose header cannot be read",
    b"\x01\x02\x03\x04" * 100: "the content is not a known image format",
}


@pytest.mark.parametrize(("data", "detail"), NOT_IMAGES.items(), ids=range(len(NOT_IMAGES)))
def test_a_file_that_is_not_an_image_is_named(data: bytes, detail: str) -> None:
    found = record(data)
    assert (found.fault, found.detail, found.format) == ("no-image", detail, None)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
            "stored in Git LFS; run `git lfs pull`",
        ),
        (b"outs:\n- md5: 3863d0e3\n  size: 1\n  path: 1.jpg\n", "tracked by DVC; run `dvc pull`"),
        (b"/annex/objects/SHA256E-s1--0.jpg\n", "tracked by git-annex; run `git annex get`"),
    ],
)
def test_a_pointer_names_the_command_that_fetches_the_image(data: bytes, detail: str) -> None:
    found = record(data)
    assert (found.fault, found.detail, found.format) == ("not-fetched", detail, None)


CODINGS: list[dict[str, Any]] = [
    {},
    {"optimize": True},
    {"progressive": True},
    {"restart_marker_rows": 1},
    {"quality": 100, "progressive": True},
    {"quality": 20, "subsampling": 0},
]


def on_white(size: tuple[int, int] = (900, 1200)) -> Image.Image:
    """An image in the upper corner of a white page."""
    page = Image.new("RGB", size, "white")
    page.paste(Image.open(io.BytesIO(image_bytes((300, 200)))))
    return page


SUBJECTS = {
    "photo": Image.open(io.BytesIO(image_bytes((300, 200)))),
    "gray": Image.open(io.BytesIO(image_bytes((300, 200)))).convert("L"),
    "white below": on_white(),
    "white": Image.new("RGB", (900, 1200), "white"),
    "middle gray": Image.new("RGB", (900, 1200), (128, 128, 128)),
}


def saved(subject: str, coding: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    SUBJECTS[subject].save(stream, "JPEG", **coding)
    return stream.getvalue()


@pytest.mark.parametrize("coding", CODINGS, ids=str)
@pytest.mark.parametrize("subject", SUBJECTS)
def test_a_jpeg_that_lacks_only_its_end_marker_is_whole(subject: str, coding: dict[str, Any]) -> None:
    data = saved(subject, coding)
    pixels = record(data).values, measured(data, pixel_sum, detail_sum).record.values
    for missing in (1, 2):
        found = record(data[:-missing])
        assert (found.fault, found.detail) == (None, None)
        assert (found.values, measured(data[:-missing], pixel_sum, detail_sum).record.values) == pixels


@pytest.mark.parametrize("coding", CODINGS, ids=str)
@pytest.mark.parametrize("end", [b"", b"\xff\xd9"], ids=["without end marker", "with end marker"])
def test_a_jpeg_whose_second_half_is_zeros_is_damaged(end: bytes, coding: dict[str, Any]) -> None:
    for subject in ("photo", "gray"):
        data = saved(subject, coding)
        half = len(data) // 2
        found = record(data[:half] + bytes(len(data) - half - 2) + end)
        assert found.fault == "truncated"
        assert not end or found.detail == f"{len(data) - half - 2:,} bytes of its image data are zeros"


@pytest.mark.parametrize("coding", [coding for coding in CODINGS if "progressive" not in coding], ids=str)
def test_a_hole_of_a_disk_sector_in_a_jpeg_is_damage(coding: dict[str, Any]) -> None:
    data = saved("photo", coding)
    for start in (len(data) // 3, len(data) // 2):
        found = record(data[:start] + bytes(512) + data[start + 512 :])
        assert (found.fault, found.detail) == ("truncated", "512 bytes of its image data are zeros")


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("coding", CODINGS, ids=str)
def test_zeros_of_flat_areas_and_outside_of_the_scans_are_sound(subject: str, coding: dict[str, Any]) -> None:
    data = saved(subject, coding)
    comment = b"\xff\xfe" + struct.pack(">H", 5_002) + bytes(5_000)
    for sound in (data, data[:2] + comment + data[2:], data + bytes(5_000)):
        found = record(sound)
        assert (found.fault, found.detail) == (None, None)


def test_each_odd_file_is_a_row_of_images_with_its_fault() -> None:
    write_images(10)
    whole = image_bytes((400, 300))
    files = {
        "0": whole[: len(whole) // 2],
        "1": image_bytes(format="GIF"),
        "2": image_bytes((2100, 100)),
        "3": image_bytes(format="WEBP"),
        "4": b"not an image",
    }
    for name, data in files.items():
        Path(f"images/{name}.jpg").write_bytes(data)
    rows = images_of(image_tables()).select("path", "found", "format", "width", "fault").sort("path").rows()
    assert rows[:5] == [
        ("images/0.jpg", True, "JPEG", 400, "truncated"),
        ("images/1.jpg", True, "GIF", 96, None),
        ("images/2.jpg", True, "JPEG", 2100, None),
        ("images/3.jpg", True, "WEBP", 96, None),
        ("images/4.jpg", True, None, None, "no-image"),
    ]
    assert rows[5:] == [(f"images/{n}.jpg", True, "JPEG", 96, None) for n in range(5, 10)]


@pytest.mark.parametrize("tenth", range(1, 10))
def test_a_file_cut_at_any_tenth_is_truncated(tenth: int) -> None:
    for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM", "AVIF"):
        data = image_bytes((300, 200), format=form)
        assert record(data[: len(data) * tenth // 10]).fault == "truncated", form


def test_of_a_truncated_image_the_header_is_still_measured() -> None:
    @feature(of="images", dtype=int)
    def orientation(header: Image.Image) -> int | None:
        return header.getexif().get(0x0112)

    @feature(of="images", dtype=int)
    def area(pixels: Image.Image) -> int:
        return pixels.width * pixels.height

    exif = Image.Exif()
    exif[0x0112] = 6
    data = image_bytes(exif=exif)
    found = measured(data[: len(data) * 2 // 3], orientation, area).record
    assert (found.fault, found.values) == ("truncated", {orientation.key: 6})


def test_a_file_too_big_to_read_keeps_its_size() -> None:
    with Path("file").open("wb") as stream:
        stream.truncate(300 * 1024 * 1024)
    found = Measurer([DECODED]).measure(ImageTask(0, "file")).record
    assert (found.fault, found.bytes, found.digest) == ("too-big", 300 * 1024 * 1024, None)


def test_a_header_with_more_pixels_than_a_table_can_hold_is_a_fault() -> None:
    header = struct.pack("<IiiHHIIiiII", 40, -1, -1, 1, 24, 0, 0, 0, 0, 0, 0)
    Path("bomb").write_bytes(b"BM" + struct.pack("<IHHI", 54 + 12, 0, 0, 54) + header + bytes(12))
    (answer,) = measured_in_pool([ImageTask(0, "bomb")], [DECODED], jobs=1)
    assert answer.record.fault in {"too-big", "no-image"}


@feature(of="images", dtype=float)
def of_numpy(data: bytes) -> np.float64:
    """A value of numpy."""
    return np.float64(len(data))


@feature(of="images", dtype=float)
def not_a_number(data: bytes) -> float:
    """NaN."""
    return float("nan")


@feature(of="images", dtype=int)
def a_text(data: bytes) -> str:
    """Not what it declares."""
    return "text"


@feature(of="images", dtype=int)
def broken(data: bytes) -> int:
    """Raises."""
    raise RuntimeError("odd \ud800")


def test_feature_values_have_the_declared_type_and_are_never_nan() -> None:
    found = measured(b"12345" + image_bytes(format="PNG"), of_numpy)
    assert found.record.fault == "no-image"
    data = image_bytes()
    found = measured(data, of_numpy, not_a_number)
    assert found.record.values == {of_numpy.key: float(len(data)), not_a_number.key: None}
    assert type(found.record.values[of_numpy.key]) is float


def test_a_feature_that_raises_is_named_with_its_traceback_and_the_image_has_no_fault() -> None:
    found = measured(image_bytes(), broken, DECODED, a_text)
    assert (found.record.fault, found.record.values) == (None, {DECODED.key: True})
    assert [(raised.what, raised.error) for raised in found.raised] == [
        ("feature broken", "RuntimeError: odd \\ud800"),
        ("feature a_text", "TypeError: it returned str, not int"),
    ]
    assert 'raise RuntimeError("odd' in found.raised[0].traceback


@pytest.mark.parametrize(
    ("dtype", "value", "error"),
    [
        (int, 2**63, "TypeError: it returned an integer of more than 64 bits, not int"),
        (int, -(10**400), "TypeError: it returned an integer of more than 64 bits, not int"),
        (float, 10**400, "OverflowError: int too large to convert to float"),
        (str, "a\ud800", "TypeError: it returned text with lone surrogates, not str"),
        (str, "é" * 1_000_001, "TypeError: it returned str of length 1,000,001, not str"),
        (bytes, bytes(50_000_000), "TypeError: it returned bytes of length 50,000,000, not bytes"),
    ],
    ids=range(6),
)
def test_a_feature_value_that_no_column_can_hold_is_the_error_of_the_feature(
    dtype: type, value: object, error: str
) -> None:
    def extreme(data: bytes) -> object:
        """A value beyond what a column holds."""
        return value

    found = measured(image_bytes(), Feature(extreme, "images", 1, dtype), DECODED)
    assert (found.record.fault, found.record.values) == (None, {DECODED.key: True})
    assert [(raised.what, raised.error) for raised in found.raised] == [("feature extreme", error)]


@pytest.mark.parametrize("corpus", ["png", "png_crashers", "exif_orientation"])
def test_a_corpus_of_hostile_files_is_measured_to_the_end(corpus: str) -> None:
    paths = sorted(path for path in (DATA / corpus).rglob("*") if path.is_file())
    tasks = [ImageTask(n, str(path)) for n, path in enumerate(paths)]
    records = {each.number: each.record for each in measured_in_pool(tasks, [DECODED], jobs=2)}
    assert sorted(records) == list(range(len(paths)))
    for n, path in enumerate(paths):
        is_sound = records[n].fault is None
        if corpus == "png" and path.suffix == ".png":
            # Decoders ignore a wrong checksum of the pixels.
            is_corrupt = path.name.startswith("x") and path.name != "xcsn0g01.png"
            assert is_sound != is_corrupt, (path.name, records[n].detail)
        if corpus == "exif_orientation" and path.suffix == ".jpg":
            assert is_sound


def bombs() -> Iterator[bytes]:
    """Files whose pixels take gigabytes, and an animation of many frames."""
    for side in (13_000, 9_000):
        stream = io.BytesIO()
        Image.new("1", (side, side)).save(stream, "PNG")
        yield stream.getvalue()

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 65535, 65535, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 1000)), (b"IEND", b""))
    yield b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*each) for each in chunks)
    stream = io.BytesIO()
    frames = [Image.new("P", (2000, 2000), n) for n in range(50)]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    yield stream.getvalue()


def test_decompression_bombs_take_little_memory() -> None:
    tasks = []
    for n, data in enumerate(bombs()):
        Path(f"bomb{n}").write_bytes(data)
        tasks.append(ImageTask(n, f"bomb{n}"))
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
        faults = {each.number: each.record.fault for each in measured_in_pool(tasks, [DECODED], jobs=1)}
    finally:
        done.set()
        watcher.join()
    assert faults == {0: "too-big", 1: "too-big", 2: "too-big", 3: None}
    assert 0 < peak < 512 * 1024 * 1024
