"""The images that the page gets: from the command, of which findings, and how many."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import polars as pl
import pytest
from command import groundlint
from hypothesis import given
from hypothesis import strategies as st
from image_sets import image_bytes
from lines import classification, detection, manifest
from PIL import Image

from groundlint.distributions import GRID, distributions
from groundlint.engine.base_tables import BASE

SIZE = (640, 480)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Boxes on six images, one of them broken, one missing and one outside the folder of the images."""
    (tmp_path / "set/img").mkdir(parents=True)
    names = [f"img/{n}.jpg" for n in range(5)]
    for n, name in enumerate(names[:4]):
        (tmp_path / "set" / name).write_bytes(image_bytes(SIZE, seed=n))
    (tmp_path / "set/img/3.jpg").write_bytes(image_bytes(SIZE)[:2000])
    (tmp_path / "secret.jpg").write_bytes(image_bytes(SIZE, seed=9))
    boxes = ({"left": -5}, {"left": 100, "top": 100, "width": 90, "height": 80})
    lines = [detection(f"s3://bucket/{name}", boxes) for name in (*names, "../secret.jpg")]
    (tmp_path / "set/a.manifest").write_text(manifest(*lines))
    return tmp_path / "set"


def page_of(folder: Path, *arguments: str, name: str = "report.html") -> str:
    flags = ("--select", "BOX101,IMG201,IMG202,IMG203", "--no-cache", "--output", f"html:{name}")
    done = groundlint("check", "a.manifest", *flags, *arguments, cwd=folder)
    assert done.returncode == 1, done.stderr
    return (folder / name).read_text(encoding="utf-8")


def thumbnails(page: str) -> list[Image.Image]:
    found = re.findall(r'href="data:image/webp;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(each)), formats=("WEBP",)) for each in found]


def test_findings_are_shown_with_image_and_box_and_what_is_missing_is_counted(folder: Path) -> None:
    page = page_of(folder)
    found = thumbnails(page)
    # Three images can be shown, each whole and with its box enlarged.
    assert sorted(image.size for image in found if image.size == (240, 180)) == [(240, 180)] * 3
    assert len(found) == 6
    assert "could not be shown: not found, unreadable, or no room left" in page
    assert page.count('class="box own"') >= 6


def test_the_number_of_images_can_be_chosen(folder: Path) -> None:
    assert len(thumbnails(page_of(folder, "--html-images", "2"))) == 2
    page = page_of(folder, "--html-images", "0")
    assert thumbnails(page) == []
    assert page.count('class="finding row') > 3


def test_the_page_is_the_same_for_any_number_of_processes(folder: Path) -> None:
    assert page_of(folder, "--jobs", "1") == page_of(folder, "--jobs", "2", name="other.html")


def test_a_page_may_go_to_standard_output_alone(folder: Path) -> None:
    done = groundlint("check", "a.manifest", "--select", "BOX101", "--no-cache", "--output", "html", cwd=folder)
    assert done.stdout.startswith("<!DOCTYPE html>")
    assert done.stdout.endswith("</html>\n")


def test_a_data_set_without_images_has_a_page(tmp_path: Path) -> None:
    lines = [classification(f"s3://bucket/{n}.jpg", "cat" if n % 3 else "dog") for n in range(9)]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    done = groundlint("check", "a.manifest", "--no-cache", "--output", "html:report.html", cwd=tmp_path)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert done.returncode in (0, 1), done.stderr
    assert "no image of a.manifest was found" in page
    assert "Image-level labels" in page


@given(
    st.lists(
        st.tuples(*[st.floats(-50, 700)] * 2, *[st.floats(0, 900)] * 2),
        min_size=1,
        max_size=20,
    )
)
def test_every_box_is_counted_once_by_size_and_by_position(boxes: list[tuple[float, ...]]) -> None:
    names = ("left", "top", "width", "height")
    rows = [
        {"data_set": 0, "manifest": "a", "line": n, "attribute": "x", "box": 0, "image_width": 640, "image_height": 480}
        | dict(zip(names, box, strict=True))
        for n, box in enumerate(boxes)
    ]
    table = pl.DataFrame(rows, schema_overrides={"data_set": pl.Int32})
    tables = {"boxes": table, "attributes": BASE["attributes"].empty(), "images": BASE["images"].empty()}
    (found,) = distributions(tables, 1)
    assert sum(each.size for each in found.short_sides) == len(boxes)
    assert sum(map(sum, found.positions)) == len(boxes)
    assert len(found.positions) == GRID
    assert (found.image_sizes, found.bright_levels) == ([], [])
