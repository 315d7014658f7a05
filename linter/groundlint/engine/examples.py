"""Examples of rules: a few partial rows, or lines of a manifest, that are sound or that a rule must find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Row = Mapping[str, Any]
"""A partial row of a table; the defaults of its columns complete it."""


class Example:
    """Data on which a rule is judged.

    Args:
        manifest: Text of a training manifest, read as a file is.
        test_manifest: Text of the test manifest of the same data set.
        options: Options of the rule.
        tables: Partial rows by table. Defaults complete them, and rows of the tables that they belong to are added.
    """

    def __init__(
        self,
        *,
        manifest: str | None = None,
        test_manifest: str | None = None,
        options: Mapping[str, Any] | None = None,
        **tables: Sequence[Row],
    ) -> None:
        self.manifests = {"train": manifest, "test": test_manifest}
        self.options = dict(options or {})
        self.rows = tables


class Good(Example):
    """An example in which the rule finds nothing."""


class Bad(Example):
    """An example in which the rule finds something.

    Args:
        says: The message of one of its findings, word for word.
        parts: As for `Example`.
    """

    def __init__(self, *, says: str | None = None, **parts: Any) -> None:
        super().__init__(**parts)
        self.says = says
