"""Which rules are installed and selected, and what a broken package does to a run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from groundlint.engine.registry import SelectionError, load

REGISTRY = load(isolated=True)
RULE = '''
from groundlint import Bad, Good, Rule, Severity, table
from polars import LazyFrame, col

class Odd(Rule):
    """A manifest has an odd number of lines."""
    code = "{code}"
    name = "{name}"
    severity = Severity.INFO
    message = "odd"
    examples = (Good(manifests=[{{"lines": 2}}]), Bad(manifests=[{{"lines": 1}}]))

    def check(self, {table}: LazyFrame) -> LazyFrame:
        return {table}.filter(col("lines") % 2 == 1)
'''


def selected(select: list[str], ignore: list[str] | None = None, target: str = "rekognition") -> list[str]:
    return REGISTRY.select(select, ignore or [], target=target)


def test_a_rule_is_selected_by_code_by_name_and_by_service_code() -> None:
    assert (
        selected(["BOX101"])
        == selected(["box-outside-image"])
        == selected(["ERROR_INVALID_BOUNDING_BOX"])
        == ["BOX101"]
    )


def test_a_prefix_selects_a_family() -> None:
    assert selected(["BOX1"]) == ["BOX101", "BOX102", "BOX103", "BOX104"]


def test_the_longest_selector_wins() -> None:
    assert selected(["BOX101"], ["BOX1"]) == ["BOX101"]
    assert selected(["BOX1"], ["BOX101"]) == ["BOX102", "BOX103", "BOX104"]
    assert "BOX104" not in selected(["ALL"], ["no-valid-boxes"])


def test_of_equally_long_selectors_ignore_wins() -> None:
    assert selected(["BOX101"], ["BOX101"]) == []


def test_a_target_has_its_own_rules() -> None:
    assert "MAN303" not in selected(["ALL"])
    assert "MAN303" in selected(["ALL"], target="ground-truth")
    service = {code for code in selected(["ALL"], target="ground-truth") if REGISTRY.rules[code].aws}
    assert service == {"MAN101", "MAN102", "MAN201"}


def test_an_unknown_selector_is_refused_with_a_suggestion() -> None:
    with pytest.raises(SelectionError, match="did you mean box-too-small"):
        selected(["box-to-small"])


def run_with_plugin(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    """The command, with a package installed beside it that has this source."""
    (folder / "acme_rules.py").write_text(source)
    info = folder / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[groundlint.rules]\nacme = acme_rules\n")
    (folder / "a.manifest").write_text('{"source-ref": "s3://bucket/1.jpg"}\n')
    return subprocess.run(
        [sys.executable, "-m", "groundlint", "check", "a.manifest", "--select", "MAN,ACM"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_plugins_rule_is_judged_like_ours(tmp_path: Path) -> None:
    done = run_with_plugin(tmp_path, RULE.format(code="ACM001", name="odd-lines", table="manifests"))
    assert "a.manifest: ACM001 odd" in done.stdout


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import not_there", "acme cannot be loaded: ModuleNotFoundError"),
        (RULE.format(code="MAN101", name="odd-lines", table="manifests"), "both have a rule MAN101"),
        (RULE.format(code="ACM001", name="invalid-json", table="manifests"), "both have a rule invalid-json"),
        (
            RULE.format(code="ACM001", name="odd-lines", table="manifest"),
            "wants the table manifest, which no package offers",
        ),
        (RULE.format(code="ACME1", name="odd-lines", table="manifests"), "three capital letters and three digits"),
        (
            RULE.replace("def check", "def chekc").format(code="ACM001", name="odd-lines", table="manifests"),
            "it has no `check`",
        ),
        (
            RULE.replace('code = "', 'code: str = "').format(code="ACM001", name="x", table="manifests"),
            "without annotation",
        ),
        (
            RULE.format(code="ACM001", name="odd-lines", table="manifests")
            + "\n@table()\ndef hen(egg): return egg\n@table()\ndef egg(hen): return hen\n",
            "need each other in a circle",
        ),
    ],
)
def test_a_broken_plugin_stops_the_run_and_is_named(tmp_path: Path, source: str, says: str) -> None:
    done = run_with_plugin(tmp_path, source)
    assert done.returncode == 2
    assert says in done.stderr
    assert "acme" in done.stderr
    assert "Traceback" not in done.stderr
