"""Times and size of the html report with 5,000 findings, in Chromium: opening, filtering, moving and marking."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from browser import visit
from findings import finding, report
from test_html_report import described

from groundlint.report import html

FINDINGS = 5000

# Two frames: the first is drawn after the change, the second when that is done.
TIMED = """async ([act, argument]) => {
  const frame = () => new Promise(requestAnimationFrame);
  const acts = {
    filter: (value) => {
      const field = document.getElementById("by-label");
      field.selectedIndex = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    },
    search: (value) => {
      const field = document.getElementById("by-text");
      field.value = value;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    },
    press: (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true })),
  };
  await frame();
  const start = performance.now();
  acts[act](argument);
  await frame();
  await frame();
  return performance.now() - start;
}"""


def main() -> None:
    """Print a row for each thing that a person does."""
    rows = [
        finding(
            code=f"BOX{100 + n % 10}",
            line=n,
            source_ref=f"s3://bucket/{n}.jpg",
            label=f"label {n % 7}",
            message=f"box {n} ('label {n % 7}') extends 3 px beyond the right edge; clip it",
        )
        for n in range(FINDINGS)
    ]
    of = described(report(*rows))
    start = time.perf_counter()
    text = html.render(of)
    print(f"| rendering | {time.perf_counter() - start:.1f} s, {len(text) / 1e6:.1f} MB |")
    with tempfile.TemporaryDirectory() as folder, visit() as opened:
        file = Path(folder) / "report.html"
        file.write_text(text, encoding="utf-8")
        start = time.perf_counter()
        opened.open(file)
        print(f"| opening | {1000 * (time.perf_counter() - start):.0f} ms |")
        steps = [("filter", 3), ("filter", 0), ("search", "box 49"), ("search", ""), *[("press", key) for key in "jjr"]]
        for act, argument in steps:
            times = sorted(opened.page.evaluate(TIMED, [act, argument]) for _ in range(5))
            print(f"| {act} {argument!r} | {times[2]:.0f} ms, at most {times[-1]:.0f} ms |")


if __name__ == "__main__":
    main()
