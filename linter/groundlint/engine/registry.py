"""Rules, notes, derived tables and features of installed packages; built-in ones are loaded like those of plugins."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType
from typing import TypeGuard

from groundlint.engine.base_tables import BASE
from groundlint.engine.features import INPUTS, Feature
from groundlint.engine.graph import Graph
from groundlint.engine.notes import Note
from groundlint.engine.rule import Rule, Status, defects
from groundlint.engine.tables import DerivedTable
from groundlint.errors import GroundlintError
from groundlint.phrases import suggestion

ENTRY_POINTS = "groundlint.rules"
"""Group of entry points; each names a package or module with rules, notes, tables and features."""

DISTRIBUTION = "groundlint"

ALL = "ALL"
"""The selector of all rules."""


class PluginError(GroundlintError):
    """A package with rules cannot be used."""


class SelectionError(GroundlintError):
    """A selector names no rule."""


@dataclass
class Registry:
    """What the installed packages offer, by code, kind or name."""

    rules: dict[str, type[Rule]] = field(default_factory=dict)
    notes: dict[str, Note] = field(default_factory=dict)
    tables: dict[str, DerivedTable] = field(default_factory=dict)
    features: dict[str, Feature] = field(default_factory=dict)
    packages: dict[str, str] = field(default_factory=dict)
    """The package of each rule, note, table and feature, by code, kind or name."""
    modules: set[str] = field(default_factory=set)
    """Names of the modules that were searched."""

    @cached_property
    def graph(self) -> Graph:
        """The dependencies among tables and features."""
        return Graph(self.tables, self.features)

    def find(self, name: str) -> type[Rule]:
        """A rule by its code, name or service code.

        Raises:
            SelectionError: There is none, or several have the service code.
        """
        rules = self.named(name)
        if len(rules) > 1:
            raise SelectionError(f"several rules have {name}: {', '.join(rule.code for rule in rules)}; name one")
        return rules[0]

    def named(self, name: str) -> list[type[Rule]]:
        """The rules with a code, name or service code, by code; several rules may share a service code.

        Raises:
            SelectionError: There is none.
        """
        codes = self._exact(name)
        if not codes:
            raise SelectionError(self._unknown(name))
        return [self.rules[code] for code in codes]

    def family(self, prefix: str) -> list[type[Rule]]:
        """The rules whose codes begin with a prefix, by code; none if no code does."""
        return [rule for code, rule in sorted(self.rules.items()) if code.startswith(prefix.upper())]

    def select(self, select: Sequence[str], ignore: Sequence[str], *, target: str, preview: bool) -> list[str]:
        """Codes of the selected rules of a target, sorted. The longest selector that matches a rule decides.

        Args:
            select: Codes, prefixes of codes, names, service codes, or ALL, in any case.
            ignore: The same; wins against an equally long selector in `select`.
            target: "rekognition" or "ground-truth".
            preview: Whether rules in preview are selected too. Otherwise they must be selected by code or name.

        Raises:
            SelectionError: A selector matches no rule.
        """
        best: dict[str, tuple[int, bool]] = {}
        exact: set[str] = set()
        for selectors, is_selected in ((select, True), (ignore, False)):
            for selector in selectors:
                matching = self.matching(selector)
                if is_selected and self._exact(selector):
                    exact |= matching.keys()
                for code, length in matching.items():
                    if length > best.get(code, (-1, True))[0] or (length == best[code][0] and not is_selected):
                        best[code] = (length, is_selected)
        return sorted(
            code
            for code, (_, is_chosen) in best.items()
            if is_chosen
            and target in self.rules[code].targets
            and (preview or code in exact or self.rules[code].status is Status.STABLE)
        )

    def matching(self, selector: str) -> dict[str, int]:
        """Codes of the rules that a selector matches, and how precisely: a full name counts as a full code.

        Raises:
            SelectionError: It matches none.
        """
        if selector.upper() == ALL:
            return dict.fromkeys(self.rules, 0)
        if exact := self._exact(selector):
            return {code: len(code) for code in exact}
        by_prefix = {rule.code: len(selector) for rule in self.family(selector)} if selector else {}
        if not by_prefix:
            raise SelectionError(self._unknown(selector))
        return by_prefix

    def of_package(self, name: str) -> list[type[Rule]]:
        """The rules of a package, named as it is installed or imported; empty if it has none."""
        return [
            rule
            for code, rule in sorted(self.rules.items())
            if _normal(name) in (_normal(self.packages[code]), _normal(rule.__module__.partition(".")[0]))
        ]

    def _exact(self, name: str) -> list[str]:
        """Codes of the rules with a code, name or service code, in any case."""
        wanted = name.lower()
        return sorted(
            code
            for code, rule in self.rules.items()
            if wanted in (code.lower(), rule.name.lower(), (rule.aws or "").lower() or None)
        )

    def _unknown(self, selector: str) -> str:
        known = [name for rule in self.rules.values() for name in (rule.code, rule.name, rule.aws) if name]
        return f"no rule has the code or name {selector!r}{suggestion(selector, known)}"


def load(*, isolated: bool = False) -> Registry:
    """Load the installed packages with rules.

    Args:
        isolated: Only groundlint's own.

    Raises:
        PluginError: A package cannot be imported, or what it offers cannot be used.
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
                registry.modules.add(module.__name__)
                _register(registry, module, package)
    for fault in registry.graph.faults(registry.rules, registry.notes, registry.packages):
        raise PluginError(fault)
    return registry


def _modules(point: EntryPoint, package: str) -> Iterator[ModuleType]:
    """The modules of a package to search: all public ones, or those that the package names in `__all__`."""
    try:
        root = point.load()
        yield root
        public = getattr(root, "__all__", None)
        for found in pkgutil.walk_packages(getattr(root, "__path__", ()), f"{root.__name__}."):
            # Importing `__main__` would run the package's own command.
            is_private = found.name.rpartition(".")[2].startswith("_")
            top = found.name.removeprefix(f"{root.__name__}.").partition(".")[0]
            if not is_private and (public is None or top in public):
                yield importlib.import_module(found.name)
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"the package {package} cannot be loaded: {type(error).__name__}: {error}; fix or uninstall it"
        ) from error


def _register(registry: Registry, module: ModuleType, package: str) -> None:
    """Add what a module defines itself; what it imports is added with the module that defines it."""
    for value in list(vars(module).values()):
        if isinstance(value, DerivedTable | Feature | Note) and value.function.__module__ == module.__name__:
            _add_function(registry, value, package)
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


def _add_function(registry: Registry, value: DerivedTable | Feature | Note, package: str) -> None:
    """Add a derived table, feature or note; no two of them share a name."""
    name = value.kind if isinstance(value, Note) else value.name
    if name in {*BASE, *registry.tables, *registry.features, *registry.notes}:
        raise PluginError(f"the package {package} has a table, feature or note {name}, which exists already; rename it")
    if isinstance(value, Feature) and value.name in {*BASE[value.of].columns, *INPUTS[value.of]}:
        raise PluginError(f"the package {package} has a feature {name}, which {value.of} have already; rename it")
    if isinstance(value, Note):
        registry.notes[name] = value
    elif isinstance(value, Feature):
        registry.features[name] = value
    else:
        registry.tables[name] = value
    registry.packages[name] = package


def _normal(package: str) -> str:
    """A package's name as installers compare it."""
    return re.sub(r"[-_.]+", "-", package).lower()
