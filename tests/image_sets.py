"""Small image data sets for tests, and the tables that are made of them."""

from __future__ import annotations

import importlib
import io
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
from lines import classification, manifest
from PIL import Image

from groundlint.config.data_sets import DataSet, Source
from groundlint.engine import registry
from groundlint.engine.features import Feature
from groundlint.images.cache import Cache
from groundlint.images.image_tables import ImageTables
from groundlint.images.pool import TIMEOUT, Pool
from groundlint.images.record import ImageTask, MeasuredImage
from groundlint.images.storage import LocalStorage, Roots
from groundlint.manifest.reader import read

COUNT = 40
DECODED = registry.load(isolated=True).features["decoded"]


CULPRITS = """
import os, signal, time
from groundlint import feature

@feature(of="images", dtype=int)
def culprit(data: bytes) -> int:
    if data.endswith(b"crash"): os.kill(os.getpid(), signal.SIGSEGV)
    if data.endswith(b"hang"): time.sleep(60)
    if data.endswith(b"raise"): raise RuntimeError("odd")
    if data.endswith(b"exit"): raise SystemExit("gone")
    return len(data)
"""
"""The source of a feature that does what the end of a file says."""


def image_bytes(size: tuple[int, int] = (96, 80), seed: int = 0, **save: Any) -> bytes:
    """A JPEG, or what `format` says, with something in it."""
    image = Image.effect_mandelbrot(size, (-2 + seed / 50, -1.5, 1, 1.5), 30).convert("RGB")
    stream = io.BytesIO()
    image.save(stream, **{"format": "JPEG", **save})
    return stream.getvalue()


def measured_in_pool(
    tasks: Iterable[ImageTask], features: Sequence[Feature], *, jobs: int, timeout: float = TIMEOUT
) -> Iterator[MeasuredImage]:
    """Measure images in a pool of worker processes."""
    with closing(Pool([feature.place for feature in features], jobs=jobs, timeout=timeout)) as pool:
        yield from pool.measure(tasks)


def write_images(count: int = COUNT, folder: str = "images") -> None:
    """Images in a folder of the working directory, and beside it a.manifest that names them."""
    Path(folder).mkdir(parents=True)
    for n in range(count):
        Path(folder, f"{n}.jpg").write_bytes(image_bytes(seed=n))
    write_manifest(*(classification(f"s3://bucket/{folder}/{n}.jpg", "ab"[n % 2]) for n in range(count)))


def write_manifest(*lines: dict[str, Any], name: str = "a.manifest") -> None:
    Path(name).write_text(manifest(*lines), encoding="utf-8")


def set_old_dates() -> None:
    """Give the images dates old enough for the cache to rely on."""
    for path in Path("images").iterdir():
        os.utime(path, (time.time() - 100,) * 2)


def image_tables(
    cache: Path | None = None, *, features: Sequence[Feature] = (DECODED,), jobs: int = 1, roots: Roots | None = None
) -> ImageTables:
    """Image tables of the working directory."""
    return ImageTables(LocalStorage(roots or Roots({}), [Path.cwd()]), Cache(cache), features, jobs)


def tables_of(made: ImageTables, *names: str) -> dict[str, pl.DataFrame]:
    """The tables of manifests, a data set each; a.manifest if none is named."""
    data_sets = [DataSet((Source(name, "train", Path(name)),), frozenset([name])) for name in names or ("a.manifest",)]
    tables = read(data_sets).tables
    try:
        return made.tables(tables["lines"], tables["boxes"], tables["labels"])
    finally:
        made.close()


def images_of(made: ImageTables, *names: str) -> pl.DataFrame:
    """The table `images`."""
    return tables_of(made, *names)["images"]


def imported(name: str, source: str) -> Any:
    """A module of the working directory, new for this test."""
    Path(f"{name}.py").write_text(source)
    sys.modules.pop(name, None)
    importlib.invalidate_caches()
    return importlib.import_module(name)
