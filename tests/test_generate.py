"""The generated manifest of the benchmarks depends only on its seed, and has the lines and faults it should have."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corpora import SERVICE_CODES

ROOT = Path(__file__).parents[1]
LINES = 7_400  # 1% of them are faulty: each of the 74 faults once


def generate(path: Path, *options: str) -> str:
    script = ROOT / "benchmarks" / "generate.py"
    done = subprocess.run([sys.executable, script, path, *options], check=True, capture_output=True, encoding="utf-8")
    return done.stdout


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, str]:
    path = tmp_path_factory.mktemp("generated") / "big.manifest"
    printed = generate(path, "--lines", str(LINES))
    return path.read_bytes(), printed


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    path = tmp_path_factory.mktemp("generated") / "sound.manifest"
    generate(path, "--lines", str(LINES), "--faulty", "0")
    return path.read_bytes().splitlines()


def test_the_same_seed_gives_the_same_bytes(written: tuple[bytes, str], tmp_path: Path) -> None:
    generate(tmp_path / "again.manifest", "--lines", str(LINES))
    generate(tmp_path / "other.manifest", "--lines", str(LINES), "--seed", "2")
    assert (tmp_path / "again.manifest").read_bytes() == written[0]
    assert (tmp_path / "other.manifest").read_bytes() != written[0]


def test_sound_lines_differ_in_keys_order_and_spacing(sound: list[bytes]) -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in sound]
    boxes = [
        box
        for line in lines
        for value in line.values()
        if isinstance(value, dict)
        for box in value.get("annotations", ())
    ]
    assert 3.3 < len(boxes) / LINES < 3.7
    assert len({line["source-ref"] for line in lines}) == LINES
    assert len({frozenset(line) for line in lines}) >= 8
    assert len({tuple(line) for line in lines}) > len({frozenset(line) for line in lines})
    assert len({tuple(box) for box in boxes}) > 2
    assert any(isinstance(box["left"], float) for box in boxes)
    spacings = Counter(
        mark for line in sound for mark in (b'":"', b'": "', b'" : "') if line.partition(b"s3://")[0].endswith(mark)
    )
    assert len(spacings) == 3
    assert min(spacings.values()) > LINES / 8


def test_one_percent_of_the_lines_are_faulty(written: tuple[bytes, str], sound: list[bytes]) -> None:
    manifest, printed = written
    assert manifest.count(b"\n") == LINES
    assert f"{LINES:,} lines, {len(manifest) / 1e6:.1f} MB, {LINES // 100} faulty" in printed
    undecodable = 0
    for line in manifest.split(b"\n")[:-1]:
        try:
            json.loads(line)
        except ValueError:
            undecodable += 1
    # Eight faults are not valid JSON for the standard library either: it accepts a list, NaN and a lone surrogate.
    assert undecodable == 8


def test_every_service_code_about_a_line_is_planted(written: tuple[bytes, str]) -> None:
    with SERVICE_CODES.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["code"].startswith(("ERROR_", "WARNING_"))]
    scopes = {"line", "line / attribute", "image", "annotation", "attribute"}
    codes = {row["code"] for row in rows if row["scope"] in scopes}
    assert len(codes) > 15
    assert {code for code in codes if code not in written[1]} == set()
