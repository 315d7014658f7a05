"""Fixes for tests: in the process of the tests, on files of the working directory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from runs import REGISTRY

from groundlint import fixing
from groundlint.config import settings
from groundlint.config.data_sets import Request
from groundlint.engine.registry import Registry
from groundlint.outcomes import Outcome
from groundlint.policy.selection import of_config
from groundlint.session import Session


def fixed(
    *paths: str, unsafe: bool = False, request: Request | None = None, rules: Registry = REGISTRY, **flags: Any
) -> fixing.Fixed:
    """What fixes make of manifests; nothing is written.

    Args:
        paths: Manifests.
        unsafe: Whether unsafe fixes are applied too.
        request: What to fix, in place of `paths`.
        rules: The registry.
        flags: Settings that flags set.
    """
    path = settings.find(Path.cwd())
    config = settings.override(settings.load(path) if path else settings.Config(), flags)
    asked = request or Request(paths)
    selection = of_config(rules, config)

    def judge(contents: Mapping[str, bytes]) -> Outcome:
        return Session(rules, config, replace(asked, contents=contents)).check(selection)

    return fixing.fixed(judge, config, asked, unsafe=unsafe)


def contents(of: fixing.Fixed) -> dict[str, bytes]:
    """The bytes of the manifests that fixes changed, by name."""
    return {change.snapshot.name: change.data for change in of.changes}


def write(of: fixing.Fixed) -> None:
    """Write the manifests that fixes changed."""
    for change in of.changes:
        Path(change.snapshot.name).write_bytes(change.data)
