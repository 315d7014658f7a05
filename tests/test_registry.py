"""The registry: which rules are installed, how selectors match them, and how broken packages are reported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundlint.engine.registry import PluginError, SelectionError, load
from groundlint.testing import example_faults

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


def selected(
    select: list[str], ignore: list[str] | None = None, *, target: str = "rekognition", preview: bool = True
) -> list[str]:
    return REGISTRY.select(select, ignore or [], target=target, preview=preview)


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


def test_ignore_wins_against_an_equally_long_selector() -> None:
    assert selected(["BOX101"], ["BOX101"]) == []


def test_a_target_has_its_own_rules() -> None:
    assert "MAN303" not in selected(["ALL"])
    assert "MAN303" in selected(["ALL"], target="ground-truth")
    service = {code for code in selected(["ALL"], target="ground-truth") if REGISTRY.rules[code].aws}
    assert service == {"MAN101", "MAN102", "MAN201"}


def test_preview_rules_are_selected_by_flag_or_by_code() -> None:
    preview = [code for code in selected(["ALL"]) if REGISTRY.rules[code].status == "preview"]
    assert set(selected(["ALL"], preview=False)).isdisjoint(preview)
    assert all(selected([code], preview=False) == [code] for code in preview)


def test_an_unknown_selector_is_refused_with_a_suggestion() -> None:
    with pytest.raises(SelectionError, match="did you mean `box-too-small`"):
        selected(["box-to-small"])


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The module of a package acme that is installed beside groundlint."""
    info = tmp_path / "acme-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[groundlint.rules]\nacme = acme_rules\n")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "acme_rules.py"
    sys.modules.pop("acme_rules", None)


def test_the_rule_of_a_plugin_is_loaded_unless_the_run_is_isolated(installed: Path) -> None:
    installed.write_text(RULE.format(code="ACM001", name="odd-lines", table="manifests"))
    registry = load()
    assert registry.packages["ACM001"] == "acme"
    assert [rule.name for rule in registry.of_package("acme")] == ["odd-lines"]
    assert example_faults(registry, registry.rules["ACM001"]) == []
    assert "ACM001" not in load(isolated=True).rules


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import not_there", "acme cannot be loaded: ModuleNotFoundError"),
        (RULE.format(code="MAN101", name="odd-lines", table="manifests"), "both have a rule MAN101"),
        (RULE.format(code="ACM001", name="invalid-json", table="manifests"), "both have a rule invalid-json"),
        (
            RULE.format(code="ACM001", name="odd-lines", table="manifest"),
            "needs the table manifest, which no package offers",
        ),
        (RULE.format(code="ACME1", name="odd-lines", table="manifests"), "three capital letters and three digits"),
        (
            RULE.replace("def check", "def chekc").format(code="ACM001", name="odd-lines", table="manifests"),
            "it has no `check`",
        ),
        (
            RULE.replace('code = "', 'code: str = "').format(code="ACM001", name="x", table="manifests"),
            "`code` must have no annotation",
        ),
        (
            RULE.format(code="ACM001", name="odd-lines", table="manifests")
            + "\n@table()\ndef hen(egg): return egg\n@table()\ndef egg(hen): return hen\n",
            "need each other in a cycle",
        ),
    ],
)
def test_a_broken_plugin_is_named(installed: Path, source: str, says: str) -> None:
    installed.write_text(source)
    with pytest.raises(PluginError) as raised:
        load()
    assert says in str(raised.value)
    assert "acme" in str(raised.value)
