"""Selection: rules with their options and severities, and other options for some images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lines import detection, manifest
from runs import REGISTRY, SMALL, checked

from groundlint.config.settings import Config, ConfigError, Settings
from groundlint.policy.selection import build_rules, nothing_selected, of_config, schema

PUBLISHED = Path(__file__).parents[1] / "docs/groundlint.schema.json"
TWICE = ({}, {})
LINES = [detection(f"s3://bucket/{folder}/{n}.jpg", TWICE) for folder in ("a", "b") for n in range(6)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a manifest that has every box twice."""
    monkeypatch.chdir(tmp_path)
    Path("train.manifest").write_text(manifest(*LINES))
    return tmp_path


def configure(text: str) -> None:
    Path("groundlint.toml").write_text(f'select = ["BOX301"]\n{text}')


def found() -> list[Any]:
    return checked().findings.filter(code="BOX301")["source_ref"].to_list()


def selected(*, fast: bool = False, **settings: Any) -> list[str]:
    return of_config(REGISTRY, Config(Settings(**settings)), fast=fast).codes


@pytest.mark.parametrize("key", ["BOX301", "duplicated-box"])
def test_a_severity_is_set_by_code_or_name(key: str) -> None:
    configure(f'[severity]\n{key} = "error"\n')
    outcome = checked()
    assert set(outcome.findings["severity"]) == {"error"}
    assert outcome.summary.counts.error == 12


def test_the_longest_selector_decides_the_severity_in_any_order() -> None:
    lines = ('duplicated-box = "error"', 'BOX = "info"', 'BOX3 = "warning"')
    for order in (lines, lines[::-1], lines[1:] + lines[:1]):
        configure("[severity]\n" + "\n".join(order))
        assert set(checked().findings["severity"]) == {"error"}


def test_an_override_turns_a_rule_off_for_some_images() -> None:
    configure('[[overrides]]\nsources = "s3://bucket/a/*"\nrules = { BOX3 = false }\n')
    assert found() == [line["source-ref"] for line in LINES[6:]]


def test_an_override_changes_options_for_some_images_and_the_last_wins() -> None:
    Path("train.manifest").write_text(
        manifest(*(detection(f"s3://bucket/{n}.jpg", ({"width": 40}, {"width": 30})) for n in range(4)))
    )
    configure(
        '[[overrides]]\nsources = ["1.jpg", "2.jpg", "3.jpg"]\nrules = { duplicated-box = { iou = 0.7 } }\n'
        '[[overrides]]\nsources = "2.jpg"\nrules = { BOX301 = false }\n'
        '[[overrides]]\nsources = "3.jpg"\nrules = { BOX301 = { iou = 0.8 } }\n'
    )
    assert found() == ["s3://bucket/1.jpg"]


def test_a_finding_on_a_data_set_keeps_the_base_options() -> None:
    Path("test.manifest").write_text(manifest(detection("s3://bucket/x.jpg", ({"class_id": 1, "width": 1},))))
    Path("groundlint.toml").write_text(
        '[datasets.a]\ntrain = "train.manifest"\ntest = "test.manifest"\n'
        '[[overrides]]\nsources = "*"\nrules = { TST101 = { least = 0.5 }, TST103 = { most = 9 } }\n'
    )
    assert checked(rules=SMALL).findings.select("code", "line").rows() == [("TST103", None)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            '[[suppress]]\nrule = "BOX9"\nreason = "x"\n',
            r"groundlint.toml: \[\[suppress\]\] 1: no rule has the code or name 'BOX9'",
        ),
        ('[severity]\nBOX999 = "error"\n', r"groundlint.toml: \[severity\] BOX999: no rule"),
        ('[severity]\nBOX301 = "error"\nduplicated-box = "info"\n', "the severity of BOX301 is set twice"),
        (
            '[[overrides]]\nsources = "*"\nrules = { duplicated-box = { io = 1 } }\n',
            r"groundlint.toml: \[\[overrides\]\] 1: rules.duplicated-box: unknown key `io`; did you mean `iou`",
        ),
        ('[[overrides]]\nsources = "*"\nrules = { BOX302 = { io = 1 } }\n', "rules.BOX302: unknown key `io`"),
        ("[rules.BOX301]\nio = 1\n", r"groundlint.toml: \[rules.BOX301\]: unknown key `io`"),
        ('[[overrides]]\nsources = "*"\nrules = { BOX3 = { iou = 1.0 } }\n', "BOX3 matches several rules"),
    ],
)
def test_a_mistake_about_rules_is_named_with_its_place(text: str, says: str) -> None:
    configure(text)
    with pytest.raises(ConfigError, match=says):
        checked()


def test_fast_leaves_out_slow_rules() -> None:
    slow = {code for code in selected(preview=True) if REGISTRY.rules[code].cost == "slow"}
    assert slow
    assert set(selected(preview=True, fast=True)) == set(selected(preview=True)) - slow


def test_preview_rules_are_selected_by_the_setting_or_by_code() -> None:
    preview = [code for code in selected(preview=True) if REGISTRY.rules[code].status == "preview"]
    assert set(preview).isdisjoint(selected())
    assert all(selected(select=[code]) == [code] for code in preview)


def test_a_selection_of_another_target_is_explained() -> None:
    assert nothing_selected(REGISTRY, Settings(select=["MAN303"])) == (
        "no rule is selected for target rekognition; MAN303 is for target ground-truth"
    )
    assert nothing_selected(REGISTRY, Settings(select=["BOX"], ignore=["BOX"])).startswith("no rule is selected, so ")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"BOX301": {"iuo": 0.9}}, "[rules.BOX301]: unknown key `iuo`; did you mean `iou`?"),
        (
            {"duplicated-box": {"iou": 2.0}},
            "[rules.duplicated-box]: `iou`: Input should be less than or equal to 1",
        ),
        ({"BOX301": {"iou": "0.9"}}, "[rules.BOX301]: `iou`: Input should be a valid number"),
        ({"ERROR_INVALID_BOUNDING_BOX": {"a": 1}}, "[rules.ERROR_INVALID_BOUNDING_BOX]: unknown key `a`"),
    ],
)
def test_options_are_checked_whether_the_rule_is_selected_or_not(options: Any, says: str) -> None:
    for codes in ([], ["BOX301"]):
        with pytest.raises(ConfigError) as raised:
            build_rules(REGISTRY, codes, options)
        assert says in str(raised.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"duplicate-box": {}}, r"\[rules.duplicate-box\]: .*; did you mean `duplicated-box`\?"),
        (
            {"BOX301": {"iou": 0.9}, "duplicated-box": {}},
            r"\[rules.duplicated-box\]: BOX301 has two tables of options",
        ),
        (
            {"ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT": {}},
            r"\[rules.ERROR_MANIFEST_\w+\]: several rules have \w+: MAN101, MAN105; name one",
        ),
    ],
)
def test_options_of_a_rule_have_one_table(options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_rules(REGISTRY, [], options)


def test_the_published_schema_accepts_what_the_command_accepts() -> None:
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert published == schema(REGISTRY)
    validator = jsonschema.Draft202012Validator(published)
    validator.check_schema(published)
    good = {"target": "ground-truth", "max-images": 3, "datasets": {"a": {"train": "x"}}}
    good |= {"rules": {"BOX301": {}, "ERROR_INVALID_BOUNDING_BOX": {}}, "region": "us-gov-west-1"}
    assert validator.is_valid(good)
    for bad in (
        {"targt": "x"},
        {"target": "mars"},
        {"max-images": 0},
        {"region": "x"},
        {"rules": {"BOX301": {"iou": 2}}},
    ):
        assert not validator.is_valid(bad)
