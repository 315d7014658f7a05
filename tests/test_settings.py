"""The configuration: where it is found, what it may say, and how a slip is explained."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlint.config.settings import MAX_BYTES, Config, ConfigError, build_rules, find, load, override, schema
from groundlint.engine import registry

REGISTRY = registry.load(isolated=True)
PUBLISHED = Path(__file__).parents[1] / "docs/groundlint.schema.json"


def written(folder: Path, text: str, name: str = "groundlint.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_nearest_file_upwards_counts(tmp_path: Path) -> None:
    outer = written(tmp_path, "")
    inner = written(tmp_path, "", "a/b/groundlint.toml")
    (tmp_path / "a/b/c").mkdir()
    assert find(tmp_path / "a/b/c") == inner
    assert find(tmp_path / "a") == outer


def test_the_readme_shows_configurations_that_load(tmp_path: Path) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert len(shown) == 2
    for text in shown:
        assert load(written(tmp_path, text)).settings != Config().settings


def test_a_file_of_its_own_goes_before_a_project_of_the_same_folder(tmp_path: Path) -> None:
    project = written(tmp_path, "[tool.groundlint]\n", "pyproject.toml")
    assert find(tmp_path) == project
    assert find(tmp_path) != written(tmp_path, "") == find(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "[tool.groundlint]\nregion = 'eu-west-2'",
        "[tool]\ngroundlint = {region = 'eu-west-2'}",
        "[ tool . 'groundlint' ]\nregion = 'eu-west-2'",
        "tool.groundlint.region = 'eu-west-2'",
    ],
)
def test_a_project_may_write_its_table_in_any_way(tmp_path: Path, text: str) -> None:
    project = written(tmp_path, text, "pyproject.toml")
    assert find(tmp_path) == project
    assert load(project).settings.region == "eu-west-2"


@pytest.mark.parametrize(
    "text", ["", "broken [", "tool = 1", "[project]\ndependencies = ['groundlint']", "# " + "x" * MAX_BYTES]
)
def test_a_project_that_does_not_configure_us_is_passed_over(tmp_path: Path, text: str) -> None:
    outer = written(tmp_path, "")
    written(tmp_path, text, "a/pyproject.toml")
    assert find(tmp_path / "a") == outer


@pytest.mark.parametrize("text", ["[tool.groundlint\n", "[tool.groundlint]\n#" + "x" * MAX_BYTES])
def test_a_project_that_names_us_and_cannot_be_used_is_an_error(tmp_path: Path, text: str) -> None:
    written(tmp_path, text, "pyproject.toml")
    with pytest.raises(ConfigError, match=r"pyproject\.toml"):
        find(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('selct = ["BOX"]', "unknown key `selct`; did you mean `select`?"),
        ("max_image = 3", "unknown key `max_image`; did you mean `max-images`?"),
        ("max_images = 3", "unknown key `max_images`; did you mean `max-images`?"),
        ("[datasets.a]\ntrian = 'x'", "unknown key `datasets.a.trian`; did you mean `train`?"),
        ('extend = "/etc/passwd"', "unknown key `extend`"),
        ('plugins = ["os:system"]', "unknown key `plugins`"),
        ('target = "mars"', "`target`: Input should be 'rekognition' or 'ground-truth'"),
        ('fail-on = "never"', "`fail-on`"),
        ("max-images = 0", "`max-images`: Input should be greater than 0"),
        ("max-images = true", "`max-images`: Input should be a valid integer"),
        ('max-images = "5"', "`max-images`: Input should be a valid integer"),
        ('region = "eu-west2"', "`region`: String should match"),
        ('region = "London"', "`region`: String should match"),
        ("select = 3", "`select`: Input should be a valid list"),
        ("datasets = 3", "`datasets`"),
        ("[rules]\nBOX101 = 3", "`rules.BOX101`"),
    ],
)
def test_a_slip_is_named_with_its_key_and_a_suggestion(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path / 'groundlint.toml'}: ")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = [", "no valid TOML"),
        ("a = 1\na = 2", "no valid TOML"),
        ("a = " + "[" * 100_000, "no valid TOML"),
        ("a = " + "{a=" * 100_000, "no valid TOML"),
        ("max-images = " + "1" * 5_000, "no valid TOML"),
        (".".join("a" * 100_000) + " = 1", "more than a hundred parts"),
        ("[" + " . ".join(["'a'"] * 100_000) + "]", "more than a hundred parts"),
        ("a = {" + '"".' * 100_000 + "a = 1}", "more than a hundred parts"),
        ("#" * MAX_BYTES + "\n", "more than 1,000,000 bytes"),
    ],
    ids=lambda text: text[:20],
)
def test_what_would_harm_the_parser_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(written(tmp_path, text))


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"region = '\xff'")
    with pytest.raises(ConfigError, match="no valid TOML"):
        load(tmp_path / "a.toml")


def test_a_device_is_not_read_for_ever() -> None:
    with pytest.raises(ConfigError, match="more than 1,000,000 bytes"):
        load(Path("/dev/zero"))


def test_a_project_without_our_table_is_no_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no table \[tool.groundlint\]"):
        load(written(tmp_path, "tool = 1", "pyproject.toml"))
    with pytest.raises(ConfigError, match="valid dictionary"):
        load(written(tmp_path, "tool.groundlint = 1", "pyproject.toml"))


def test_large_but_plain_settings_are_taken(tmp_path: Path) -> None:
    ignored = [f"s3.bucket.{n}" for n in range(20_000)]
    assert load(written(tmp_path, f"ignore = {json.dumps(ignored)}")).settings.ignore == ignored


def test_a_flag_goes_before_the_file_and_leaves_the_rest(tmp_path: Path) -> None:
    config = override(load(written(tmp_path, "region = 'eu-west-2'\nfail-on = 'info'")), {"fail_on": "none"})
    assert (config.settings.fail_on, config.settings.region, config.root) == ("none", "eu-west-2", tmp_path)


def test_one_flag_takes_the_place_of_what_is_ignored_and_another_adds_to_it(tmp_path: Path) -> None:
    config = load(written(tmp_path, 'ignore = ["BOX", { rule = "REF101", reason = "checked" }]'))

    def ignored(**flags: list[str]) -> list[str]:
        settings = override(config, flags).settings
        assert [entry.rule for entry in settings.suppressions] == ["REF101"]
        return settings.ignored_rules

    assert ignored(ignore=["MAN"]) == ["MAN"]
    assert ignored(extend_ignore=["MAN"]) == ["BOX", "MAN"]
    assert ignored(ignore=["LBL"], extend_ignore=["MAN"]) == ["LBL", "MAN"]


def test_a_flag_that_is_not_allowed_is_named_as_a_flag() -> None:
    with pytest.raises(ConfigError, match=r"^--fail-on: Input should be"):
        override(Config(), {"fail_on": "never"})


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"SPL104": {"min_image": 3}}, "[rules.SPL104]: unknown key `min_image`; did you mean `min_images`?"),
        (
            {"few-images-to-split": {"min_images": 1}},
            "[rules.few-images-to-split]: `min_images`: Input should be greater than or equal to 2",
        ),
        ({"SPL104": {"min_images": "3"}}, "[rules.SPL104]: `min_images`: Input should be a valid integer"),
        ({"ERROR_INVALID_BOUNDING_BOX": {"a": 1}}, "[rules.ERROR_INVALID_BOUNDING_BOX]: unknown key `a`"),
    ],
)
def test_options_of_rules_are_checked_whether_selected_or_not(options: Any, says: str) -> None:
    for codes in ([], ["SPL104"]):
        with pytest.raises(ConfigError) as raised:
            build_rules(REGISTRY, codes, options)
        assert says in str(raised.value)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"few-image-to-split": {}}, r"\[rules.few-image-to-split\]: .*; did you mean few-images-to-split\?"),
        (
            {"SPL104": {"min_images": 3}, "few-images-to-split": {}},
            r"\[rules.few-images-to-split\]: SPL104 has options under",
        ),
        (
            {"ERROR_MANIFEST_INACCESSIBLE_OR_UNSUPPORTED_FORMAT": {}},
            r"\[rules.ERROR_MANIFEST_\w+\]: several rules have \w+: MAN101, MAN105; name one",
        ),
    ],
)
def test_options_stand_under_one_name_of_a_rule(options: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        build_rules(REGISTRY, [], options)


def test_the_published_schema_takes_what_is_taken_and_refuses_what_is_refused(tmp_path: Path) -> None:
    published = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert published == schema(REGISTRY)
    validator = jsonschema.Draft202012Validator(published)
    validator.check_schema(published)
    good = {"target": "ground-truth", "max-images": 3, "datasets": {"a": {"train": "x"}}}
    good |= {"rules": {"SPL104": {}, "ERROR_INVALID_BOUNDING_BOX": {}}, "region": "us-gov-west-1"}
    assert validator.is_valid(good)
    for bad in (
        {"targt": "x"},
        {"target": "mars"},
        {"max-images": 0},
        {"region": "x"},
        {"rules": {"SPL104": {"min_images": 1}}},
    ):
        assert not validator.is_valid(bad)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reading_of_a_configuration(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        assert load(path).path == path
