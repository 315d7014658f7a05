"""Features: short values measured on each image or on the crop of each box, as columns of `images` or `crops`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

# Worker processes import this module but no tables, so it must stay light.

INPUTS = {
    "images": {
        "data": "the bytes of the file",
        "head": "the first 64 bytes of the file",
        "header": "the image as Pillow opens it, not decoded",
        "pixels": "the image in RGB, at most 160 px on its longer side, as a Pillow image",
        "detail": "the image in RGB, at most 320 px on its longer side, as a Pillow image",
        "whole": "the image in RGB at full size, as a Pillow image; decoding it is costly, so only for a few images",
    },
    "crops": {
        "crop": "the content of the box in RGB, as a Pillow image; its shorter side is reduced to no less than 128 px",
        "context": "the box and a quarter of its size around it, as a `Context`",
    },
}
"""What a feature may be measured on, by the name of its parameter: it says how much of the file must be decoded."""

_OF_HEADER = frozenset({"head", "header"})
"""Inputs that need only the beginning of most files."""

VALUES = (float, int, bool, str, bytes)
"""Types that the values of a feature may have."""


MAX_LENGTH = 1_000_000
"""Bytes or characters that one value may have: there may be a million rows."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class FeaturePlace(NamedTuple):
    """Where a feature is: its module and name, and the key that it has there."""

    module: str
    name: str
    key: str


@dataclass(frozen=True)
class Feature:
    """A measured column, named after its function. The function's docstring describes the value and its unit.

    A shared step has no `dtype`: features use it as a parameter, and it does not become a column.
    """

    function: Callable[..., Any]
    of: str
    version: int
    dtype: type | None
    costly: bool = False
    only_labeled: bool = False
    only_sampled: bool = False
    length: int | None = None
    when: Callable[..., bool] | None = None

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.function.__name__

    @cached_property
    def key(self) -> str:
        """Name and version, under which values are cached."""
        return f"{self.name}@{self.version}"

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Inputs and shared steps that it is measured on."""
        return tuple(inspect.signature(self.function).parameters)

    @cached_property
    def condition_inputs(self) -> tuple[str, ...]:
        """Features on whose values it depends whether it is measured."""
        return tuple(inspect.signature(self.when).parameters) if self.when else ()

    @property
    def needs(self) -> tuple[str, ...]:
        """All inputs, steps and features that it cannot do without."""
        return (*self.inputs, *self.condition_inputs)

    @property
    def is_costly(self) -> bool:
        """Whether it is measured after all other features, and not at all if costly ones are left out."""
        return self.costly or self.only_labeled or self.only_sampled

    def accepts(self, value: object) -> bool:
        """Whether a value other than null is one that the column can hold."""
        return self.objection(value) is None

    def objection(self, value: object) -> str | None:
        """Return what is wrong with a value other than null; None if nothing is."""
        assert self.dtype is not None
        if not isinstance(value, (int, float) if self.dtype is float else self.dtype):
            return type(value).__name__
        if self.dtype is int and isinstance(value, int) and not -(2**63) <= value < 2**63:
            return "an integer of more than 64 bits"
        if isinstance(value, str | bytes):
            if len(value) > MAX_LENGTH:
                return f"{type(value).__name__} of length {len(value):,}"
            if isinstance(value, str) and not value.isascii() and _SURROGATE.search(value):
                return "text with lone surrogates"
            if self.length is not None and len(value) != self.length:
                return f"{type(value).__name__} of length {len(value):,}"
        return None

    @property
    def place(self) -> FeaturePlace:
        """How another process finds it."""
        return FeaturePlace(self.function.__module__, self.name, self.key)


_Function = TypeVar("_Function", bound=Callable[..., Any])


def feature(
    *,
    of: str,
    dtype: type,
    version: int = 1,
    costly: bool = False,
    only_labeled: bool = False,
    only_sampled: bool = False,
    length: int | None = None,
    when: Callable[..., bool] | None = None,
) -> Callable[[Callable[..., Any]], Feature]:
    """Declare a function as a feature.

    Args:
        of: "images" or "crops".
        dtype: float, int, bool, str or bytes. The function may return None where there is nothing to measure.
        version: Raise it when the values change, so that cached values are not used.
        costly: Measure it on all images, but not in a run without rules of cost slow. Features with `only_labeled` or
            `only_sampled` are costly too.
        only_labeled: Measure it only on images with an image-level label; elsewhere it is null. For costly features.
        only_sampled: Measure it only on a sample of the crops of labels with very many boxes; elsewhere it is null.
        length: Number of bytes that every value of a feature of bytes has. Cached values of another length are ignored.
        when: Whether to measure it, given the values of other features of the same image or crop, which its parameters
            name; elsewhere it is null. So suspects of a cheap feature are measured again, in more depth. Raise
            `version` when the condition changes.

    Raises:
        ValueError: The table or the type is not one that a feature may have.
    """
    _check_table(of)
    if dtype not in VALUES:
        raise ValueError(f"the dtype of a feature is one of {', '.join(v.__name__ for v in VALUES)}, not {dtype!r}")
    return lambda function: Feature(function, of, version, dtype, costly, only_labeled, only_sampled, length, when)


def step(*, of: str) -> Callable[[Callable[..., Any]], Feature]:
    """Declare a function as a step that several features share. It is computed once for each image or crop."""
    _check_table(of)
    return lambda function: Feature(function, of, 1, None)


def _check_table(of: str) -> None:
    if of not in INPUTS:
        raise ValueError(f"a feature is measured on {' or '.join(INPUTS)}, not on {of!r}")


def file_features(features: Iterable[Feature]) -> set[str]:
    """Names of the image features that can be measured even if the image cannot be decoded."""
    return _measured_on(features, {"data", *_OF_HEADER})


def header_features(features: Iterable[Feature]) -> set[str]:
    """Names of the image features that can be measured on the beginning of most files."""
    return _measured_on(features, _OF_HEADER)


def _measured_on(features: Iterable[Feature], inputs: Set[str]) -> set[str]:
    """Names of the image features that need no other inputs than these."""
    known = {feature.name: feature for feature in features if feature.of == "images"}

    def raw(name: str) -> set[str]:
        return set().union(*(raw(needed) for needed in known[name].needs)) if name in known else {name}

    return {name for name in known if raw(name) <= inputs}
