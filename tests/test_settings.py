"""Settings: where the configuration is found, what it may contain, and how mistakes are explained."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundlint import __version__
from groundlint.config.settings import MAX_CONFIG_BYTES, Config, ConfigError, find, load, override


def written(folder: Path, text: str, name: str = "groundlint.toml") -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_the_nearest_file_upward_is_used(tmp_path: Path) -> None:
    outer = written(tmp_path, "")
    inner = written(tmp_path, "", "a/b/groundlint.toml")
    (tmp_path / "a/b/c").mkdir()
    assert find(tmp_path / "a/b/c") == inner
    assert find(tmp_path / "a") == outer


def test_documented_configurations_load(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs/command-line.md").read_text(encoding="utf-8")
    shown = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert shown
    for text in shown:
        assert load(written(tmp_path, text)).settings != Config().settings


def test_groundlint_toml_wins_over_pyproject_toml_in_the_same_folder(tmp_path: Path) -> None:
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
def test_the_table_of_a_pyproject_may_be_written_in_any_way(tmp_path: Path, text: str) -> None:
    project = written(tmp_path, text, "pyproject.toml")
    assert find(tmp_path) == project
    assert load(project).settings.region == "eu-west-2"


@pytest.mark.parametrize(
    "text", ["", "broken [", "tool = 1", "[project]\ndependencies = ['groundlint']", "# " + "x" * MAX_CONFIG_BYTES]
)
def test_a_pyproject_without_the_table_is_passed_over(tmp_path: Path, text: str) -> None:
    outer = written(tmp_path, "")
    written(tmp_path, text, "a/pyproject.toml")
    assert find(tmp_path / "a") == outer


@pytest.mark.parametrize("text", ["[tool.groundlint\n", "[tool.groundlint]\n#" + "x" * MAX_CONFIG_BYTES])
def test_a_pyproject_that_names_groundlint_and_is_broken_is_an_error(tmp_path: Path, text: str) -> None:
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
        ('[[suppress]]\nrule = "BOX301"\n', "`suppress.0.reason`: Field required"),
        ('[[suppress]]\nrule = "BOX301"\nreason = " "\n', "`suppress.0.reason`"),
        (
            '[[suppress]]\nrule = "BOX301"\nreason = "x"\nfile = "a"\n',
            "unknown key `suppress.0.file`; did you mean `files`?",
        ),
        ('[[suppress]]\nrule = "BOX301"\nreason = "x"\nexpires = "soon"\n', "`suppress.0.expires`"),
        ('[[supress]]\nrule = "BOX301"\n', "unknown key `supress`; did you mean `suppress`?"),
        ('[[ignore]]\nrule = "BOX301"\nreason = "x"\n', "`ignore`: it is a list of rules; an entry with a reason is a"),
        ('ignore = ["A", { rule = "B" }]', "an entry with a reason is a [[suppress]] table"),
        ('[severity]\nBOX301 = "fatal"\n', "`severity.BOX301`"),
        ('[[overrides]]\nsources = "*"\nrules = { BOX301 = true }\n', "overrides.0.rules.BOX301"),
        ("[[overrides]]\nsources = []\nrules = {}\n", "`overrides.0.sources`"),
        (f'[[overrides]]\nsources = "{"a*" * 600}"\nrules = {{}}\n', "1000 characters"),
        (f'exclude = ["{"a*" * 600}"]', "1000 characters"),
        ("preview = 1", "`preview`: Input should be a valid boolean"),
        ('required-version = "new"', "`required-version`: String should match"),
        ('required-version = ">=99"\nnot-yet-known = 1', f"this is groundlint {__version__}; install a version >=99"),
    ],
)
def test_an_error_names_the_key_and_suggests_another(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load(written(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path / 'groundlint.toml'}: ")
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = [", "invalid TOML"),
        ("a = 1\na = 2", "invalid TOML"),
        ("a = " + "[" * 100_000, "invalid TOML"),
        ("a = " + "{a=" * 100_000, "invalid TOML"),
        ("max-images = " + "1" * 5_000, "invalid TOML"),
        (".".join("a" * 100_000) + " = 1", "more than 100 parts"),
        ("[" + " . ".join(["'a'"] * 100_000) + "]", "more than 100 parts"),
        ("a = {" + '"".' * 100_000 + "a = 1}", "more than 100 parts"),
        ("#" * MAX_CONFIG_BYTES + "\n", "more than 1,000,000 bytes"),
    ],
    ids=lambda text: text[:20],
)
def test_input_that_would_harm_the_parser_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load(written(tmp_path, text))


def test_bytes_that_are_not_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"region = '\xff'")
    with pytest.raises(ConfigError, match="invalid TOML"):
        load(tmp_path / "a.toml")


def test_reading_an_endless_device_ends() -> None:
    with pytest.raises(ConfigError, match="more than 1,000,000 bytes"):
        load(Path("/dev/zero"))


def test_a_pyproject_without_the_table_cannot_be_loaded(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"no table \[tool.groundlint\]"):
        load(written(tmp_path, "tool = 1", "pyproject.toml"))
    with pytest.raises(ConfigError, match="valid dictionary"):
        load(written(tmp_path, "tool.groundlint = 1", "pyproject.toml"))


def test_large_settings_are_accepted(tmp_path: Path) -> None:
    ignored = [f"s3.bucket.{n}" for n in range(20_000)]
    assert load(written(tmp_path, f"ignore = {json.dumps(ignored)}")).settings.ignore == ignored


def test_a_flag_wins_over_the_file_and_leaves_the_rest(tmp_path: Path) -> None:
    config = override(load(written(tmp_path, "region = 'eu-west-2'\nfail-on = 'info'")), {"fail_on": "none"})
    assert (config.settings.fail_on, config.settings.region, config.root) == ("none", "eu-west-2", tmp_path)


def test_the_flag_ignore_replaces_the_list_and_extend_ignore_adds_to_it(tmp_path: Path) -> None:
    config = load(written(tmp_path, 'ignore = ["BOX"]'))

    def ignored(**flags: list[str]) -> list[str]:
        return override(config, flags).settings.ignore

    assert ignored(ignore=["MAN"]) == ["MAN"]
    assert ignored(extend_ignore=["MAN"]) == ["BOX", "MAN"]
    assert ignored(ignore=["LBL"], extend_ignore=["MAN"]) == ["LBL", "MAN"]


def test_the_flag_extend_select_adds_to_the_list_of_the_file(tmp_path: Path) -> None:
    config = load(written(tmp_path, 'select = ["REF"]\nextend-select = ["BOX"]'))
    extended = override(config, {"extend_select": ["MAN"]}).settings
    assert (extended.select, extended.extend_select) == (["REF"], ["BOX", "MAN"])


@pytest.mark.parametrize(
    ("requirement", "is_satisfied"),
    [
        (__version__, True),
        (f"=={__version__}", True),
        (f">={__version__}", True),
        ("<99", True),
        (f"~={__version__}", True),
        (f">{__version__}", False),
        (f"<{__version__}", False),
        ("99.0", False),
        ("~=99.0", False),
    ],
)
def test_a_required_version_is_compared_with_this_version(tmp_path: Path, requirement: str, is_satisfied: bool) -> None:
    path = written(tmp_path, f'required-version = "{requirement}"')
    if is_satisfied:
        assert load(path).settings.required_version == requirement
    else:
        with pytest.raises(ConfigError, match="`required-version`: this is groundlint"):
            load(path)


def test_an_error_in_a_flag_names_the_flag() -> None:
    with pytest.raises(ConfigError, match=r"^--fail-on: Input should be"):
        override(Config(), {"fail_on": "never"})


@given(st.binary(max_size=200))
def test_arbitrary_bytes_load_or_raise_a_configuration_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.toml"
    path.write_bytes(data)
    with contextlib.suppress(ConfigError):
        assert load(path).path == path
