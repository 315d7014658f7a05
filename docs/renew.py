"""Write the generated documents: pages of rules and service codes, and the published schemas."""

from __future__ import annotations

import json
from pathlib import Path

from groundlint import pages
from groundlint.engine import registry
from groundlint.policy import selection
from groundlint.report import schema
from groundlint_rules import service_codes

HERE = Path(__file__).parent


def generated() -> dict[str, str]:
    """Text of every generated document, by its path below docs/."""
    known = registry.load(isolated=True)
    texts = {f"rules/{code}.md": pages.page(known, code) for code in known.rules}
    return texts | {
        "rules/index.md": pages.index(known),
        "service-codes.md": service_codes.page(known.rules),
        "report.schema.json": json.dumps(schema.schema(), indent=2) + "\n",
        "groundlint.schema.json": json.dumps(selection.schema(known), indent=2) + "\n",
    }


if __name__ == "__main__":
    for page in (HERE / "rules").glob("*.md"):
        page.unlink()
    for name, text in generated().items():
        (HERE / name).write_text(text, encoding="utf-8")
