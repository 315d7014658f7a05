"""The configuration: found, parsed and checked, with a hint for every mistake."""

from __future__ import annotations

import datetime
import os
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator

from groundlint import __version__
from groundlint.errors import GroundlintError
from groundlint.phrases import suggestion

FILE = "groundlint.toml"

MAX_CONFIG_BYTES = 1_000_000

# The parser's memory grows with the square of the parts of a dotted key: 200 kB would need gigabytes.
_ENDLESS_KEY = re.compile(r"""(?<![\w-])(?:(?:[\w-]+|"[^"\n]*"|'[^'\n]*')[ \t]*\.[ \t]*){100}""")


class ConfigError(GroundlintError):
    """The configuration cannot be used. The text names the file and the key."""


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


# An empty path names nothing, and the system's functions raise on one with a NUL.
_Path = Annotated[str, Field(pattern=r"^[^\x00]+$")]
_Glob = Annotated[str, Field(min_length=1, max_length=1000)]
Paths = Annotated[list[_Path], BeforeValidator(_as_list, json_schema_input_type=_Path | list[_Path])]
_Globs = Annotated[list[_Glob], BeforeValidator(_as_list, json_schema_input_type=_Glob | list[_Glob])]


class _Model(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, alias_generator=lambda name: name.replace("_", "-"), populate_by_name=True
    )


class DataSetPaths(_Model):
    """Manifests that belong together. Paths and globs are relative to the folder of the configuration."""

    train: Paths = []
    test: Paths = []
    reference: Paths = []


class SuppressEntry(_Model):
    """Findings that are not reported, and why."""

    rule: str = Field(description="Code, prefix, name or service code.")
    files: _Globs = Field([], description="Globs of manifests, relative to this file; all manifests if empty.")
    source_ref: _Glob | None = Field(None, description="Glob of source-refs; all if not given.")
    reason: str = Field(pattern=r"\S", description="Why these findings are not reported.")
    expires: datetime.date | None = Field(None, description="Last day on which the entry applies.")


class Override(_Model):
    """Other options for some of the images."""

    sources: _Globs = Field(min_length=1, description="Globs of source-refs.")
    rules: dict[str, dict[str, Any] | Literal[False]] = Field(
        description="Options by code, name or service code of a rule; false turns rules off, by any selector."
    )


class Settings(_Model):
    """The keys of `groundlint.toml`, or of `[tool.groundlint]` in `pyproject.toml`."""

    required_version: str | None = Field(
        None,
        pattern=r"^(==|>=|<=|>|<|~=)?\s*[0-9]+(\.[0-9]+)*$",
        description='Version of groundlint that the configuration needs, such as ">=0.2" or "0.2.1".',
    )
    target: Literal["rekognition", "ground-truth"] = Field(
        "rekognition", description="What the data is for: Custom Labels training, or a Ground Truth labeling job."
    )
    region: str | None = Field(
        None,
        pattern=r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$",
        description="Region of the service, such as eu-west-2; some regions have lower limits.",
    )
    max_images: int | None = Field(
        None, gt=0, strict=True, description="Raised quota of images with image-level labels in a manifest."
    )
    select: list[str] = Field(
        ["ALL"], description="Rules to check: codes, prefixes of codes, names, service codes, or ALL."
    )
    ignore: list[str] = Field(
        [], description="Rules to leave out; the longest selector of select and ignore that matches a rule wins."
    )
    extend_select: list[str] = Field([], description="Rules to check in addition to select.")
    preview: bool = Field(False, strict=True, description="Whether rules in preview are selected too.")
    fail_on: Literal["error", "warning", "info", "none"] = Field(
        "error", description="Lowest severity of a finding that fails the run."
    )
    exclude: list[_Glob] = Field(
        [], description="Globs of manifests to leave out when a folder is searched, as in a .gitignore."
    )
    severity: dict[str, Literal["error", "warning", "info"]] = Field(
        {}, description="Severity of rules, by selector; the longest that matches a rule wins."
    )
    rules: dict[str, dict[str, Any]] = Field({}, description="Options of rules, by code, name or service code.")
    overrides: list[Override] = Field([], description="Other options for some images; the last that matches wins.")
    suppress: list[SuppressEntry] = Field([], description="Findings that are not reported, each with a reason.")
    datasets: dict[str, DataSetPaths] = Field({}, description="Manifests that belong together, by name.")
    images: dict[str, _Path] = Field(
        {},
        description="Folders of images, by the beginning of the source-refs that they stand for; they must be in the "
        "folder of this file. Others are given with --images or GROUNDLINT_IMAGES.",
    )
    cache_dir: _Path | None = Field(
        None, description="Folder for cached measurements; .groundlint_cache beside this file if not given."
    )

    @field_validator("ignore", mode="before")
    @classmethod
    def _holds_selectors(cls, selectors: object) -> object:
        if isinstance(selectors, list) and any(isinstance(entry, dict) for entry in selectors):
            raise ValueError("it is a list of rules; an entry with a reason is a [[suppress]] table")
        return selectors

    @field_validator("required_version")
    @classmethod
    def _is_satisfied(cls, requirement: str | None) -> str | None:
        if requirement and not _satisfies(__version__, requirement):
            raise ValueError(f"this is groundlint {__version__}; install a version {requirement}")
        return requirement


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
    """The nearest configuration upward: a groundlint.toml, else a pyproject.toml with [tool.groundlint]."""
    for folder in (start, *start.parents):
        if (folder / FILE).is_file():
            return folder / FILE
        if _configures_groundlint(folder / "pyproject.toml"):
            return folder / "pyproject.toml"
    return None


def load(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        ConfigError: It cannot be read, is not TOML, or has an unknown key or an invalid value.
    """
    values: Any = _parse(path, _read(path))
    if path.name == "pyproject.toml":
        values = _own_table(values)
        if values is None:
            raise ConfigError(f"{path}: the file has no table [tool.groundlint]")
    try:
        # A file has only the documented keys; flags have the names of Python.
        config = Config(Settings.model_validate(values, by_alias=True, by_name=False), path.resolve())
    except ValidationError as error:
        raise ConfigError(f"{path}: {first_fault(error, _known_keys)}") from None
    for prefix, folder in config.settings.images.items():
        # Who checks a repository must not have to read its configuration to know which of their files are opened.
        if not Path(os.path.realpath(config.root / folder)).is_relative_to(config.root):
            raise ConfigError(
                f"{path}: `images.{prefix}`: the folder {folder} is outside the folder of the configuration; give it "
                f"with --images {prefix}={folder} or in GROUNDLINT_IMAGES"
            )
    return config


def _configures_groundlint(project: Path) -> bool:
    """Whether a pyproject.toml has a table for groundlint; it may be broken elsewhere."""
    if not project.is_file() or b"groundlint" not in (data := _read(project)):
        return False
    return _own_table(_parse(project, data)) is not None


def _own_table(project: dict[str, Any]) -> Any:
    tools = project.get("tool")
    return tools.get("groundlint") if isinstance(tools, dict) else None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: the configuration cannot be read: {error.strerror}") from None
    return data


def _parse(path: Path, data: bytes) -> dict[str, Any]:
    if len(data) > MAX_CONFIG_BYTES:
        raise ConfigError(f"{path}: the configuration has more than {MAX_CONFIG_BYTES:,} bytes")
    try:
        text = data.decode("utf-8")
        if _ENDLESS_KEY.search(text):
            raise ConfigError(f"{path}: the configuration has a key of more than 100 parts")
        return tomllib.loads(text)
    # A number of thousands of digits is a ValueError too.
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path}: invalid TOML: {error}") from None


def override(config: Config, values: Mapping[str, Any]) -> Config:
    """The configuration with some of its keys set by flags.

    Args:
        config: The configuration.
        values: Values of its keys; those of `extend_select` are added to it, those of `extend_ignore` to `ignore`.

    Raises:
        ConfigError: A value is not allowed.
    """
    values = dict(values)
    if extended := values.pop("extend_ignore", []):
        values["ignore"] = [*values.get("ignore", config.settings.ignore), *extended]
    if extended := values.get("extend_select"):
        values["extend_select"] = [*config.settings.extend_select, *extended]
    try:
        given = config.settings.model_dump(exclude_unset=True) | values
        return Config(Settings.model_validate(given), config.path)
    except ValidationError as error:
        fault = error.errors()[0]
        raise ConfigError(f"--{str(fault['loc'][0]).replace('_', '-')}: {fault['msg']}") from None


def _known_keys(place: Sequence[str | int]) -> list[str]:
    inner: dict[Any, type[_Model]] = {
        "datasets": DataSetPaths,
        "suppress": SuppressEntry,
        "overrides": Override,
    }
    model = inner.get(place[0], Settings) if len(place) > 1 else Settings
    return [str(field.alias or name) for name, field in model.model_fields.items()]


def first_fault(error: ValidationError, known: Callable[[Sequence[str | int]], list[str]]) -> str:
    """The first fault that a validation found, as a sentence that names the key.

    Args:
        error: The error that pydantic raised.
        known: Function from a place to the keys that are known there.
    """
    fault = error.errors()[0]
    place = list(fault["loc"])
    key = ".".join(str(step) for step in place)
    if fault["type"] == "extra_forbidden":
        return f"unknown key `{key}`" + suggestion(str(place[-1]), known(place))
    # pydantic puts "Value error, " before the text of a validator of ours.
    text = str(fault["ctx"]["error"]) if fault["type"] == "value_error" else fault["msg"]
    return f"`{key}`: {text}" if key else text


def _satisfies(version: str, requirement: str) -> bool:
    match = re.fullmatch(r"(==|>=|<=|>|<|~=)?\s*([0-9.]+)", requirement)
    assert match
    operator, wanted = match[1] or "==", _numbers(match[2])
    have = _numbers(version)
    have, wanted_padded = have + (0,) * (len(wanted) - len(have)), wanted + (0,) * (len(have) - len(wanted))
    results = {
        "==": have == wanted_padded,
        ">=": have >= wanted_padded,
        "<=": have <= wanted_padded,
        ">": have > wanted_padded,
        "<": have < wanted_padded,
        "~=": have >= wanted_padded and have[: len(wanted) - 1] == wanted[:-1],
    }
    return results[operator]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"[0-9]+", version))
