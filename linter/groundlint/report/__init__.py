"""Reports: the findings of a run as text for people and programs. Each format is a module and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from groundlint.report import concise, csv, github, gitlab, html, json, jsonl, junit, markdown, sarif, text
from groundlint.report.report import Report

FORMATS: Mapping[str, Callable[[Report], str]] = {
    "text": text.render,
    "concise": concise.render,
    "json": json.render,
    "jsonl": jsonl.render,
    "csv": csv.render,
    "sarif": sarif.render,
    "github": github.render,
    "gitlab": gitlab.render,
    "junit": junit.render,
    "markdown": markdown.render,
    "html": html.render,
}
