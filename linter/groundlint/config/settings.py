"""The configuration: found, parsed, checked against what is known, with a hint for every slip."""

from __future__ import annotations

import datetime
import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, ValidationError

from groundlint.engine.registry import Registry, SelectionError
from groundlint.engine.rule import Rule

FILE = "groundlint.toml"
MAX_BYTES = 1_000_000

# The parser takes memory by the square of a dotted key's parts: two hundred kilobytes would want gigabytes.
_ENDLESS_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){100}""")


class ConfigError(Exception):
    """The configuration cannot be used; the text names the file, the key and the mend."""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


# An empty path names nothing, and on one with a NUL the system's functions raise.
_Path = Annotated[str, Field(pattern=r"^[^\x00]+$")]
# The engine of regular expressions refuses patterns that grow too big.
_Glob = Annotated[str, Field(min_length=1, max_length=1000)]
Paths = Annotated[list[_Path], BeforeValidator(_as_list, json_schema_input_type=_Path | list[_Path])]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"), populate_by_name=True
    )


class DataSet(_Model):
    """Manifests that belong together. Paths and globs are relative to the folder of the configuration."""

    train: Paths = []
    test: Paths = []
    reference: Paths = []


class Ignore(_Model):
    """Findings that are no fault, and why."""

    rule: str = Field(description="Code, prefix, name or service code.")
    files: Paths = Field([], description="Globs of manifests, relative to this file; all if there are none.")
    source_ref: _Glob | None = Field(None, description="Glob of source-refs; all if there is none.")
    reason: str = Field(pattern=r"\S", description="Why these findings are no fault.")
    expires: datetime.date | None = Field(None, description="Last day on which the entry applies.")


_SELECTOR, _ENTRY = "a selector", "an entry"
# Told apart by their kind, so that a fault in a table is said of the table's key.
_Ignored = Annotated[
    Annotated[str, Tag(_SELECTOR)] | Annotated[Ignore, Tag(_ENTRY)],
    Discriminator(lambda value: _SELECTOR if isinstance(value, str) else _ENTRY),
]


class Override(_Model):
    """Other options for some of the images."""

    sources: Annotated[list[_Glob], BeforeValidator(_as_list, json_schema_input_type=_Glob | list[_Glob])] = Field(
        min_length=1, description="Globs of source-refs."
    )
    rules: dict[str, dict[str, Any] | Literal[False]] = Field(
        description="Options by code, name or service code of a rule; false turns rules off, by any selector."
    )


class Settings(_Model):
    """The keys of `groundlint.toml`, or of `[tool.groundlint]` in `pyproject.toml`."""

    target: Literal["rekognition", "ground-truth"] = Field(
        "rekognition", description="What the data is for: Custom Labels training, or a Ground Truth labeling job."
    )
    region: str | None = Field(
        None,
        pattern=r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$",
        description="Region of the service, as eu-west-2; some have lower limits.",
    )
    max_images: int | None = Field(
        None, gt=0, strict=True, description="Raised quota of images with image-level labels a manifest."
    )
    select: list[str] = Field(["ALL"], description="Rules to judge: codes, prefixes, names, service codes, or ALL.")
    ignore: list[_Ignored] = Field(
        [],
        description="Rules to leave out, by selector: of select and ignore the longer wins. A table, as [[ignore]], "
        "leaves out some of their findings and says why.",
    )
    extend_select: list[str] = Field([], description="Rules to judge beside those of select.")
    fail_on: Literal["error", "warning", "info", "none"] = Field(
        "error", description="Severity from which a finding fails the run."
    )
    exclude: list[str] = Field([], description="Globs of manifests to leave out when a folder is searched.")
    severity: dict[str, Literal["error", "warning", "info"]] = Field(
        {}, description="Severity of rules, by selector; of several that fit a rule the longest wins."
    )
    rules: dict[str, dict[str, Any]] = Field({}, description="Options of rules, by code, name or service code.")
    overrides: list[Override] = Field([], description="Other options for some of the images; the last that fits wins.")
    datasets: dict[str, DataSet] = Field({}, description="Manifests that belong together, by name.")
    images: dict[str, _Path] = Field(
        {}, description="Folders of images, by the beginning of the source-refs that they stand for."
    )
    cache_dir: _Path | None = Field(None, description="Folder of what was measured; beside this file unless given.")

    @property
    def ignored_rules(self) -> list[str]:
        """Selectors of the rules that are left out as a whole."""
        return [entry for entry in self.ignore if isinstance(entry, str)]

    @property
    def suppressions(self) -> list[Ignore]:
        """Entries that leave out some findings of a rule."""
        return [entry for entry in self.ignore if isinstance(entry, Ignore)]


@dataclass(frozen=True)
class Config:
    """Settings, the file that they come from, and the folder to which its paths are relative."""

    settings: Settings = field(default_factory=Settings)
    path: Path | None = None

    @property
    def root(self) -> Path:
        """Folder of the file; without one, the working directory."""
        return self.path.parent if self.path else Path.cwd()


def find(start: Path) -> Path | None:
    """The nearest configuration upwards: a groundlint.toml, else a pyproject.toml with [tool.groundlint]."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        if _configures_us(folder / "pyproject.toml"):
            return folder / "pyproject.toml"
    return None


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read, is no TOML, or has a key or value that is not known.
    """
    values: Any = _parse(path, _read(path))
    if path.name == "pyproject.toml":
        values = _table_of_ours(values)
        if values is None:
            raise ConfigError(f"{path}: the file has no table [tool.groundlint]")
    try:
        # In the file keys are written as documented only; flags come under the names of Python.
        return Config(Settings.model_validate(values, by_alias=True, by_name=False), path.resolve())
    except ValidationError as error:
        raise ConfigError(f"{path}: {_first_fault(error, _known_keys)}") from None


def _configures_us(project: Path) -> bool:
    """Whether a pyproject.toml has a table of ours; it may be broken for reasons that are not ours."""
    if not project.is_file() or b"groundlint" not in (data := _read(project)):
        return False
    return _table_of_ours(_parse(project, data)) is not None


def _table_of_ours(project: dict[str, Any]) -> Any:
    tools = project.get("tool")
    return tools.get("groundlint") if isinstance(tools, dict) else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: the configuration cannot be read: {error.strerror}") from None
    return data


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{path}: the configuration has more than {MAX_BYTES:,} bytes")
    try:
        text = data.decode("utf-8")
        if _ENDLESS_KEY.search(text):
            raise ConfigError(f"{path}: the configuration has a key of more than a hundred parts")
        return tomllib.loads(text)
    # A number of thousands of digits is a ValueError too.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: the configuration is no valid TOML: {error}") from None


def override(config: Config, values: Mapping[str, Any]) -> Config:
    """The configuration with some of its keys set by flags.

    Args:
        config: the configuration.
        values: of its keys; `extend_ignore` adds rules to those that it leaves out.

    Raises:
        ConfigError: a value is not allowed.
    """
    values = dict(values)
    extended = values.pop("extend_ignore", [])
    if extended or "ignore" in values:
        # A flag chooses rules; the reasons for single findings stay.
        rules = values.get("ignore", config.settings.ignored_rules)
        values["ignore"] = [*config.settings.suppressions, *rules, *extended]
    try:
        given = config.settings.model_dump(exclude_unset=True) | values
        return Config(Settings.model_validate(given), config.path)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ConfigError(f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}") from None


def build_rules(registry: Registry, codes: Sequence[str], options: Mapping[str, Mapping[str, Any]]) -> list[Rule]:
    """The rules of these codes, with their options.

    Raises:
        ConfigError: options are given for an unknown rule or twice for one, or are none of its options.
    """
    given = options_by_code(registry, options)
    names = {registry.find(name).code: name for name in options}
    built = {code: build_rule(registry.rules[code], given[code], f"[rules.{names[code]}]") for code in sorted(given)}
    # Defaults were validated when the rule was loaded; to build a validator costs more than to judge.
    return [built[code] if code in built else registry.rules[code].model_construct() for code in sorted(codes)]


def build_rule(rule: type[Rule], options: Mapping[str, Any], place: str) -> Rule:
    """A rule with some options.

    Raises:
        ConfigError: they are none of its options; the text names the place that gives them.
    """
    try:
        return rule(**options)
    except ValidationError as error:
        raise ConfigError(f"{place}: {_first_fault(error, partial(_options_of, rule))}") from None


def options_by_code(registry: Registry, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The options of each rule, by whichever of its names they are given.

    Raises:
        ConfigError: a rule is not known, or has options twice.
    """
    by_code: dict[str, Mapping[str, Any]] = {}
    for name, values in options.items():
        try:
            code = registry.find(name).code
        except SelectionError as error:
            raise ConfigError(f"[rules.{name}]: {error}") from None
        if code in by_code:
            raise ConfigError(f"[rules.{name}]: {code} has options under another of its names; keep one of the two")
        by_code[code] = values
    return by_code


def schema(registry: Registry) -> dict[str, Any]:
    """JSON Schema of the configuration, with the options of all rules."""
    known = Settings.model_json_schema(by_alias=True)
    options: dict[str, Any] = {}
    for code, rule in sorted(registry.rules.items()):
        described = rule.model_json_schema() | {"title": f"{code} {rule.name}"}
        described.pop("description", None)
        # A code of the service that several rules give names none of them.
        names = [name for name in (rule.name, rule.aws) if name and registry.named(name) == [rule]]
        options |= {code: described} | {name: {"$ref": f"#/properties/rules/properties/{code}"} for name in names}
    known["properties"]["rules"] |= {"properties": options, "additionalProperties": False}
    return known


def _options_of(rule: type[Rule], _: Sequence[str | int]) -> list[str]:
    return list(rule.model_fields)


def _known_keys(place: Sequence[str | int]) -> list[str]:
    inner: dict[Any, type[_Model]] = {"datasets": DataSet, "ignore": Ignore, "overrides": Override}
    model = inner.get(place[0], Settings) if len(place) > 1 else Settings
    return [str(field.alias or name) for name, field in model.model_fields.items()]


def _first_fault(error: ValidationError, known: Any) -> str:
    """The first fault of a validation, as a sentence that names the key."""
    fault = error.errors()[0]
    place = [step for step in fault["loc"] if step not in (_SELECTOR, _ENTRY)]
    key = ".".join(str(step) for step in place)
    if fault["type"] == "extra_forbidden":
        return f"unknown key `{key}`" + suggestion(str(place[-1]), known(place))
    return f"`{key}`: {fault['msg']}" if key else str(fault["msg"])


def suggestion(written: str, known: Iterable[str]) -> str:
    """Words for the known name that comes nearest, if one does."""
    near = difflib.get_close_matches(written, list(known), n=1)
    return f"; did you mean `{near[0]}`?" if near else ""
