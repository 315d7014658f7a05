"""Rules, derived tables and features of the installed packages: built-in and third-party ones come in alike."""

from __future__ import annotations

import difflib
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TypeGuard

from groundlint.engine.features import INPUTS, Feature
from groundlint.engine.rule import Rule, defects, inputs
from groundlint.engine.tables import BASE, DerivedTable

ENTRY_POINTS = "groundlint.rules"
"""Group of entry points; each names a package or module with rules, tables and features."""

DISTRIBUTION = "groundlint"


class PluginError(Exception):
    """A package with rules cannot be used; the text names it and says why."""


class SelectionError(ValueError):
    """A selector names no rule."""


@dataclass
class Registry:
    """What the installed packages offer, by code or name."""

    rules: dict[str, type[Rule]] = field(default_factory=dict)
    tables: dict[str, DerivedTable] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    """Package of each rule's code."""
    modules: dict[str, str] = field(default_factory=dict)
    """Package of each module that was searched."""

    def find(self, name: str) -> type[Rule]:
        """A rule by its code, name or service code.

        Raises:
            SelectionError: there is none, or several have the service code.
        """
        rules = self.named(name)
        if len(rules) > 1:
            raise SelectionError(f"several rules have {name}: {', '.join(rule.code for rule in rules)}; name one")
        return rules[0]

    def named(self, name: str) -> list[type[Rule]]:
        """The rules that have a code, name or service code, by code; a service code may be given by several.

        Raises:
            SelectionError: there is none.
        """
        rules = [rule for _, rule in sorted(self.rules.items()) if name in (rule.code, rule.name, rule.aws)]
        if not rules:
            raise SelectionError(self._unknown(name))
        return rules

    def select(self, select: Sequence[str], ignore: Sequence[str], *, target: str) -> list[str]:
        """Codes of the selected rules of a target, sorted. Of the selectors that fit a rule the longest wins.

        Args:
            select: codes, prefixes of codes, names, service codes, or ALL.
            ignore: the same; wins against an equally long one in `select`.
            target: "rekognition" or "ground-truth".

        Raises:
            SelectionError: a selector fits no rule.
        """
        best: dict[str, tuple[int, bool]] = {}
        for selectors, is_selected in ((select, True), (ignore, False)):
            for selector in selectors:
                for code, length in self.fitting(selector).items():
                    if length > best.get(code, (-1, True))[0] or (length == best[code][0] and not is_selected):
                        best[code] = (length, is_selected)
        return sorted(code for code, (_, chosen) in best.items() if chosen and target in self.rules[code].targets)

    def fitting(self, selector: str) -> dict[str, int]:
        """Codes of the rules that a selector fits, and how exactly: a full name counts as a full code.

        Raises:
            SelectionError: it fits none.
        """
        if selector == "ALL":
            return dict.fromkeys(self.rules, 0)
        exact = [code for code, rule in self.rules.items() if selector in (code, rule.name, rule.aws)]
        if exact:
            return {code: len(code) for code in exact}
        by_prefix = {code: len(selector) for code in self.rules if selector and code.startswith(selector)}
        if not by_prefix:
            raise SelectionError(self._unknown(selector))
        return by_prefix

    def of_package(self, name: str) -> list[type[Rule]]:
        """The rules of a package, which is named as it is installed or as it is imported; empty if it has none."""
        return [
            rule
            for code, rule in sorted(self.rules.items())
            if _normal(name) in (_normal(self.packages[code]), _normal(rule.__module__.partition(".")[0]))
        ]

    def _unknown(self, selector: str) -> str:
        known = [name for rule in self.rules.values() for name in (rule.code, rule.name, rule.aws) if name]
        near = difflib.get_close_matches(selector, known, n=1)
        return f"no rule has the code or name {selector!r}" + (f"; did you mean {near[0]}?" if near else "")


def load(*, isolated: bool = False) -> Registry:
    """Load all installed packages with rules.

    Args:
        isolated: only groundlint's own.

    Raises:
        PluginError: a package cannot be imported, or what it offers cannot be used.
    """
    registry = Registry()
    points = entry_points(group=ENTRY_POINTS)
    own = [point for point in points if point.dist and point.dist.name == DISTRIBUTION]
    others = sorted((point for point in points if point not in own), key=lambda point: point.value)
    for point in own + ([] if isolated else others):
        package = point.dist.name if point.dist else point.value
        for module in _modules(point, package):
            # Two entry points may lead to one module.
            if module.__name__ not in registry.modules:
                registry.modules[module.__name__] = package
                _register(registry, module, package)
    _check_inputs(registry)
    return registry


def _modules(point: EntryPoint, package: str) -> Iterator[ModuleType]:
    try:
        root = point.load()
        yield root
        public = getattr(root, "__all__", None)
        for found in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{root.__name__}."):
            # Importing `__main__` would run the package's own command; `_names` are what others are made with.
            is_private = found.name.rpartition(".")[2].startswith("_")
            top = found.name.removeprefix(f"{root.__name__}.").partition(".")[0]
            if not is_private and (public is None or top in public):
                yield importlib.import_module(found.name)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"the package {package} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it"
        ) from error


def _register(registry: Registry, module: ModuleType, package: str) -> None:
    """Add what a module defines itself; what it imports belongs to another."""
    for value in list(vars(module).values()):
        if isinstance(value, DerivedTable | Feature) and value.function.__module__ == module.__name__:
            _add_table_or_feature(registry, value, package)
        # A class without a code is a base for others.
        elif _is_rule(value) and value.__module__ == module.__name__:
            _add_rule(registry, value, package)


def _is_rule(value: object) -> TypeGuard[type[Rule]]:
    if not inspect.isclass(value) or not issubclass(value, Rule):
        return False
    return hasattr(value, "code") or "code" in value.model_fields


def _add_rule(registry: Registry, rule: type[Rule], package: str) -> None:
    if found := defects(rule):
        raise PluginError(f"the rule {rule.__name__} of the package {package} cannot be used: {found[0]}")
    for other in registry.rules.values():
        if rule.code == other.code or rule.name == other.name:
            used = rule.code if rule.code == other.code else rule.name
            owner = registry.packages[other.code]
            if owner == package:
                raise PluginError(f"the package {package} has two rules {used}; rename one of them")
            raise PluginError(f"the packages {owner} and {package} both have a rule {used}; uninstall one of them")
    registry.rules[rule.code] = rule
    registry.packages[rule.code] = package


def _add_table_or_feature(registry: Registry, value: DerivedTable | Feature, package: str) -> None:
    known: dict[str, object] = {**BASE, **registry.tables, **registry.features}
    if value.name in known:
        raise PluginError(f"the package {package} has a table or feature {value.name}, which exists already; rename it")
    if isinstance(value, Feature) and value.name in {*BASE[value.of].columns, *INPUTS[value.of]}:
        raise PluginError(f"the package {package} has a feature {value.name}, which {value.of} have already; rename it")
    if isinstance(value, Feature):
        registry.features[value.name] = value
    else:
        registry.tables[value.name] = value


def _check_inputs(registry: Registry) -> None:
    """Every table and feature that a rule or table names must exist, and no table may need itself."""
    tables = {*BASE, *registry.tables}
    users: list[tuple[str, Sequence[str], Sequence[str]]] = [
        (f"the rule {rule.code} of the package {registry.packages[rule.code]}", inputs(rule.check), rule.features)
        for rule in registry.rules.values()
    ]
    users += [
        (f"the table {table.name} of the package {_owner(registry, table)}", inputs(table.function), table.features)
        for table in registry.tables.values()
    ]
    for user, wanted, features in users:
        _check_names(user, "table", wanted, tables)
        _check_names(user, "feature", features, registry.features)
    for feature in registry.features.values():
        user = f"the feature {feature.name} of the package {_owner(registry, feature)}"
        steps = {name: other for name, other in registry.features.items() if other.of == feature.of}
        _check_names(user, "input", feature.inputs, {**INPUTS[feature.of], **steps})
    _check_circles(registry, {name: feature.inputs for name, feature in registry.features.items()})
    _check_circles(registry, {name: inputs(table.function) for name, table in registry.tables.items()})


def _check_circles(registry: Registry, needs: Mapping[str, Sequence[str]]) -> None:
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        names = list(dict.fromkeys(error.args[1]))
        known: dict[str, DerivedTable | Feature] = {**registry.tables, **registry.features}
        owners = sorted({_owner(registry, known[name]) for name in names})
        raise PluginError(
            f"{', '.join(names)} of the package {', '.join(owners)} need each other in a circle; "
            "take one of them out of the parameters of another"
        ) from None


def _owner(registry: Registry, value: DerivedTable | Feature) -> str:
    return registry.modules[value.function.__module__]


def _normal(package: str) -> str:
    """A package's name as installers compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()


def _check_names(user: str, what: str, wanted: Sequence[str], known: Mapping[str, object] | set[str]) -> None:
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise PluginError(f"{user} wants the {what} {name}, which no package offers{hint}")
