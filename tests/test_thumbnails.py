"""Thumbnails: what they show of an image, what they leave out of its file, and what hostile files cost."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_sets import image_bytes
from PIL import Image, ImageCms, ImageOps

from groundlint.images.orientation import has_swapped_sides, upright
from groundlint.images.record import Rectangle
from groundlint.images.thumbnails import LONG_SIDE, Thumbnail, View, render

DATA = Path(__file__).parent / "data"
PLENTY = 10_000_000
RED, GREEN = (220, 20, 20), (20, 160, 20)


def picture(thumbnail: Thumbnail | None) -> Image.Image:
    assert thumbnail is not None
    return Image.open(io.BytesIO(thumbnail.webp), formats=("WEBP",))


def marked(path: Path, box: Rectangle, size: tuple[int, int] = (400, 300), orientation: int = 1) -> str:
    """A file of a green image in which a box is red."""
    left, top, width, height = map(int, box)
    image = Image.new("RGB", size, GREEN)
    image.paste(RED, (left, top, left + width, top + height))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(path, quality=95, exif=exif)
    return str(path)


def is_red(image: Image.Image, at: tuple[float, float]) -> bool:
    red, green, _ = image.convert("RGB").getpixel((int(at[0]), int(at[1])))  # type: ignore[misc]
    return bool(red > green)


def test_a_whole_image_is_reduced_and_never_enlarged(tmp_path: Path) -> None:
    for name, size in {"wide.jpg": (1000, 500), "small.png": (40, 30), "line.png": (3000, 1)}.items():
        Image.new("RGB", size).save(tmp_path / name)
    views = [View(str(tmp_path / name)) for name in ("wide.jpg", "small.png", "line.png")]
    found = render(views, max_bytes=PLENTY)
    assert [picture(each).size for each in found] == [(LONG_SIDE, 120), (40, 30), (LONG_SIDE, 1)]
    assert [each and each.region for each in found] == [(0, 0, 1000, 500), (0, 0, 40, 30), (0, 0, 3000, 1)]


def test_nothing_but_pixels_leaves_the_file(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "at home, 48.137 N"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    data = image_bytes((600, 400), exif=exif, icc_profile=profile, comment=b"secret", xmp=b"<x:xmpmeta>secret")
    (tmp_path / "a.jpg").write_bytes(data + b"<script>secret</script>")
    (found,) = render([View(str(tmp_path / "a.jpg"))], max_bytes=PLENTY)
    image = picture(found)
    image.load()
    assert set(image.info) <= {"loop", "background", "timestamp", "duration"}
    assert found is not None
    assert not any(word in found.webp for word in (b"EXIF", b"ICCP", b"XMP ", b"secret", b"home"))


def test_a_box_is_shown_with_its_surroundings(tmp_path: Path) -> None:
    path = marked(tmp_path / "a.png", (200, 100, 50, 50))
    (found,) = render([View(path, ((200.0, 100.0, 50.0, 50.0),), crop=0)], max_bytes=PLENTY)
    assert found is not None
    assert found.region == (190, 90, 70, 70)
    image = picture(found)
    assert (is_red(image, (35, 35)), is_red(image, (4, 35))) == (True, False)


@pytest.mark.parametrize("box", [(-50.0, -50.0, 20.0, 20.0), (390.0, 290.0, 90.0, 90.0), (1e9, 1e9, 1.0, 1.0)])
def test_a_box_beyond_the_image_shows_the_nearest_part_of_it(tmp_path: Path, box: Rectangle) -> None:
    path = marked(tmp_path / "a.png", (0, 0, 1, 1))
    (found,) = render([View(path, (box,), crop=0)], max_bytes=PLENTY)
    assert found is not None
    left, top, width, height = found.region
    assert left >= 0
    assert top >= 0
    assert left + width <= 400
    assert top + height <= 300


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_upright_and_boxes_turn_with_them(tmp_path: Path, orientation: int) -> None:
    box = (40.0, 30.0, 80.0, 40.0)
    path = marked(tmp_path / "a.jpg", box, orientation=orientation)
    (found,) = render([View(path, (box,), image_size=(400, 300))], max_bytes=PLENTY)
    assert found is not None
    assert found.region == ((0, 0, 300, 400) if orientation >= 5 else (0, 0, 400, 300))
    left, top, width, height = found.boxes[0]
    image = picture(found)
    scale = image.width / found.region[2]
    assert is_red(image, ((left + width / 2) * scale, (top + height / 2) * scale))
    assert not is_red(
        image, ((left + width / 2) * scale, (top - 8) * scale if top > 20 else (top + height + 8) * scale)
    )


def test_boxes_that_were_drawn_on_the_upright_image_stay(tmp_path: Path) -> None:
    path = marked(tmp_path / "a.jpg", (0, 0, 1, 1), orientation=6)
    (found,) = render([View(path, ((10.0, 20.0, 30.0, 40.0),), image_size=(300, 400))], max_bytes=PLENTY)
    assert found is not None
    assert found.boxes == [(10.0, 20.0, 30.0, 40.0)]


@given(
    orientation=st.integers(1, 8),
    size=st.tuples(st.integers(50, 90), st.integers(50, 90)),
    left=st.integers(0, 30),
    top=st.integers(0, 30),
)
def test_a_turned_box_has_the_turned_pixels(orientation: int, size: tuple[int, int], left: int, top: int) -> None:
    image = Image.new("L", size)
    image.paste(255, (left, top, left + 20, top + 10))
    exif = image.getexif()
    exif[0x0112] = orientation
    stream = io.BytesIO()
    image.save(stream, "PNG", exif=exif)
    turned = ImageOps.exif_transpose(Image.open(stream))
    assert turned is not None
    assert turned.size == (size[::-1] if has_swapped_sides(orientation) else size)
    x, y, width, height = upright((left, top, 20, 10), size, orientation)
    assert turned.getbbox() == (x, y, x + width, y + height)


def test_files_that_cannot_be_shown_have_no_thumbnail_and_cost_no_other(tmp_path: Path) -> None:
    sound = marked(tmp_path / "sound.png", (0, 0, 1, 1))
    (tmp_path / "cut.jpg").write_bytes(image_bytes((600, 400))[:3000])
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "link.png").symlink_to(sound)
    bad = [str(tmp_path / name) for name in ("cut.jpg", "text.jpg", "missing.png", "link.png")]
    bad += [str(path) for path in sorted((DATA / "png_crashers").iterdir())]
    found = render([View(sound), *map(View, bad), View(sound)], max_bytes=PLENTY)
    assert found[0] is not None
    assert found[0] == found[-1]
    assert found[1:5] == [None] * 4


def test_thumbnails_end_where_their_bytes_are_used_up_and_are_the_same_each_time(tmp_path: Path) -> None:
    for n in range(6):
        (tmp_path / f"{n}.jpg").write_bytes(image_bytes((300, 200), seed=n))
    views = [View(str(tmp_path / f"{n}.jpg")) for n in range(6)]
    every = render(views, max_bytes=PLENTY)
    room = sum(len(each.webp) for each in every[:3] if each)
    assert render(views, max_bytes=room) == [*every[:3], None, None, None]


def test_a_process_that_dies_costs_one_thumbnail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is made to end by a file of that name, as a decoder might by its content."""
    (tmp_path / "sitecustomize.py").write_text(
        "import os, signal\n"
        "real = os.open\n"
        "def opened(path, *rest, **named):\n"
        "    if str(path).endswith('crash.png'): os.kill(os.getpid(), signal.SIGSEGV)\n"
        "    return real(path, *rest, **named)\n"
        "os.open = opened\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    names = ["a.png", "crash.png", "b.png"]
    paths = [marked(tmp_path / name, (0, 0, 1, 1)) for name in names]
    found = render([View(path) for path in paths], max_bytes=PLENTY)
    assert [each is not None for each in found] == [True, False, True]
