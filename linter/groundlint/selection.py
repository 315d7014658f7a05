"""From a configuration to what a run judges by: rules with their options, severities, and what is left out."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from polars import col, lit

from groundlint.config import Config, ConfigError, Settings, build_rules
from groundlint.globs import fits
from groundlint.judge import Scoped
from groundlint.policy import Suppression
from groundlint.registry import Registry, SelectionError
from groundlint.rule import Rule


@dataclass(frozen=True)
class Selection:
    """The rules of a run, once for each set of their options, and what becomes of what they find."""

    rules: tuple[Scoped, ...]
    severities: Mapping[str, str]
    suppressions: tuple[Suppression, ...]

    @property
    def codes(self) -> list[str]:
        """Codes of the rules, each once."""
        return list(dict.fromkeys(scoped.rule.code for scoped in self.rules))


def of_config(registry: Registry, config: Config) -> Selection:
    """What a configuration selects.

    Raises:
        SelectionError: a selector fits no rule.
        ConfigError: the options of a rule cannot be used.
    """
    settings = config.settings
    selected = [*settings.select, *settings.extend_select]
    codes = registry.select(selected, settings.ignored_rules, target=settings.target)
    severities = {
        code: level
        for name, level in settings.severity.items()
        for code in _codes(registry, name, f"[severity] {name}")
    }
    today = datetime.datetime.now(tz=datetime.UTC).date()
    suppressions = tuple(
        Suppression(
            entry.rule,
            frozenset(_codes(registry, entry.rule, f"[[ignore]] {number}")),
            entry.files,
            entry.source_ref,
            entry.reason,
            entry.expires,
            is_expired=entry.expires is not None and entry.expires < today,
        )
        for number, entry in enumerate(settings.suppressions, 1)
    )
    return Selection(tuple(_scoped(registry, settings, codes)), severities, suppressions)


def _scoped(registry: Registry, settings: Settings, codes: Sequence[str]) -> list[Scoped]:
    """Each rule once for every set of options that the overrides give it."""
    of_code: dict[str, list[tuple[list[str], dict[str, Any] | Literal[False]]]] = {}
    for number, override in enumerate(settings.overrides, 1):
        for name, options in override.rules.items():
            meant = _codes(registry, name, f"[[overrides]] {number}")
            if options is not False and len(meant) > 1:
                raise ConfigError(f"[[overrides]] {number}: {name} means several rules; options are given to one")
            for code in meant:
                of_code.setdefault(code, []).append((override.sources, options))
    scoped = []
    for rule in build_rules(registry, codes, settings.rules):
        # A finding on a whole file or data set is judged by the options of the whole.
        remaining = lit(True)
        variants = []
        # The last override that fits wins, so they are gone through from the end.
        for sources, changed in reversed(of_code.get(rule.code, [])):
            is_meant = col("line").is_not_null() & fits("source_ref", sources)
            if changed is not False:
                own = build_rules(registry, [rule.code], {rule.code: {**_options(settings, rule), **changed}})[0]
                variants.append(Scoped(own, remaining & is_meant))
            remaining &= ~is_meant
        scoped += [Scoped(rule, remaining if rule.code in of_code else None), *variants]
    return scoped


def _options(settings: Settings, rule: Rule) -> dict[str, Any]:
    """The options that the configuration gives a rule for all images."""
    return settings.rules.get(rule.code) or settings.rules.get(rule.name) or {}


def _codes(registry: Registry, selector: str, place: str) -> list[str]:
    try:
        return registry.fitting(selector)
    except SelectionError as error:
        raise ConfigError(f"{place}: {error}") from None
