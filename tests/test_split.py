"""`groundlint split`: what goes where, what stays together, and that nothing is lost or changed."""

from __future__ import annotations

import codecs
import json
import random
from collections import Counter
from pathlib import Path

import pytest
from command import groundlint
from lines import classification, detection, manifest
from PIL import Image

LABELS = ("cat", "cat", "cat", "dog")
LINES = [classification(f"s3://bucket/{n}.jpg", LABELS[n % 4]) for n in range(100)]


def split(
    folder: Path, text: str | bytes, *arguments: str, name: str = "a.manifest"
) -> tuple[list[bytes], list[bytes]]:
    """The training and the test lines that the command makes of the text of a manifest."""
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    done = groundlint("split", name, "--test", "0.2", "--to", "parts", *arguments, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    train, test = ((folder / f"parts/a-{part}.manifest").read_bytes() for part in ("train", "test"))
    return train.splitlines(keepends=True), test.splitlines(keepends=True)


def pattern(seed: int) -> Image.Image:
    """An image that looks like none of another seed."""
    pixels = random.Random(seed).randbytes(8 * 8 * 3)
    return Image.frombytes("RGB", (8, 8), pixels).resize((96, 96), Image.Resampling.BICUBIC)


def sources(lines: list[bytes]) -> list[str]:
    return [json.loads(line)["source-ref"] for line in lines]


def test_every_line_goes_into_one_part_and_labels_keep_their_shares(tmp_path: Path) -> None:
    text = manifest(*LINES)
    train, test = split(tmp_path, text)
    assert sorted(train + test) == sorted(text.encode().splitlines(keepends=True))
    assert Counter(json.loads(line)["animal-metadata"]["class-name"] for line in test) == {"cat": 15, "dog": 5}


def test_the_parts_do_not_depend_on_the_order_of_lines(tmp_path: Path) -> None:
    first = split(tmp_path, manifest(*LINES))
    for part in (tmp_path / "parts").iterdir():
        part.unlink()
    second = split(tmp_path, manifest(*random.Random(0).sample(LINES, len(LINES))))
    assert [sorted(part) for part in first] == [sorted(part) for part in second]
    assert first[1] != second[1]


def test_lines_keep_their_order_and_their_bytes(tmp_path: Path) -> None:
    """A byte order mark and a blank line are left out, and the last line gets the end that others have."""
    text = codecs.BOM_UTF8 + manifest(*LINES[:50], "", *LINES[50:], "{broken").replace("\n", "\r\n").encode()[:-2]
    train, test = split(tmp_path, text)
    wanted = text.removeprefix(codecs.BOM_UTF8).replace(b"\r\n\r\n", b"\r\n").splitlines(keepends=True)
    wanted[-1] += b"\r\n"
    places = {line: n for n, line in enumerate(wanted)}
    assert sorted(train + test) == sorted(wanted)
    for part in (train, test):
        assert [places[line] for line in part] == sorted(places[line] for line in part)


def test_lines_of_one_image_stay_together(tmp_path: Path) -> None:
    lines = [classification(f"s3://bucket/{n // 2}.jpg", "cat") for n in range(60)]
    train, test = split(tmp_path, manifest(*lines))
    assert not set(sources(train)) & set(sources(test))
    assert len(test) == 12


def test_frames_of_a_film_stay_together_without_images(tmp_path: Path) -> None:
    lines = [classification(f"s3://bucket/clip{n // 20}/{n % 20:04}.jpg", LABELS[n % 4]) for n in range(200)]
    train, test = split(tmp_path, manifest(*lines))
    films = [{source.split("/")[3] for source in sources(part)} for part in (train, test)]
    assert not films[0] & films[1]
    assert len(test) == 40


def test_duplicates_stay_together(tmp_path: Path) -> None:
    """Each image is there five times; a random split would tear 20 groups of 30."""
    for n in range(150):
        pattern(n // 5).save(tmp_path / f"{n}.jpg", quality=70 + n % 5 * 5)
    train, test = split(tmp_path, manifest(*LINES, *(classification(f"s3://bucket/{n}.jpg") for n in range(100, 150))))
    groups = [{int(Path(source).stem) // 5 for source in sources(part)} for part in (train, test)]
    assert not groups[0] & groups[1]
    assert len(test) == 30


def test_labels_of_boxes_are_stratified(tmp_path: Path) -> None:
    """Every second image has two dogs, and every tenth a cat."""
    lines = [
        detection(f"s3://bucket/{n}.jpg", (*(({"class_id": 1},) * 2 * (n % 2 == 0)), *(({},) * (n % 10 == 0))))
        for n in range(100)
    ]
    _, test = split(tmp_path, manifest(*lines))
    boxes = [{box["class_id"] for box in json.loads(line)["animals"]["annotations"]} for line in test]
    assert Counter(label for labels in boxes for label in labels) == {1: 10, 0: 2}


def test_the_report_says_how_many_lines_went_where(tmp_path: Path) -> None:
    lines = [*LINES, LINES[0], "", classification("s3://bucket/cow.jpg", "cow")]
    (tmp_path / "a.manifest").write_text(manifest(*lines))
    done = groundlint("split", "a.manifest", "--test", "0.2", "--to", "parts", cwd=tmp_path)
    assert done.stdout.splitlines() == [
        "parts/a-train.manifest: 82 lines (80.4%)",
        "parts/a-test.manifest: 20 lines (19.6%)",
        "lines with a label, for training and for testing:",
        "  'cow'         1        0",
        "  'dog'        20        5",
        "  'cat'        61       15",
        "in one part only: 'cow'; a label needs two groups of images to be in both",
        "kept together: 1 group of duplicates, similar images or frames of a film (2 lines)",
        "left out: 1 blank line",
    ]


def test_a_part_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    split(tmp_path, manifest(*LINES))
    (tmp_path / "parts/a-train.manifest").unlink()
    before = (tmp_path / "parts/a-test.manifest").read_bytes()
    done = groundlint("split", "a.manifest", "--test", "0.5", "--to", "parts", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: parts/a-test.manifest: the file exists already\n"
    assert (tmp_path / "parts/a-test.manifest").read_bytes() == before
    assert not (tmp_path / "parts/a-train.manifest").exists()


@pytest.mark.parametrize(
    ("text", "share", "says"),
    [
        (manifest(*LINES), "1", "--test: 1 is not a share"),
        (manifest(*LINES), "nan", "--test: nan is not a share"),
        (manifest(LINES[0]), "0.2", "it has only one line"),
        (manifest(LINES[0], LINES[0]), "0.2", "all lines show one image"),
        ("{broken\n", "0.2", "a.manifest: no line can be read"),
        (None, "0.2", "a.manifest: No such file or directory"),
    ],
)
def test_what_cannot_be_split_is_an_error(tmp_path: Path, text: str | None, share: str, says: str) -> None:
    if text is not None:
        (tmp_path / "a.manifest").write_text(text)
    done = groundlint("split", "a.manifest", "--test", share, "--to", "parts", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
    assert not (tmp_path / "parts").exists()


def test_required_images_that_are_missing_keep_a_manifest_from_being_split(tmp_path: Path) -> None:
    (tmp_path / "a.manifest").write_text(manifest(*LINES))
    done = groundlint("split", "a.manifest", "--test", "0.2", "--to", "parts", "--require-images", cwd=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "parts").exists()


def test_the_rest_of_a_configured_data_set_is_not_split(tmp_path: Path) -> None:
    (tmp_path / "groundlint.toml").write_text('[datasets.pets]\ntrain = "a.manifest"\ntest = "b.manifest"\n')
    (tmp_path / "b.manifest").write_text(manifest(classification("s3://bucket/other.jpg")))
    train, test = split(tmp_path, manifest(*LINES))
    assert sorted(sources(train + test)) == sorted(sources([json.dumps(line).encode() for line in LINES]))
