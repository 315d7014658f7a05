"""Write the generated documents anew: pages of rules and codes, and the published schemas."""

from __future__ import annotations

import json
from pathlib import Path

from groundlint import pages as docs
from groundlint.config import settings as config
from groundlint.engine import registry
from groundlint.manifest import label_formats
from groundlint.report import schema
from groundlint_rules import service_codes

HERE = Path(__file__).parent
SCHEMAS = "../linter/groundlint/manifest/schemas"


def generated() -> dict[str, str]:
    """Text of every generated document, by its path below docs/."""
    known = registry.load(isolated=True)
    pages = {f"rules/{code}.md": docs.page(known, code) for code in known.rules}
    schemas = {f"{SCHEMAS}/{name}.schema.json": schema_ for name, schema_ in label_formats.schemas().items()}
    return pages | {
        **{name: json.dumps(value, indent=2) + "\n" for name, value in schemas.items()},
        "rules/index.md": docs.index(known),
        "service-codes.md": service_codes.page(known.rules),
        "report.schema.json": json.dumps(schema.schema(), indent=2) + "\n",
        "groundlint.schema.json": json.dumps(config.schema(known), indent=2) + "\n",
    }


if __name__ == "__main__":
    for name, text in generated().items():
        (HERE / name).write_text(text, encoding="utf-8")
