"""Reports: what a run found as text for people and programs. Each format is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groundlint.report import ci, json, jsonl, markdown, sarif, text
from groundlint.report.report import Report

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": text.render,
    "json": json.render,
    "jsonl": jsonl.render,
    "sarif": sarif.render,
    "github": ci.github,
    "gitlab": ci.gitlab,
    "junit": ci.junit,
    "markdown": markdown.render,
}
