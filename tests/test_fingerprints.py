"""Fingerprints: a finding keeps its own when lines are moved, reordered or serialized differently."""

from __future__ import annotations

import json
import time
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lines import detection, manifest
from runs import SMALL, checked

from groundlint.engine.base_tables import BASE
from groundlint.engine.findings import SCHEMA
from groundlint.policy.fingerprints import fingerprints

LINES = [
    detection("s3://bucket/1.jpg", ({"width": 1}, {"width": 1}, {"width": 2}, {})),
    detection("s3://bucket/2.jpg", ({"width": 0.5}, {"width": 0.5, "left": 12})),
    detection("s3://bucket/3.jpg", type="groundtruth/custom"),
    detection("s3://bucket/4.jpg", **{"class-map": {}}),
]
NO_URI = json.dumps({"a": 1})


def prints(folder: Path, text: str, name: str = "a.manifest") -> list[str]:
    (folder / name).write_text(text)
    return sorted(checked(str(folder / name), rules=SMALL).findings["fingerprint"])


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(order=st.permutations(range(len(LINES))), blanks=st.integers(0, 3))
def test_moving_and_reordering_lines_keeps_fingerprints(tmp_path: Path, order: list[int], blanks: int) -> None:
    before = prints(tmp_path, manifest(*LINES, NO_URI))
    after = prints(
        tmp_path,
        manifest(*[detection(f"s3://bucket/x{n}.jpg") for n in range(blanks)], *(LINES[n] for n in order), NO_URI),
    )
    assert set(before) <= set(after)


def test_serializing_lines_differently_keeps_fingerprints(tmp_path: Path) -> None:
    compact = "".join(json.dumps(line, separators=(",", ":"), sort_keys=True) + "\n" for line in LINES)
    floats = compact.replace('"width":1', '"width":1.0').replace('"left":12', '"left":1.2e1')
    assert floats != compact
    assert prints(tmp_path, manifest(*LINES)) == prints(tmp_path, compact) == prints(tmp_path, floats)


def test_no_two_findings_share_a_fingerprint(tmp_path: Path) -> None:
    found = prints(tmp_path, manifest(*LINES, NO_URI, NO_URI))
    assert len(set(found)) == len(found) > 5


def test_another_box_has_another_fingerprint(tmp_path: Path) -> None:
    moved = json.loads(json.dumps(LINES[0]).replace('"width": 2', '"width": 3'))
    assert set(prints(tmp_path, manifest(LINES[0]))) != set(prints(tmp_path, manifest(moved)))


def test_a_relative_and_an_absolute_path_give_the_same_fingerprints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    absolute = prints(tmp_path, manifest(*LINES))
    assert prints(Path(), manifest(*LINES)) == absolute


def test_links_that_lead_to_a_manifest_do_not_matter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real/sub").mkdir(parents=True)
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "deep").symlink_to("real/sub")
    monkeypatch.chdir(tmp_path / "link")
    known = prints(Path("sub"), manifest(*LINES))
    for folder in ("real/sub", "link/sub", "deep"):
        assert prints(tmp_path / folder, manifest(*LINES)) == known
    outside = prints(Path(".."), manifest(*LINES))
    assert prints(tmp_path, manifest(*LINES)) == outside != known


def of_boxes(count: int, **box: float) -> list[str]:
    """Fingerprints of as many findings on boxes, each on a line of its own."""
    defaults = {name: column.default for name, column in BASE["boxes"].columns.items()} | box
    boxes = pl.DataFrame([defaults | {"line": n + 1, "source_ref": f"{n}.jpg"} for n in range(count)])
    boxes = boxes.select(pl.col(name).cast(dtype) for name, dtype in BASE["boxes"].schema.items())
    keys = [name for name in SCHEMA if name in boxes.columns]
    found = boxes.select(keys).with_columns(code=pl.lit("BOX301"))
    found = found.with_columns(pl.lit(None, dtype).alias(n) for n, dtype in SCHEMA.items() if n not in found.columns)
    return fingerprints(
        found.select(SCHEMA.names()), {"boxes": boxes, "problems": BASE["problems"].empty()}, Path.cwd()
    ).to_list()


def test_zero_has_one_fingerprint_whatever_its_sign() -> None:
    assert of_boxes(1, left=-0.0) == of_boxes(1, left=0.0) != of_boxes(1, left=1.0)


def test_many_findings_are_fast() -> None:
    start = time.process_time()
    assert len(set(of_boxes(20_000))) == 20_000
    assert time.process_time() - start < 5
