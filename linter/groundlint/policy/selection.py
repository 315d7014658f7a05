"""From a configuration to what a run judges by: rules with their options, severities, and what is left out."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from polars import col, lit

from groundlint.config.globs import fits
from groundlint.config.settings import Config, ConfigError, Settings, build_rule, build_rules, options_by_code
from groundlint.engine.evaluate import Scoped
from groundlint.engine.registry import Registry, SelectionError
from groundlint.engine.rule import TARGETS, Rule
from groundlint.policy.policy import Suppression


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
        ConfigError: what the configuration says of a rule cannot be used.
    """
    settings = config.settings
    selected = [*settings.select, *settings.extend_select]
    codes = registry.select(selected, settings.ignored_rules, target=settings.target)
    try:
        return Selection(
            tuple(_scoped(registry, settings, codes)),
            _severities(registry, settings),
            _suppressions(registry, settings),
        )
    except ConfigError as error:
        # No flag says any of this.
        raise ConfigError(f"{config.path}: {error}" if config.path else str(error)) from None


def nothing_selected(registry: Registry, settings: Settings) -> str:
    """Why a configuration selects no rule, as a sentence."""
    selected = [*settings.select, *settings.extend_select]
    for target in TARGETS:
        if codes := registry.select(selected, settings.ignored_rules, target=target):
            named = ", ".join(codes) if len(codes) < 5 else f"{', '.join(codes[:3])} and {len(codes) - 3} others"
            are = "are" if len(codes) > 1 else "is"
            return f"no rule is selected for the target {settings.target}; {named} {are} for the target {target}"
    return "no rule is selected, so that nothing would be judged; see --select and --ignore, or these keys of the file"


def _severities(registry: Registry, settings: Settings) -> dict[str, str]:
    """The severity of each rule that is given one: by the longest of the selectors that fit it."""
    best: dict[str, tuple[int, str]] = {}
    for name, level in settings.severity.items():
        place = f"[severity] {name}"
        for code, length in _fitting(registry, name, place).items():
            known = best.get(code)
            if known and known[0] == length:
                raise ConfigError(f"{place}: {code} has a severity under another of its names; keep one of the two")
            if not known or known[0] < length:
                best[code] = (length, level)
    return {code: level for code, (_, level) in best.items()}


def _suppressions(registry: Registry, settings: Settings) -> tuple[Suppression, ...]:
    today = datetime.datetime.now(tz=datetime.UTC).date()
    return tuple(
        Suppression(
            entry.rule,
            frozenset(_fitting(registry, entry.rule, f"[[ignore]] {number}")),
            entry.files,
            entry.source_ref,
            entry.reason,
            entry.expires,
            is_expired=entry.expires is not None and entry.expires < today,
        )
        for number, entry in enumerate(settings.suppressions, 1)
    )


def _scoped(registry: Registry, settings: Settings, codes: Sequence[str]) -> list[Scoped]:
    """Each rule once for every set of options that the overrides give it."""
    rules = build_rules(registry, codes, settings.rules)
    of_code = _overrides(registry, settings)
    scoped = []
    for rule in rules:
        # A finding on a whole file or data set is judged by the options of the whole.
        remaining = lit(True)
        variants = []
        # The last override that fits wins, so they are gone through from the end.
        for sources, changed in reversed(of_code.get(rule.code, [])):
            is_meant = col("line").is_not_null() & fits("source_ref", sources)
            if changed:
                variants.append(Scoped(changed, remaining & is_meant))
            remaining &= ~is_meant
        scoped += [Scoped(rule, remaining if rule.code in of_code else None), *variants]
    return scoped


def _overrides(registry: Registry, settings: Settings) -> dict[str, list[tuple[list[str], Rule | None]]]:
    """What becomes of each rule for some of the images, by their globs: its other options, or None where it is off.

    It is looked at whether the rules are selected or not: a slip in it is to be seen before it matters.
    """
    of_code: dict[str, list[tuple[list[str], Rule | None]]] = {}
    given = options_by_code(registry, settings.rules)
    for number, override in enumerate(settings.overrides, 1):
        for name, options in override.rules.items():
            place = f"[[overrides]] {number}"
            meant = _fitting(registry, name, place)
            if options is not False and len(meant) > 1:
                raise ConfigError(f"{place}: {name} means several rules; options are given to one")
            for code in meant:
                rule = registry.rules[code]
                all_options = None if options is False else {**given.get(code, {}), **options}
                changed = None if all_options is None else build_rule(rule, all_options, f"{place}: rules.{name}")
                of_code.setdefault(code, []).append((override.sources, changed))
    return of_code


def _fitting(registry: Registry, selector: str, place: str) -> dict[str, int]:
    try:
        return registry.fitting(selector)
    except SelectionError as error:
        raise ConfigError(f"{place}: {error}") from None
