"""The rule that docs/writing-rules.md shows works in a package of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CODE = re.compile(r"^ *```python\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
ENTRY_POINT = re.compile(r"^```toml\n\[project\.entry-points\.\"(.*?)\"\]\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def acme(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as an installer would write it."""
    text = (ROOT / "docs/writing-rules.md").read_text(encoding="utf-8")
    (code,) = CODE.findall(text)
    ((group, entry),) = ENTRY_POINT.findall(text)
    folder = tmp_path_factory.mktemp("site")
    (folder / "acme_rules.py").write_text(textwrap.dedent(code), encoding="utf-8")
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[{group}]\n{entry.replace(chr(34), '')}", encoding="utf-8")
    return folder


def groundlint(acme: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "groundlint", *arguments],
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(acme), os.environ.get("PYTHONPATH", "")))},
        capture_output=True,
        encoding="utf-8",
    )


def test_its_examples_hold(acme: Path) -> None:
    done = groundlint(acme, "test", "acme")
    assert (done.returncode, done.stdout) == (0, "1 rule, 4 examples, 0 faults\n")


def test_it_has_a_page(acme: Path) -> None:
    page = groundlint(acme, "rule", "box-that-fills-image").stdout
    assert "A box covers nearly the whole image." in page
    assert "Share of the image from which a box is reported." in page


def test_it_finds_boxes_in_a_real_manifest(acme: Path) -> None:
    manifest = ROOT / "fixtures" / "raccoon" / "train.manifest"
    done = groundlint(acme, "check", str(manifest), "--select", "ACM101", "--output", "concise")
    assert done.returncode == 0
    assert re.search(r"train\.manifest:\d+: info ACM101 .*: box 0 \('raccoon'\) covers 9\d% of the image", done.stdout)
