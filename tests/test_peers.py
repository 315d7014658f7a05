"""The comparison with other tools plants known faults, and counts what a tool found of them and beside them."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PHOTOGRAPHS = ROOT / "fixtures" / "photographs"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import peers

    yield peers
    # Its name is too general to stay known to other tests.
    for name in ("peers", "speed"):
        sys.modules.pop(name, None)


@pytest.fixture
def planted(peers: Any, tmp_path: Path) -> Path:
    """A set of 120 garments with planted faults."""
    source = tmp_path / "source"
    (source / "images").mkdir(parents=True)
    lines = (PHOTOGRAPHS / "clothes-train.manifest").read_text(encoding="utf-8").splitlines()[:120]
    written = []
    for number, line in enumerate(map(json.loads, lines)):
        path = PHOTOGRAPHS / "clothes" / Path(line["source-ref"]).name
        (source / "images" / f"{number}.jpg").write_bytes(path.read_bytes())
        key = next(key for key in line if f"{key}-metadata" in line)
        named = {"source-ref": f"s3://bucket/images/{number}.jpg", "label": line[key]}
        written.append(json.dumps(named | {"label-metadata": line[f"{key}-metadata"]}) + "\n")
    (source / "labeled.manifest").write_text("".join(written), encoding="utf-8")
    peers.plant(source, tmp_path / "planted")
    return tmp_path / "planted"


def test_each_fault_is_planted_in_other_photographs(peers: Any, planted: Path) -> None:
    rows = json.loads((planted / "planted.json").read_text(encoding="utf-8"))
    counts = Counter(row["fault"] for row in rows.values())
    assert counts == {"": 96, **{fault: 8 if most == 60 else 4 for fault, most in peers.PLANTED.items()}}
    faulty = [row["original"] for row in rows.values() if row["fault"]]
    assert len(faulty) == len(set(faulty))
    for name, row in rows.items():
        same = (planted / "images" / name).read_bytes() == (planted / "images" / row["original"]).read_bytes()
        assert same == (row["fault"] not in ("re-encoded or scaled", "cropped by 4%"))


def test_what_a_tool_found_is_counted(peers: Any, planted: Path) -> None:
    truth = peers.Truth(planted)
    names = {fault: [n for n, row in truth.rows.items() if row["fault"] == fault] for fault in ["", *peers.PLANTED]}
    pairs = [[name, truth.rows[name]["original"]] for fault in peers.COPIED for name in names[fault]]
    all_found = peers.Found(pairs, {fault: names[fault] for fault in (*peers.DEGRADED, "wrong label")}, {})
    assert list(truth.found(all_found)) == ["8", "8", "8", "4", "4", "4", "4", "8"]
    assert list(truth.others(all_found)) == ["0", "0", "0", "0", "0", "0", ""]

    duplicates_only = peers.Found(pairs[:3], {}, {})
    assert list(truth.found(duplicates_only)) == ["3", "0", "0", "", "", "", "", ""]


def test_what_a_tool_flags_without_a_planted_fault_is_counted(peers: Any, planted: Path) -> None:
    truth = peers.Truth(planted)
    copies = [name for name, row in truth.rows.items() if row["fault"] == "exact copy"]
    sound = [name for name, row in truth.rows.items() if not row["fault"]]
    dark = [name for name, row in truth.rows.items() if row["fault"] == "dark"]
    # A copy, its original, and an image that is neither are one group with one wrong link.
    alone = next(n for n in sound if all(truth.rows[copy]["original"] != n for copy in copies))
    pairs = [[copies[0], truth.rows[copies[0]]["original"]], [copies[0], alone], [dark[0], dark[1]]]
    flagged = {"blurred": [*sound[:3], *dark], "dark": [], "wrong label": sound[:5]}
    found = peers.Found(pairs, flagged, {"odd_size": [sound[0], dark[0]], "grayscale": []})
    assert list(truth.others(found)) == ["1", "3", "0", "", "", "5", "odd_size 1"]
