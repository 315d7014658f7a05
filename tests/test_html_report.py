"""The report as a page: what it shows of which finding, what it leaves out, and what may never be in it."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from findings import finding, on_manifest, report
from reports import MIXED, Outside, hostile, many

from groundlint import FACT
from groundlint.gallery import DrawnBox, Gallery, Illustration, Place, PlacedBox
from groundlint.images.thumbnails import Thumbnail
from groundlint.report import html
from groundlint.report.html import MAX_BYTES
from groundlint.report.html.choice import MAX_LISTED, choose
from groundlint.report.html.page import page
from groundlint.report.html.prose import blocks, first_sentence
from groundlint.report.report import Description, Report

NAUGHTY = json.loads((Path(__file__).parent / "data/naughty_strings/blns.json").read_text(encoding="utf-8"))
HOSTILE = [
    *NAUGHTY,
    "</script><script>alert(1)</script>",
    "\x00\x1b]8;;x\x07",
    "javascript:alert(1)",
    "\u202eabc",
]


class Tags(HTMLParser):
    """The tags of a page with their attributes, the text, and the content of scripts and styles."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.raw: list[tuple[str, str]] = []
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.raw.append((self.cdata_elem, data))
        else:
            self.text += data

    def data(self) -> dict[str, Any]:
        """What the script reads."""
        value: dict[str, Any] = json.loads(next(text for tag, text in self.raw if tag == "script"))
        return value


def described(of: Report, *wanted: Place | PlacedBox, images: int = 600) -> Report:
    """The report with a gallery that has these, each in an image of 100 x 80 px with the boxes 0 to 3."""
    boxes = tuple(DrawnBox("animals", n, "cat", (10.0 * n, 5.0, 20.0, 30.0)) for n in range(4))
    shown = {
        each: Illustration(Thumbnail(str(n).encode(), (100, 80), (0, 0, 100, 80), []), (("kind", "pet"),), boxes)
        for n, each in enumerate(wanted or html.wanted(replace(of, description=Description(images=images))))
    }
    gallery = Gallery(
        {each: value for each, value in shown.items() if isinstance(each, Place)},
        {
            each: value._replace(thumbnail=Thumbnail(value.thumbnail.webp, (20, 16), (5, 5, 20, 16), []))
            for each, value in shown.items()
            if isinstance(each, PlacedBox)
        },
    )
    return replace(of, description=Description(gallery=gallery, images=images))


def test_every_finding_is_in_the_page_with_severity_rule_and_image() -> None:
    tags = Tags(html.render(MIXED))
    words = " ".join(tags.text.split())
    for said in ("error", "box-outside-image", "a.manifest:3", "few", "[ERROR_X]"):
        assert said in words
    assert "ä:1.manifest few" in words or "few ä:1.manifest" in words
    assert {entry["code"] for entry in tags.data()["findings"]} == {"BOX101", "DUP101", "LBL201"}


def test_the_policy_allows_only_the_style_and_script_of_the_page() -> None:
    tags = Tags(html.render(MIXED))
    policy = next(str(values["content"]) for tag, values in tags.tags if values.get("http-equiv"))
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    for directive, text in (("style-src", dict(tags.raw)["style"]), ("script-src", tags.raw[-1][1])):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert parts[directive] == f"'sha256-{digest}'"
    assert {name: parts[name] for name in ("default-src", "img-src", "base-uri", "form-action")} == {
        "default-src": "'none'",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


@pytest.mark.parametrize("of", [hostile(HOSTILE), described(hostile(HOSTILE))], ids=["text", "images"])
def test_text_from_data_makes_no_markup(of: Report) -> None:
    tags = Tags(html.render(of))
    plain = Tags(html.render(described(report(finding()))))
    assert {tag for tag, _ in tags.tags} <= {tag for tag, _ in plain.tags} | {"details", "summary", "datalist"}
    assert [tag for tag, _ in tags.raw] == [tag for tag, _ in plain.raw]
    for tag, values in tags.tags:
        assert not [name for name in values if name.startswith("on") or name in ("style", "src", "action")]
        address = values.get("href") or ""
        allowed = ("#", "data:image/webp;base64,") if tag in ("use", "image") else ("#", "https://example.org/")
        assert not address or address.startswith(allowed)
    shown = tags.text + "".join(str(value) for _, values in tags.tags for value in values.values())
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\ud800-\udfff]", shown)


def test_the_data_of_the_script_is_what_the_manifest_says() -> None:
    of = report(finding(label="</script>&\u2028", source_ref="s3://b/\x00*[x].jpg", suggested_label=None))
    source = html.render(of)
    (entry,) = Tags(source).data()["findings"]
    assert (entry["label"], entry["source_ref"]) == ("</script>&\u2028", "s3://b/\x00*[x].jpg")
    assert entry["source"] == "s3://b/\x00\\*\\[x].jpg"
    assert "\u2028" not in source


def test_the_same_report_gives_the_same_bytes_and_another_one_another_digest() -> None:
    of = described(many())
    assert html.render(of) == html.render(of)
    one, other = (Tags(html.render(report(finding(message=text)))).data()["digest"] for text in ("a", "b"))
    assert one != other


def test_rules_are_in_order_of_severity_and_reliability_and_of_each_the_worst_findings_come_first() -> None:
    rows = [
        finding(code="AAA101", severity="warning", precision=0.7, score=score, line=n, message=f"score {score}")
        for n, score in enumerate((0.2, 0.9, 0.5), 1)
    ]
    rows += [finding(code="BBB101", severity="info", precision=FACT), finding(code="CCC101", precision=None)]
    content = page(report(*rows))
    assert [section.code for section in content.sections] == ["CCC101", "AAA101", "BBB101"]
    said = [entry.message[0].text for entry in content.sections[1].listed]
    assert said == ["score 0.9", "score 0.5", "score 0.2"]
    assert [step.section.code for step in content.first] == ["CCC101", "AAA101", "BBB101"]
    assert [section.figure for section in content.sections] == ["not measured", "0.70", "fact"]


def test_a_finding_on_a_box_shows_the_image_and_the_box_enlarged_with_what_is_related_marked() -> None:
    related = [
        {"manifest": "data/a.manifest", "line": 1, "attribute": "animals", "box": 2, "source_ref": "s3://b/1.jpg"}
    ]
    of = described(report(finding(source_ref="s3://b/1.jpg", related=related)))
    (section,) = page(of).sections
    whole, crop = section.illustrated[0].figures
    assert (whole.kind, crop.kind) == ("image", "box")
    assert {outline.title: outline.kind for outline in whole.shot.outlines} == {
        "box 1 ('cat')": "other",
        "box 3 ('cat')": "other",
        "box 2 ('cat')": "related",
        "box 0 ('cat')": "own",
    }
    assert whole.legend == [("own", "box 0 ('cat')"), ("related", "box 2 ('cat')")]
    assert crop.shot.region == "5 5 20 16"


def test_images_of_other_places_stand_beside_with_their_labels_and_split() -> None:
    place = {"manifest": "train.manifest", "line": 7, "attribute": None, "box": None, "source_ref": "s3://b/7.jpg"}
    row = finding(
        code="SPL204", name="leaked-image", manifest="test.manifest", box=None, attribute=None, related=[place]
    )
    of = described(report(row))
    splits = {(0, "train.manifest"): "train", (0, "test.manifest"): "test"}
    of = replace(of, description=replace(of.description, splits=splits))
    (section,) = page(of).sections
    assert [(figure.kind, figure.split) for figure in section.illustrated[0].figures] == [
        ("image", "test"),
        ("related", "train"),
    ]
    assert section.illustrated[0].figures[1].said == "labeled 'pet'"


def test_findings_typical_of_a_data_set_are_one_sentence() -> None:
    rows = [finding(line=n, typical=True, severity="info", typical_of="typical: 90% are dark") for n in range(1, 9)]
    (section,) = page(report(*rows)).sections
    assert section.typical == ["typical: 90% are dark (data/a.manifest, 8 findings)"]
    assert (section.illustrated, section.listed, section.count) == ([], [], 0)


def test_images_go_to_the_worst_findings_of_each_rule_evenly() -> None:
    rows = [
        finding(code=code, line=n, source_ref=f"s3://b/{n}.jpg") for code in ("AAA101", "BBB101") for n in range(1, 99)
    ]
    rows += [finding(code="CCC101", line=200, source_ref="s3://b/200.jpg")]
    chosen = choose(report(*rows).findings, images=120)
    assert [listed.illustrated for listed in chosen.rules.values()] == [10, 10, 1]
    assert len(chosen.wanted) == len(set(chosen.wanted)) <= 120
    assert choose(report(*rows).findings, images=0).wanted == []


def test_what_is_not_listed_is_counted() -> None:
    of = many()
    chosen = choose(of.findings, images=0)
    listed = sum(len(each.rows) for each in chosen.rules.values())
    assert MAX_LISTED - 2 <= listed <= MAX_LISTED
    assert listed + sum(each.left_out for each in chosen.rules.values()) == len(of.findings)
    # Rare rules lose nothing to frequent ones.
    assert [chosen.rules[code].left_out for code in ("BOX100", "BOX400", "BOX500", "MAN100")] == [0] * 4
    left_out = len(of.findings) - listed
    assert f"{left_out:,} findings not listed here" in " ".join(Tags(html.render(of)).text.split())


def test_a_page_of_long_texts_stays_below_its_limit() -> None:
    rows = [finding(line=n, message=f"{n} " + "&" * 480, source_ref="s3://b/" + "&" * 900) for n in range(3000)]
    assert len(html.render(report(*rows)).encode()) <= MAX_BYTES


@pytest.mark.parametrize(
    ("parts", "decision"),
    [
        ({"name": "mislabel-suspect", "suggested_label": "dog"}, "relabel"),
        ({"name": "near-duplicate"}, "remove"),
        ({"name": "near-duplicate", "message": "near-duplicate of x, but labeled differently"}, "keep"),
        ({"name": "image-truncated"}, "remove"),
        ({"name": "image-dark"}, "keep"),
    ],
)
def test_what_follows_if_a_finding_is_right(parts: dict[str, Any], decision: str) -> None:
    (entry,) = Tags(html.render(report(finding(**parts)))).data()["findings"]
    assert entry["decision"] == decision


def test_a_duplicate_that_somebody_must_look_at_is_not_removed() -> None:
    rows = [finding(name="exact-duplicate", code="DUP101"), finding(name="duplicate-conflicting-boxes", code="DUP105")]
    entries = Tags(html.render(report(*rows))).data()["findings"]
    assert [entry["decision"] for entry in entries] == ["keep", "keep"]


def test_the_explanation_of_a_rule_is_shown() -> None:
    of = report(finding(), rules={"BOX101": Outside})
    words = " ".join(Tags(html.render(of)).text.split())
    assert "A box leaves the frame of its image." in words
    assert "Why it matters The service drops it." in words


def test_prose_has_paragraphs_lists_and_code() -> None:
    paragraph, items, last = blocks("One `a < b`\nline.\n\n- first\n  goes on\n- `second`\n\nEnd: it goes on. More")
    assert [(span.text, span.is_code) for span in paragraph.items[0]] == [
        ("One ", False),
        ("a < b", True),
        (" line.", False),
    ]
    assert items.is_list
    assert ["".join(span.text for span in item) for item in items.items] == ["first goes on", "second"]
    assert first_sentence(last.items[0])[0].text == "End:"


@pytest.mark.parametrize("rule", [on_manifest(), finding(box=None, attribute=None, label=None)])
def test_findings_without_a_box_or_an_image_are_listed(rule: dict[str, Any]) -> None:
    (section,) = page(described(report(rule))).sections
    assert len(section.illustrated) + len(section.listed) == 1


def test_an_empty_report_says_that_nothing_was_found() -> None:
    words = " ".join(Tags(html.render(report())).text.split())
    assert "No findings to show." in words
    assert "script" not in [tag for tag, _ in Tags(html.render(report())).tags]


def test_a_box_without_area_is_seen() -> None:
    of = described(report(finding(source_ref="s3://b/1.jpg")))
    place, shown = next(iter(of.description.gallery.images.items()))
    flat = shown._replace(boxes=(DrawnBox("animals", 0, "cat", (50.0, 40.0, 0.0, 0.0)),))
    of = replace(of, description=replace(of.description, gallery=Gallery({place: flat})))
    (outline,) = page(of).sections[0].illustrated[0].figures[0].shot.outlines
    assert (outline.x, outline.y, outline.width, outline.height) == (49.5, 39.5, 1, 1)
