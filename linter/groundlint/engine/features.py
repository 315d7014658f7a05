"""A feature: a short value measured on each image or on each box's crop, a column of `images` or `crops`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any, TypeVar

# Workers import this module and no tables: it must stay light.

INPUTS = {
    "images": {
        "data": "the bytes of the file",
        "header": "the picture as Pillow opens it, not decoded",
        "pixels": "the picture in RGB, at most 160 pixels long, as a Pillow image",
        "detail": "the same, at most 320 pixels long",
    },
    "crops": {
        "crop": "the box in RGB at its own resolution, as a Pillow image",
        "context": "a `Context`: the box with what is round it",
    },
}
"""What a feature may ask for, by the name of its parameter; the name tells how deep the measuring has to look."""

VALUES = (float, int, bool, str, bytes)
"""Types that a feature may have."""


@dataclass(frozen=True)
class Feature:
    """A measured column. Its name is the function's, what it is stands in the function's docstring.

    A shared step has no `dtype`: features name it among their parameters, and it becomes no column.
    """

    function: Callable[..., Any]
    of: str
    version: int
    dtype: type | None
    only_labelled: bool = False
    only_sampled: bool = False
    requires: str | None = None
    length: int | None = None

    @property
    def name(self) -> str:
        """Name of the column."""
        return self.function.__name__

    @cached_property
    def key(self) -> str:
        """Name and version: by what values are remembered."""
        return f"{self.name}@{self.version}"

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """What it is measured on: inputs, or shared steps."""
        return tuple(inspect.signature(self.function).parameters)

    @cached_property
    def is_available(self) -> bool:
        """Whether the module that it requires is installed."""
        return self.requires is None or find_spec(self.requires) is not None

    def accepts(self, value: object) -> bool:
        """Whether a value is one that it can have, null aside."""
        kind = (int, float) if self.dtype is float else self.dtype
        if kind is None or not isinstance(value, kind):
            return False
        return self.length is None or (isinstance(value, bytes) and len(value) == self.length)

    @property
    def place(self) -> tuple[str, str]:
        """Module and name by which another process finds it."""
        return self.function.__module__, self.name


_Function = TypeVar("_Function", bound=Callable[..., Any])


def feature(
    *,
    of: str,
    dtype: type,
    version: int = 1,
    only_labelled: bool = False,
    only_sampled: bool = False,
    requires: str | None = None,
    length: int | None = None,
) -> Callable[[Callable[..., Any]], Feature]:
    """Declare a function as a feature.

    Args:
        of: "images" or "crops".
        dtype: float, int, bool, str or bytes; the function may return None where there is nothing to measure.
        version: to be raised when the values change, so that cached ones are not used.
        only_labelled: measured only on images that have a label of their own, null elsewhere; for what is dear.
        only_sampled: measured only on some of the crops of a label that has very many, null elsewhere; likewise.
        requires: a module of an optional dependency; where it is not installed the feature is null everywhere.
        length: how many bytes every value of a feature of bytes has; what a cache says otherwise is not used.
    """
    _check_table(of)
    if dtype not in VALUES:
        raise ValueError(f"a feature is {', '.join(value.__name__ for value in VALUES)}, not {dtype!r}")
    return lambda function: Feature(function, of, version, dtype, only_labelled, only_sampled, requires, length)


def step(*, of: str) -> Callable[[Callable[..., Any]], Feature]:
    """Declare a function as a step that several features share; it is computed once for each image or crop."""
    _check_table(of)
    return lambda function: Feature(function, of, 1, None)


def _check_table(of: str) -> None:
    if of not in INPUTS:
        raise ValueError(f"a feature is of {' or '.join(INPUTS)}, not of {of!r}")


def file_features(features: Iterable[Feature]) -> set[str]:
    """Names of those image features that can be measured although the image cannot be decoded."""
    known = {feature.name: feature for feature in features if feature.of == "images"}

    def raw(name: str) -> set[str]:
        return set().union(*(raw(needed) for needed in known[name].inputs)) if name in known else {name}

    return {name for name in known if raw(name) <= {"data", "header"}}
