"""The reports that list findings: concise, csv and markdown."""

from __future__ import annotations

import csv
import io
import json
import re
from typing import Any

import pytest
from findings import URL, finding, on_manifest, report
from reports import MIXED, hostile, many, rendered
from test_attack import ATTACKS, naughty_strings

from groundlint.engine.findings import KEYS, worst_first
from groundlint.report import listing, markdown
from groundlint.report.report import Report
from groundlint.sanitize import visible


def test_markdown_counts_by_rule_and_lists_the_worst_first() -> None:
    text = rendered("markdown", many())
    rows = [re.split(r" *\| *", line)[1:-1] for line in text.splitlines() if line.startswith("| [")]
    assert [(re.findall(r"\w+", row[0])[0], row[2], row[3]) for row in rows] == [
        ("BOX100", "error", "20"),
        ("MAN100", "error", "1"),
        ("BOX200", "warning", "2,000"),
        ("BOX300", "info", "4,000"),
        ("BOX400", "info", "1"),
        ("BOX500", "info", "1"),
    ]
    items = [line for line in text.splitlines() if line.startswith("- ")]
    assert items[0].startswith(f"- error [MAN100]({URL}) box-outside-image data/a.manifest: box 0 leaves the image")
    assert len(items) == 6023
    assert "left out" not in text


def test_markdown_without_findings_says_so() -> None:
    assert "No findings to show." in rendered("markdown", report())


def test_markdown_stays_below_its_limit_in_bytes_and_counts_what_is_left_out() -> None:
    of = report(*(finding(line=n, message="ä" * 400) for n in range(1, 5001)))
    text = rendered("markdown", of)
    assert 899 * 1024 < len(text.encode()) <= 900 * 1024 == markdown.MAX_REPORT_BYTES
    *_, last = text.splitlines()
    assert last == f"{5000 - text.count('- error'):,} findings are left out."


def read_markdown(text: str) -> tuple[list[str], list[Any]]:
    """The text of each list item, and all tokens, as a reader of CommonMark with tables sees them."""
    reader = pytest.importorskip("markdown_it").MarkdownIt("commonmark").enable("table")
    tokens = reader.parse(text)
    lines = [token for token in tokens if token.type == "inline"]
    items = ["".join(child.content for child in line.children) for line in lines if line.level == 3]
    return items, [*tokens, *(child for line in lines for child in line.children)]


@pytest.mark.parametrize("texts", [ATTACKS, naughty_strings()])
def test_markdown_shows_data_literally(texts: list[str]) -> None:
    of = hostile(texts)
    items, tokens = read_markdown(rendered("markdown", of))
    allowed = {"text", "text_special", "link_open", "link_close", "inline", "heading_open", "heading_close"}
    allowed |= {f"{part}_{end}" for part in ("paragraph", "bullet_list", "list_item") for end in ("open", "close")}
    allowed |= {f"{part}_{end}" for part in ("table", "thead", "tbody", "tr", "th", "td") for end in ("open", "close")}
    assert {token.type for token in tokens} <= allowed
    assert {token.attrs["href"] for token in tokens if token.type == "link_open"} == {URL}
    assert len(items) == of.findings.height
    wanted = []
    for row in worst_first(listing.with_images(of.findings)).iter_rows(named=True):
        place = visible(row["manifest"], limit=None) + (f":{row['line']}" if row["line"] else "")
        said = listing.sentence(row["name"], row["aws"], row["message"], row["shown_image"])
        wanted.append(f"{row['severity']} {row['code']} {row['name']} {place}: {said}".rstrip())
    assert [item.replace("@\u200b", "@").rstrip() for item in items] == wanted


@pytest.mark.parametrize("text", ["https://evil.example", "HTTP://EVIL", "www.evil.example", "WWW.evil", "ftp://evil"])
def test_markdown_does_not_link_addresses(text: str) -> None:
    shown = markdown.escaped(f"see {text} now")
    assert not re.search(r"[a-z]://|www\.", shown, re.IGNORECASE)


def test_markdown_mentions_nobody() -> None:
    shown = markdown.escaped("@octocat and me@example.org")
    assert not re.search(r"@\w", shown)


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("a.manifest", "a.manifest"),
        ("é.manifest", "é.manifest"),
        ("/a.manifest", "/a.manifest"),
        ("../a.manifest", "../a.manifest"),
        ("_a.manifest", "_a.manifest"),
        ("1.manifest", "1.manifest"),
        ("-", "./-"),
        ("--flag.manifest", "./--flag.manifest"),
        ("::error::x", "./::error::x"),
        (" x", "./ x"),
        ("@x", "./@x"),
        ("##[error]x", "./\\x23#[error]x"),
        ("\x1b[2J.manifest", "./\\x1b[2J.manifest"),
    ],
)
def test_a_path_that_begins_a_line_begins_harmlessly(path: str, shown: str) -> None:
    of = report(finding(manifest=path, line=4), on_manifest(manifest=path))
    concise = rendered("concise", of).splitlines()
    assert concise[0].startswith(f"{shown}:4: error BOX101 ")
    assert concise[1].startswith(f"{shown}: error MAN102 ")
    assert rendered("text", of).splitlines()[0] == shown


def test_concise_is_one_line_for_each_finding() -> None:
    assert rendered("concise", MIXED).splitlines() == [
        "data/a.manifest:3: error BOX101 box-outside-image: 100% wrong: a, b (images/1.jpg)",
        "data/a.manifest: warning DUP101 exact-duplicate: [ERROR_X] box 0 leaves the image (s3://bucket/1.jpg)",
        "b c/ä:1.manifest: info LBL201 label-few-images: few",
    ]
    assert rendered("concise", many()).count("\n") == 6023
    assert rendered("concise", report()) == ""


def table(of: Report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(rendered("csv", of))))


def test_csv_has_a_row_for_each_finding_and_the_keys_of_json_as_columns() -> None:
    place = {"manifest": "b.manifest", "line": 2, "attribute": None, "box": None, "source_ref": "s3://bucket/é.jpg"}
    of = report(finding(related=[place], score=0.5, message='a "b", c'), on_manifest())
    first, second = table(of)
    assert tuple(first) == KEYS
    assert (first["message"], first["line"], first["score"], first["typical"]) == ('a "b", c', "1", "0.5", "false")
    assert json.loads(first["related"]) == [place]
    assert (second["line"], second["source_ref"], second["related"]) == ("", "", "[]")
    assert table(report()) == []
    assert rendered("csv", report()).count("\n") == 1


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_cell_of_csv_is_taken_for_a_formula(text: str) -> None:
    (row,) = table(report(finding(message=text, label=text, manifest=text)))
    for name in ("message", "label", "manifest"):
        assert row[name][0] not in "=+-@\t\r"
        assert row[name].endswith(text[-1])
