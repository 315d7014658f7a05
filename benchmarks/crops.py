"""Compare the rules on the quality of boxes with annotations by people (blurred faces), and darken boxes (raccoons).

The measure and the threshold of blur were chosen on the half with `sha256(source_ref)[0] & 1` = 0; figures are of half
1. accuracy.py runs it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
from measured import Measured, agreement, auroc, auroc_within, exported, halves
from PIL import Image
from polars import col
from quality import exposed

from groundlint.images.measure import Measurer
from groundlint.images.record import ImageTask
from groundlint_rules.features.crops import MIN_SIDE, crop_brightness

MIN_CONTRAST = 18
"""Below this `crop_contrast` IMG403 reports boxes."""
CLASSES = [30, 50, 100]
"""Upper bounds, in px, of the classes of similar size."""


def crops(data: Path, name: str) -> pl.DataFrame:
    """The boxes of a set with the measurements of their content."""
    boxes, measured = (exported(table, data / name / "output.manifest") for table in ("boxes", "crops"))
    keys = ("manifest", "line", "attribute", "box")
    return boxes.join(measured.select(*keys, "^crop_.*$"), on=keys)


def figures(data: Path) -> Iterator[Measured]:
    """The figures on the pages of the rules."""
    truth = pl.read_csv(data / "wider_occ/truth.csv", infer_schema_length=None).select("source_ref", "box", "blur")
    faces = crops(data, "wider_occ").join(truth, on=["source_ref", "box"])
    here = faces.filter(halves(faces["source_ref"]) == 1).with_columns(size=pl.max_horizontal("width", "height"))
    seen = here.filter(col("size") >= MIN_SIDE)
    name = f"wider_occ, half 1, {seen.height:,} faces"
    for what, least in (("blurred", 1), ("heavily blurred", 2)):
        positive = seen["blur"] >= least
        said = f"{auroc(-seen['crop_sharpness'], positive):.3f}; by size alone {auroc(-seen['size'], positive):.3f}"
        yield Measured("IMG401", name, f"AUROC, faces annotated by people as {what}", said)
    within = auroc_within(-seen["crop_sharpness"], seen["blur"] >= 1, seen["size"].cut(CLASSES))
    yield Measured("IMG401", name, "the same among faces of similar size", f"{within:.3f}")
    rule = (col("crop_sharpness") < 5) & (col("crop_sharpness") < 0.5 * faces["crop_sharpness"].median())
    what = "flagged faces compared with faces annotated by people as blurred"
    yield Measured("IMG401", name, what, agreement(seen, rule, col("blur") >= 1))
    small = here.filter(col("size") < 16)
    said = f"{(small['blur'] >= 1).mean():.2f} annotated by people as blurred"
    yield Measured("IMG404", "wider_occ, half 1", f"the {small.height} faces below 16 px", said)
    for several in (("animalpose", "coco128", "raccoon", "bccd"), ("wider_occ",)):
        contrast = pl.concat([crops(data, one)["crop_contrast"].drop_nulls() for one in several])
        said = f"{(contrast < MIN_CONTRAST).sum()} flagged"
        yield Measured("IMG403", f"{', '.join(several)}, {len(contrast):,} boxes", "boxes flagged as published", said)
    found, count = darkened(data)
    yield Measured("IMG402", "raccoon", "boxes found after darkening by three stops", f"{found / count:.3f} of {count}")


def darkened(data: Path) -> tuple[int, int]:
    """The number of raccoons found dark after exposing them three stops darker, and the number of raccoons."""
    boxes = crops(data, "raccoon").select("source_ref", "left", "top", "width", "height")
    measurer = Measurer([crop_brightness])
    found = 0
    with tempfile.TemporaryDirectory() as folder:
        for reference, *box in boxes.iter_rows():
            image = Image.open(data / reference.removeprefix("s3://datasets/")).convert("RGB")
            made = exposed(image, np.random.default_rng(0), stops=-3)
            assert made is not None
            made.save(Path(folder) / "dark.jpg", quality=95)
            task = ImageTask(0, str(Path(folder) / "dark.jpg"), [(box[0], box[1], box[2], box[3])], [True])
            found += measurer.measure(task).crops[0].values[crop_brightness.key] < 90
    return found, boxes.height
