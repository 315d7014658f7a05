"""Make docs/demo.svg, the image of a terminal in the README, from `make demo` with colors.

Run it from the root of the project.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from html import escape
from pathlib import Path

WIDTH = 92
FONT_SIZE, LINE_HEIGHT, CHARACTER_WIDTH, MARGIN = 13, 18, 7.82, 16
BACKGROUND, FOREGROUND = "#1e222a", "#d7dae0"
COLORS = {"31": "#ff7b72", "33": "#e3b341", "36": "#79c0ff", "2": "#8b949e", "90": "#8b949e", "35": "#d2a8ff"}
_CODE = re.compile(r"\x1b\[([0-9;]*)m")


def styled(line: str) -> str:
    """A line with escape sequences as text of SVG."""
    parts, style = [], ""
    for position, piece in enumerate(_CODE.split(line)):
        if position % 2:
            codes = piece.split(";")
            color = next((COLORS[code] for code in codes if code in COLORS), None)
            weight = ' font-weight="bold"' if "1" in codes else ""
            style = (f' fill="{color}"' if color else "") + weight if codes not in (["0"], [""]) else ""
        elif piece:
            parts.append(f"<tspan{style}>{escape(piece)}</tspan>")
    return "".join(parts)


def main() -> None:
    """Run the demo and write the image."""
    command = [sys.executable, "-m", "groundlint", "check", "--exit-zero", "--color", "always"]
    environment = os.environ | {"COLUMNS": str(WIDTH)}
    done = subprocess.run(  # noqa: S603 - this very package
        command, cwd="fixtures/photographs", env=environment, capture_output=True, encoding="utf-8", check=True
    )
    lines = ["$ groundlint check", *done.stdout.splitlines()]
    rows = [
        f'<text x="{MARGIN}" y="{MARGIN + (n + 1) * LINE_HEIGHT - 4}" xml:space="preserve">{styled(line)}</text>'
        for n, line in enumerate(lines)
    ]
    width, height = round(WIDTH * CHARACTER_WIDTH + 2 * MARGIN), len(lines) * LINE_HEIGHT + 2 * MARGIN
    font = f"font: {FONT_SIZE}px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">'
    box = f'<rect width="100%" height="100%" rx="8" fill="{BACKGROUND}"/>'
    text = "\n".join([head, box, f'<g style="{font}" fill="{FOREGROUND}">', *rows, "</g>", "</svg>"])
    Path("docs/demo.svg").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
