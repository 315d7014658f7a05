"""A picture that is like no other is named, copies do not keep it company, and a few pictures are not judged."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
from lines import classification, manifest
from PIL import Image, ImageDraw
from typer.testing import CliRunner

from groundlint.cli import app

COUNT = 60


def usual(n: int) -> Image.Image:
    """Balls on a green ground."""
    random = Random(n)
    picture = Image.new("RGB", (128, 96), (60, 130, 70))
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y, radius = random.randint(0, 128), random.randint(0, 96), random.randint(6, 20)
        colour = (random.randint(120, 255), random.randint(0, 120), random.randint(0, 120))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return picture


def strange() -> Image.Image:
    """A page of lines on a white ground."""
    page = Image.new("RGB", (128, 96), "white")
    draw = ImageDraw.Draw(page)
    for y in range(8, 90, 8):
        draw.line((8, y, 120 - y % 3 * 20, y), fill="black", width=2)
    return page


def named(*pictures: Image.Image) -> list[str]:
    """The images that are called off topic."""
    for n, picture in enumerate(pictures):
        picture.save(f"{n}.png")
    Path("a.manifest").write_text(manifest(*(classification(f"s3://bucket/{n}.png") for n in range(len(pictures)))))
    flags = ["--isolated", "--no-cache", "--select", "SUS106", "--output", "json:report.json"]
    done = CliRunner().invoke(app, ["check", "a.manifest", *flags])
    assert done.exit_code == 0, done.output
    return [finding["source_ref"] for finding in json.loads(Path("report.json").read_text())["findings"]]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_strange_picture_is_named() -> None:
    assert f"s3://bucket/{COUNT}.png" in named(*(usual(n) for n in range(COUNT)), strange())


def test_its_copies_do_not_hide_it() -> None:
    pictures = [*(usual(n) for n in range(COUNT)), *[strange()] * 8]
    assert {f"s3://bucket/{COUNT + n}.png" for n in range(8)} <= set(named(*pictures))


def test_a_few_pictures_are_not_judged() -> None:
    assert named(*(usual(n) for n in range(20)), strange()) == []
