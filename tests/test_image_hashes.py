"""The exported hashes, and where the libraries behind hashes are loaded."""

from __future__ import annotations

from pathlib import Path

import imagehash
import polars as pl
import pytest
from command import groundlint
from lines import classification, manifest
from PIL import Image

PHOTOGRAPHS = Path(__file__).parents[1] / "fixtures/photographs"
RACCOONS = sorted((PHOTOGRAPHS / "raccoons").iterdir())[:9]
HASHES = ("phash", "dhash", "whash", "average_hash")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Nine photographs, a version and a crop of two of them, and a manifest that also names an image not found."""
    for n, path in enumerate(RACCOONS):
        image = Image.open(path).convert("RGB")
        image.save(tmp_path / f"{n}.jpg", quality=95)
        width, height = image.size
        if n == 3:
            image.resize((width // 2, height // 2)).save(tmp_path / "version.jpg")
        if n == 5:
            image.crop((width // 20, height // 20, width - width // 20, height - height // 20)).save(
                tmp_path / "crop.jpg"
            )
    lines = [classification(f"s3://bucket/{path.name}") for path in sorted(tmp_path.iterdir())]
    text = manifest(*lines, classification("s3://bucket/absent.jpg"))
    (tmp_path / "a.manifest").write_text(text, encoding="utf-8")
    return tmp_path


def exported(table: str, folder: Path, **environment: str) -> pl.DataFrame:
    done = groundlint("export", table, "a.manifest", "--no-cache", "--to", "table.parquet", cwd=folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return pl.read_parquet(folder / "table.parquet")


def test_exported_hashes_are_those_that_imagehash_makes_of_the_files_but_for_a_few_bits(folder: Path) -> None:
    rows = exported("image_hashes", folder)
    assert rows.height == 12
    assert rows.filter(pl.col("source_ref").str.ends_with("absent.jpg")).select(HASHES).row(0) == (None,) * 4
    for ref, *texts in rows.drop_nulls("phash").select("source_ref", *HASHES).rows():
        image = Image.open(folder / Path(ref).name)
        for name, text in zip(HASHES, texts, strict=True):
            assert str(imagehash.hex_to_hash(text)) == text
            assert getattr(imagehash, name)(image) - imagehash.hex_to_hash(text) <= 6


def test_the_distance_of_a_pair_is_that_of_its_exported_hashes(folder: Path) -> None:
    hashes = dict(exported("image_hashes", folder).drop_nulls("phash").select("source_ref", "phash").rows())
    pairs = exported("near_pairs", folder).select("a_source_ref", "b_source_ref", "distance").rows()
    assert {Path(b).stem for _, b, _ in pairs} == {"version", "crop"}
    for a, b, distance in pairs:
        assert imagehash.hex_to_hash(hashes[a]) - imagehash.hex_to_hash(hashes[b]) == distance


def test_workers_load_neither_imagehash_nor_scipy_and_a_check_does_without_scipy(folder: Path) -> None:
    blocked = folder / "blocked"
    for name in ("scipy", "imagehash"):
        (blocked / name).mkdir(parents=True)
        (blocked / name / f"{name}.py").write_text(f"raise ImportError('{name} is loaded')\n")
    check = ("check", "a.manifest", "--select", "DUP", "--no-cache", "--output", "concise")
    done = groundlint(*check, cwd=folder, PYTHONPATH=str(blocked / "scipy"))
    assert done.stderr == ""
    assert "near-duplicate of s3://bucket/5.jpg" in done.stdout
    path = ":".join(str(blocked / name) for name in ("scipy", "imagehash"))
    assert exported("images", folder, PYTHONPATH=path)["small_image"].null_count() == 1
