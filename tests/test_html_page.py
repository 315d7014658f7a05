"""The page in a browser: what a person does with it, what it may not do, and whether everybody can read it."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import Visit, needs_chromium, visit
from command import BAD, groundlint, report_of
from findings import finding, report
from playwright.sync_api import expect
from reports import hostile
from test_html_report import HOSTILE, described

from groundlint.report import html
from groundlint.report.report import Report

pytestmark = needs_chromium

ROOT = Path(__file__).parents[1]
AXE = (Path(__file__).parent / "data/axe/axe.min.js").read_text(encoding="utf-8")
PHOTOGRAPHS = ROOT / "fixtures/photographs"
COLUMNS = ["source_ref", "attribute", "box", "label", "decision", "new_label", "rule", "note"]


def rows() -> list[dict[str, Any]]:
    """Findings of two rules, on two labels."""
    suspect = {"code": "SUS102", "name": "mislabel-suspect", "severity": "warning", "box": None, "precision": 0.9}
    found = [
        finding(line=n, source_ref=f"s3://b/{n}.jpg", label="cat" if n % 2 else "dog", message=f"box {n} leaves")
        for n in range(1, 21)
    ]
    found += [
        finding(**suspect, line=n, source_ref=f"s3://b/{n}.jpg", message=f"looks like 'cow' {n}", suggested_label="cow")
        for n in range(1, 4)
    ]
    return [*found, finding(code="DUP101", name="exact-duplicate", source_ref="=1+1.jpg", box=None, label='a "b", c')]


def written(folder: Path, of: Report) -> Path:
    file = folder / "report.html"
    file.write_text(html.render(of), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("sample"), described(report(*rows())))


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the photographs, as the command writes it."""
    file = tmp_path_factory.mktemp("real") / "report.html"
    arguments = ("check", "--exit-zero", "-q", "--no-cache", "--output", f"html:{file}")
    done = groundlint(*arguments, cwd=PHOTOGRAPHS, HOME=str(file.parent))
    assert (done.returncode, done.stderr) == (0, "")
    return file


@pytest.fixture
def browser() -> Iterator[Visit]:
    with visit() as opened:
        yield opened
        assert opened.faults == []
        assert opened.requests == []


def shown(browser: Visit) -> list[int]:
    """Numbers of the findings that a person can see after opening everything that is closed."""
    numbers = browser.page.evaluate(
        "[...document.querySelectorAll('.finding')].filter(e => !e.closest('[hidden]')).map(e => Number(e.id.slice(1)))"
    )
    return sorted(numbers)


def entries(browser: Visit) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(browser.page.text_content("#data") or "")["findings"]
    return found


def downloaded(browser: Visit, button: str, folder: Path) -> str:
    with browser.page.expect_download() as waiting:
        browser.page.click(button)
    file = folder / waiting.value.suggested_filename
    waiting.value.save_as(file)
    return file.read_bytes().decode()


def test_filters_leave_what_they_name_and_count_it(browser: Visit, sample: Path) -> None:
    browser.open(sample)
    every = entries(browser)
    assert shown(browser) == list(range(24))

    def chosen(**wanted: str) -> list[int]:
        return [n for n, entry in enumerate(every) if all(entry[key] == value for key, value in wanted.items())]

    browser.page.select_option("#by-rule", "SUS102")
    expect(browser.page.locator("#shown")).to_have_text("3 of 24 listed findings")
    assert shown(browser) == chosen(code="SUS102")
    browser.page.click("#reset")
    browser.page.select_option("#by-label", "dog")
    expect(browser.page.locator("#shown")).to_have_text("10 of 24 listed findings")
    assert shown(browser) == chosen(label="dog")
    browser.page.select_option("#by-severity", "warning")
    expect(browser.page.locator("#shown")).to_have_text("0 of 24 listed findings")
    browser.page.click("#reset")
    browser.page.fill("#by-text", "LOOKS like 'cow' 2")
    expect(browser.page.locator("#shown")).to_have_text("1 of 24 listed findings")
    assert [every[n]["source_ref"] for n in shown(browser)] == ["s3://b/2.jpg"]
    # The view by image shows the same findings.
    texts = browser.page.locator("#images .group:not([hidden]) li:not([hidden])").all_text_contents()
    assert ["looks like 'cow' 2" in text for text in texts] == [True]


def test_keys_move_and_mark_and_marks_survive_a_reload(browser: Visit, sample: Path) -> None:
    browser.open(sample)
    for key in "jjr":
        browser.page.keyboard.press(key)
    browser.page.keyboard.press("j")
    browser.page.keyboard.press("w")
    browser.page.keyboard.press("k")
    assert browser.page.evaluate("document.activeElement.id") == "f1"
    browser.page.reload()
    marked = browser.page.evaluate("[...document.querySelectorAll('[data-marked]')].map(e => [e.id, e.dataset.marked])")
    assert sorted(marked) == [["f1", "right"], ["f2", "wrong"]]
    assert browser.page.text_content("#marked") == "Marked: 1 right, 1 wrong, 0 accepted"
    browser.page.select_option("#by-mark", "none")
    expect(browser.page.locator("#shown")).to_have_text("22 of 24 listed findings")
    # Letters that are typed into a field are text.
    browser.page.fill("#reason", "")
    browser.page.type("#reason", "raw jaw")
    assert browser.page.text_content("#marked") == "Marked: 1 right, 1 wrong, 0 accepted"
    browser.answers_yes = True
    browser.page.click("#clear")
    assert browser.page.text_content("#marked") == "Marked: 0 right, 0 wrong, 0 accepted"


def test_a_review_is_downloaded_as_csv_that_no_spreadsheet_takes_for_formulas(
    browser: Visit, sample: Path, tmp_path: Path
) -> None:
    browser.open(sample)
    every = entries(browser)
    suspects = [n for n, entry in enumerate(every) if entry["code"] == "SUS102"]
    (duplicate,) = (n for n, entry in enumerate(every) if entry["code"] == "DUP101")
    boxes = [n for n, entry in enumerate(every) if entry["code"] == "BOX101"]
    for n, mark in ((suspects[0], "right"), (suspects[1], "wrong"), (duplicate, "right"), (boxes[0], "accept")):
        browser.page.click(f"#f{n} [data-mark={mark}]")
    browser.page.click(f"#f{suspects[2]} [data-mark=right]")
    browser.page.fill(f"#f{suspects[2]} [data-field=label]", "=horse")
    browser.page.fill(f"#f{suspects[2]} [data-field=note]", 'seen, with "quotes"')
    header, *found = csv.reader(downloaded(browser, "#review", tmp_path).splitlines())
    assert header == COLUMNS
    by_place = {(row[0], row[6]): row for row in found}
    assert len(found) == 5
    assert by_place["'=1+1.jpg", "exact-duplicate"] == [
        *("'=1+1.jpg", "animals", "", 'a "b", c', "remove", "", "exact-duplicate", "finding is right"),
    ]
    refs = [every[n]["source_ref"] for n in suspects]
    cells = [by_place[ref, "mislabel-suspect"][3:] for ref in refs]
    assert cells == [
        ["cat", "relabel", "cow", "mislabel-suspect", "finding is right"],
        ["cat", "keep", "", "mislabel-suspect", "finding is wrong"],
        ["cat", "relabel", "'=horse", "mislabel-suspect", 'finding is right: seen, with "quotes"'],
    ]
    accepted = by_place[every[boxes[0]]["source_ref"], "box-outside-image"]
    assert (accepted[2], accepted[4], accepted[7]) == ("0", "keep", "accepted")


def test_the_command_applies_a_downloaded_review(browser: Visit, real: Path, tmp_path: Path) -> None:
    browser.open(real)
    wanted = {
        n: entry
        for n, entry in enumerate(entries(browser))
        if entry["code"] in ("SUS102", "DUP101") and "/clothes/train" in entry["source_ref"]
    }
    for n in wanted:
        browser.page.evaluate(f"document.getElementById('f{n}').scrollIntoView()")
        browser.page.click(f"#f{n} [data-mark=right]")
    downloaded(browser, "#review", tmp_path)
    to = tmp_path / "reviewed.manifest"
    done = groundlint("apply", f"{tmp_path}/review.csv", "clothes-train.manifest", "--to", str(to), cwd=PHOTOGRAPHS)
    assert done.returncode == 0, done.stderr
    before = (PHOTOGRAPHS / "clothes-train.manifest").read_text().splitlines()
    after = to.read_text().splitlines()
    suspects = [entry["source_ref"] for entry in wanted.values() if entry["code"] == "SUS102"]
    (duplicate,) = (entry["source_ref"] for entry in wanted.values() if entry["code"] == "DUP101")
    assert len(after) == len(before) - 1
    assert not any(f'"{duplicate}"' in line for line in after)
    changed = {json.loads(line)["source-ref"] for line in set(after) - set(before)}
    assert changed == set(suspects)


def test_the_decision_can_be_changed(browser: Visit, sample: Path, tmp_path: Path) -> None:
    browser.open(sample)
    browser.page.click("#f0 [data-mark=right]")
    browser.page.select_option("#f0 [data-field=decision]", "relabel")
    browser.page.fill("#f0 [data-field=label]", "fox")
    _, row = csv.reader(downloaded(browser, "#review", tmp_path).splitlines())
    assert row[4:6] == ["relabel", "fox"]


def test_accepted_findings_are_suppressions_that_the_command_takes(browser: Visit, tmp_path: Path) -> None:
    name = 'odd [1] "é".manifest'
    (tmp_path / name).write_text(BAD.replace("s3://bucket/1.jpg", "s3://bucket/a*[1]/1 \\\\x.jpg"), encoding="utf-8")
    arguments = ("check", name, "--select", "BOX101,LBL112", "--no-cache", "--output")
    groundlint(*arguments, "html:report.html", cwd=tmp_path)
    browser.open(tmp_path / "report.html")
    (n,) = (n for n, entry in enumerate(entries(browser)) if entry["code"] == "BOX101")
    browser.page.click(f"#f{n}")
    browser.page.click(f"#f{n} [data-mark=accept]")
    browser.page.fill("#reason", 'seen "here"\\')
    text = downloaded(browser, "#suppress", tmp_path)
    (entry,) = tomllib.loads(text)["suppress"]
    assert (entry["rule"], entry["reason"]) == ("box-outside-image", 'seen "here"\\')
    (tmp_path / "groundlint.toml").write_text(text, encoding="utf-8")
    groundlint(*arguments, "json:report.json", cwd=tmp_path)
    after = report_of(tmp_path / "report.json")
    assert [each["code"] for each in after["findings"]] == []
    assert after["summary"]["suppressed"] == 1


@pytest.mark.parametrize("images", [False, True])
def test_naughty_text_executes_nothing_and_requests_nothing(browser: Visit, tmp_path: Path, images: bool) -> None:
    of = hostile(HOSTILE)
    browser.page.add_init_script("window.alert = window.prompt = () => { throw new Error('executed'); };")
    browser.open(written(tmp_path, described(of) if images else of))
    browser.page.fill("#by-text", "script")
    browser.page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
    for key in "jrjwja":
        browser.page.keyboard.press("Escape")
        browser.page.evaluate("document.activeElement.blur()")
        browser.page.keyboard.press(key)
    assert csv.reader(downloaded(browser, "#review", tmp_path).splitlines())
    tomllib.loads(downloaded(browser, "#suppress", tmp_path))
    assert browser.page.locator("a[href^='javascript' i]").count() == 0
    assert len(entries(browser)) == len(of.findings)


def test_the_policy_stops_what_escaping_would_have_missed(tmp_path: Path) -> None:
    text = html.render(report(finding()))
    injected = '<script>window.owned = 1</script><img src="https://example.org/x.png" onerror="window.owned = 2">'
    file = tmp_path / "report.html"
    file.write_text(text.replace("<main>", f"<main>{injected}<p style='color:red'>"), encoding="utf-8")
    with visit() as opened:
        opened.open(file)
        opened.page.wait_for_timeout(200)
        assert opened.page.evaluate("window.owned") is None
        assert opened.sent == []
        assert len(opened.faults) >= 3


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1400, 400])
def test_everybody_can_read_it_and_nothing_overflows(real: Path, width: int, dark: bool) -> None:
    with visit(width=width, dark=dark) as opened:
        opened.open(real)
        opened.page.evaluate("document.querySelectorAll('details').forEach(e => { e.open = true; })")
        opened.page.keyboard.press("j")
        opened.page.keyboard.press("r")
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
        opened.page.evaluate(AXE)
        found = opened.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        serious = [
            (each["id"], [node["html"][:200] for node in each["nodes"][:3]])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert serious == []
        assert opened.faults == []
        assert opened.requests == []


def test_images_are_shown_with_boxes_over_them(browser: Visit, real: Path) -> None:
    browser.open(real)
    sizes = browser.page.evaluate(
        "[...document.querySelectorAll('.finding .shot')].slice(0, 20)"
        ".map(e => [e.getBoundingClientRect().width, e.querySelector('use').getBoundingClientRect().width])"
    )
    assert len(sizes) == 20
    assert all(width > 30 and abs(width - image) < 2 for width, image in sizes)
    assert browser.page.locator(".box.own").count() > 10
    assert real.stat().st_size < 10_000_000


def test_it_is_readable_without_script(real: Path) -> None:
    with visit(scripts=False) as opened:
        opened.open(real)
        assert opened.page.is_visible("#first .shot >> nth=0")
        assert opened.page.is_visible(".finding >> nth=0")
        assert not opened.page.is_visible("#tools")
        opened.page.click(".why summary >> nth=0")
        assert opened.page.is_visible(".why p >> nth=0")


def test_a_link_to_a_finding_opens_what_hides_it(browser: Visit, tmp_path: Path) -> None:
    found = [finding(line=n, source_ref=f"s3://b/{n}.jpg") for n in range(1, 60)]
    browser.open(written(tmp_path, report(*found)), "#f50")
    assert browser.page.is_visible("#f50")
    assert browser.page.evaluate("document.activeElement.id") == "f50"


def test_five_thousand_findings_are_filtered_and_counted_right(browser: Visit, tmp_path: Path) -> None:
    found = [
        finding(code=f"BOX{n % 10}00", line=n, source_ref=f"s3://b/{n}.jpg", label="cat" if n % 3 else "dog")
        for n in range(5000)
    ]
    browser.open(written(tmp_path, report(*found)))
    browser.page.select_option("#by-label", "dog")
    browser.page.select_option("#by-rule", "BOX300")
    wanted = len([n for n in range(5000) if n % 3 == 0 and n % 10 == 3])
    expect(browser.page.locator("#shown")).to_have_text(f"{wanted} of 5000 listed findings")
    assert len(shown(browser)) == wanted
