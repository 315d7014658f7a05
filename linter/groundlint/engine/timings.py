"""Where the time of a run goes: seconds by stage, rule, derived table and feature."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Literal, NamedTuple

Kind = Literal["stage", "rule", "table", "feature"]


class Timed(NamedTuple):
    """What took time: its kind and its name, which for a rule is its code."""

    kind: Kind
    name: str


class Stopwatch:
    """Adds up the wall time of what is timed, without the time of what is timed within it.

    So the time of a rule leaves out the derived tables that it is the first to need, and the time of a table leaves out
    those that it is computed from.

    Attributes:
        seconds: What was timed so far.
    """

    def __init__(self) -> None:
        self.seconds: dict[Timed, float] = {}
        self._within: list[float] = []

    @contextlib.contextmanager
    def timing(self, kind: Kind, name: str) -> Iterator[None]:
        """Time what is done in this context, also if it raises. The same name may be timed again."""
        timed = Timed(kind, name)
        start = time.perf_counter()
        self._within.append(0)
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[timed] = self.seconds.get(timed, 0) + elapsed - self._within.pop()
            if self._within:
                self._within[-1] += elapsed
