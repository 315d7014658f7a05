"""Selection: the rules of a run with their options, severities and suppressions, as the configuration sets them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from polars import col, lit
from pydantic import ValidationError

from groundlint.config.paths import matches
from groundlint.config.settings import Config, ConfigError, Settings, first_fault
from groundlint.engine.graph import Scoped
from groundlint.engine.registry import Registry, SelectionError
from groundlint.engine.rule import TARGETS, Cost, Rule, Severity
from groundlint.phrases import first_of
from groundlint.policy.suppression import Suppression


@dataclass(frozen=True)
class Selection:
    """The rules of a run, once for each set of options, and the severities and suppressions of their findings.

    A `fast` run has no rules of cost slow, and measures no costly feature.
    """

    rules: tuple[Scoped, ...]
    severities: Mapping[str, str]
    suppressions: tuple[Suppression, ...]
    fast: bool = False

    @property
    def codes(self) -> list[str]:
        """Codes of the rules, each once."""
        return list(dict.fromkeys(scoped.rule.code for scoped in self.rules))


def of_config(registry: Registry, config: Config, *, fast: bool = False, requires_images: bool = False) -> Selection:
    """What a configuration selects.

    Args:
        registry: The installed rules.
        config: The configuration.
        fast: Leave out rules of cost slow.
        requires_images: Select the rules on missing images too, unless they are ignored by code or name, and make their
            findings errors.

    Raises:
        SelectionError: A selector matches no rule.
        ConfigError: What the configuration says about a rule cannot be used.
    """
    settings = config.settings
    required = [code for code, rule in registry.rules.items() if requires_images and rule.is_on_missing_images]
    codes = _selected(registry, settings, settings.target, required)
    if fast:
        codes = [code for code in codes if registry.rules[code].cost is Cost.FAST]
    try:
        return Selection(
            tuple(_scoped(registry, settings, codes)),
            _severities(registry, settings) | dict.fromkeys(required, Severity.ERROR.value),
            _suppressions(registry, settings),
            fast,
        )
    except ConfigError as error:
        # No flag can set any of this.
        raise ConfigError(f"{config.path}: {error}" if config.path else str(error)) from None


def nothing_selected(registry: Registry, settings: Settings) -> str:
    """Why a configuration selects no rule, as a sentence for the user."""
    if slow := _selected(registry, settings, settings.target):
        return f"no rule is selected: --fast leaves out {first_of(slow)}"
    for target in set(TARGETS) - {settings.target}:
        if codes := _selected(registry, settings, target):
            are = "are" if len(codes) > 1 else "is"
            return f"no rule is selected for target {settings.target}; {first_of(codes)} {are} for target {target}"
    return "no rule is selected, so nothing would be checked; see --select, --ignore, --fast and --preview"


def _selected(registry: Registry, settings: Settings, target: str, also: Sequence[str] = ()) -> list[str]:
    selected = [*settings.select, *settings.extend_select, *also]
    return registry.select(selected, settings.ignore, target=target, preview=settings.preview)


def _severities(registry: Registry, settings: Settings) -> dict[str, str]:
    """The severities that the configuration sets, by code; the longest selector that matches a rule wins."""
    best: dict[str, tuple[int, str]] = {}
    for name, level in settings.severity.items():
        place = f"[severity] {name}"
        for code, length in _matching(registry, name, place).items():
            known = best.get(code)
            if known and known[0] == length:
                raise ConfigError(f"{place}: the severity of {code} is set twice; keep one of the two")
            if not known or known[0] < length:
                best[code] = (length, level)
    return {code: level for code, (_, level) in best.items()}


def _suppressions(registry: Registry, settings: Settings) -> tuple[Suppression, ...]:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return tuple(
        Suppression(
            entry.rule,
            frozenset(_matching(registry, entry.rule, f"[[suppress]] {number}")),
            entry.files,
            entry.source_ref,
            entry.reason,
            entry.expires,
            is_expired=entry.expires is not None and entry.expires < today,
        )
        for number, entry in enumerate(settings.suppress, 1)
    )


def _scoped(registry: Registry, settings: Settings, codes: Sequence[str]) -> list[Scoped]:
    """Each rule once for every set of options that the overrides give it.

    Every variant judges all data; its findings count on the lines whose last matching override has its options.
    """
    rules = build_rules(registry, codes, settings.rules)
    of_code = _overrides(registry, settings)
    scoped = []
    for rule in rules:
        # Findings on a whole manifest or data set keep the base options.
        remaining = lit(True)
        variants = []
        # The last override that matches wins, so start at the end.
        for sources, changed in reversed(of_code.get(rule.code, [])):
            is_matched = col("line").is_not_null() & matches("source_ref", sources)
            if changed:
                variants.append(Scoped(changed, remaining & is_matched))
            remaining &= ~is_matched
        scoped += [Scoped(rule, remaining if rule.code in of_code else None), *variants]
    return scoped


def _overrides(registry: Registry, settings: Settings) -> dict[str, list[tuple[list[str], Rule | None]]]:
    """The overrides of each rule by code: globs of source-refs, and the rule with other options or None if it is off.

    Overrides of rules that are not selected are checked too, so that a mistake shows before it matters.
    """
    of_code: dict[str, list[tuple[list[str], Rule | None]]] = {}
    given = options_by_code(registry, settings.rules)
    for number, override in enumerate(settings.overrides, 1):
        for name, options in override.rules.items():
            place = f"[[overrides]] {number}"
            codes = _matching(registry, name, place)
            if options is not False and len(codes) > 1:
                raise ConfigError(f"{place}: {name} matches several rules; options belong to one rule")
            for code in codes:
                rule = registry.rules[code]
                all_options = None if options is False else {**given.get(code, {}), **options}
                changed = None if all_options is None else build_rule(rule, all_options, f"{place}: rules.{name}")
                of_code.setdefault(code, []).append((override.sources, changed))
    return of_code


def _matching(registry: Registry, selector: str, place: str) -> dict[str, int]:
    try:
        return registry.matching(selector)
    except SelectionError as error:
        raise ConfigError(f"{place}: {error}") from None


def build_rules(registry: Registry, codes: Sequence[str], options: Mapping[str, Mapping[str, Any]]) -> list[Rule]:
    """The rules of some codes, with their options.

    Args:
        registry: The installed rules.
        codes: Codes of the rules to build.
        options: Options by code, name or service code; those of other rules are checked too.

    Raises:
        ConfigError: A rule is not known, has options twice, or an option is unknown or not allowed.
    """
    given = options_by_code(registry, options)
    names = {registry.find(name).code: name for name in options}
    built = {code: build_rule(registry.rules[code], given[code], f"[rules.{names[code]}]") for code in sorted(given)}
    # Defaults were validated when the rule was loaded, and building a validator costs more than judging.
    return [built[code] if code in built else registry.rules[code].model_construct() for code in sorted(codes)]


def build_rule(rule: type[Rule], options: Mapping[str, Any], place: str) -> Rule:
    """A rule with some options.

    Args:
        rule: The rule.
        options: The options.
        place: Where the configuration sets them, for the error.

    Raises:
        ConfigError: An option is unknown or not allowed.
    """
    try:
        return rule(**options)
    except ValidationError as error:
        raise ConfigError(f"{place}: {first_fault(error, partial(_options_of, rule))}") from None


def options_by_code(registry: Registry, options: Mapping[str, Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The options of each rule by code; the configuration may name a rule by code, name or service code.

    Raises:
        ConfigError: A rule is not known, or has options twice.
    """
    by_code: dict[str, Mapping[str, Any]] = {}
    for name, values in options.items():
        try:
            code = registry.find(name).code
        except SelectionError as error:
            raise ConfigError(f"[rules.{name}]: {error}") from None
        if code in by_code:
            raise ConfigError(f"[rules.{name}]: {code} has two tables of options; keep one of the two")
        by_code[code] = values
    return by_code


def schema(registry: Registry) -> dict[str, Any]:
    """JSON Schema of the configuration, with the options of all installed rules."""
    known = Settings.model_json_schema(by_alias=True)
    options: dict[str, Any] = {}
    for code, rule in sorted(registry.rules.items()):
        described = rule.model_json_schema() | {"title": f"{code} {rule.name}"}
        described.pop("description", None)
        # A service code that several rules have names none of them.
        names = [name for name in (rule.name, rule.aws) if name and registry.named(name) == [rule]]
        options |= {code: described} | {name: {"$ref": f"#/properties/rules/properties/{code}"} for name in names}
    known["properties"]["rules"] |= {"properties": options, "additionalProperties": False}
    return known


def _options_of(rule: type[Rule], _: Sequence[str | int]) -> list[str]:
    return list(rule.model_fields)
