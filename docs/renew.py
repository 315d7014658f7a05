"""Write the generated documents: pages of rules and service codes, and the published schemas."""

from __future__ import annotations

import json
import re
from pathlib import Path

from groundlint import pages
from groundlint.engine import registry
from groundlint.manifest import label_formats
from groundlint.policy import selection
from groundlint.report import schema
from groundlint_rules import service_codes

HERE = Path(__file__).parent
TABLE = re.compile(r"(?<=<!-- Written by `make docs`. -->\n\n)(?:\|.*\n)*\n?")
LABEL_SCHEMAS = "../linter/groundlint/manifest/schemas"


def generated() -> dict[str, str]:
    """Text of every generated document, by its path relative to docs/."""
    known = registry.load(isolated=True)
    of_fixes = TABLE.sub(f"{pages.fix_table(known)}\n\n", (HERE / "fixes.md").read_text(encoding="utf-8"))
    schemas = {f"{LABEL_SCHEMAS}/{name}.schema.json": value for name, value in label_formats.schemas().items()}
    schemas |= {"report.schema.json": schema.schema(), "groundlint.schema.json": selection.schema(known)}
    return {
        **{f"rules/{code}.md": pages.page(known, code) for code in known.rules},
        **{name: json.dumps(value, indent=2) + "\n" for name, value in schemas.items()},
        "rules/index.md": pages.index(known),
        "fixes.md": of_fixes,
        "service-codes.md": service_codes.page(known.rules),
    }


if __name__ == "__main__":
    for page in (HERE / "rules").glob("*.md"):
        page.unlink()
    for name, text in generated().items():
        (HERE / name).write_text(text, encoding="utf-8")
