"""Remake docs/page.jpg: the first screen of the html report of the photographs in fixtures/photographs.

It needs Chromium and playwright, as the tests of the page do.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from browser import visit  # noqa: E402 - found only now

TARGET = ROOT / "docs/page.jpg"
WIDTH, HEIGHT = 1280, 1150


def main() -> None:
    """Write the page of the photographs, and keep what a person sees of it first."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "report.html"
        arguments = ["check", "--exit-zero", "-q", "--no-cache", "--output", f"html:{file}"]
        subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "groundlint", *arguments], cwd=ROOT / "fixtures/photographs", check=True
        )
        with visit(width=WIDTH) as opened:
            opened.open(file)
            opened.page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
            opened.page.screenshot(path=TARGET, type="jpeg", quality=82)


if __name__ == "__main__":
    main()
