"""A rule: one fault of a data set, as a query over tables, with its options, examples and explanation."""

# Not with `from __future__ import annotations`: pydantic would evaluate the base's annotations for each rule anew.
import inspect
import re
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

    from groundlint.engine.examples import Example

TARGETS = ("rekognition", "ground-truth")

_CODE = re.compile(r"[A-Z]{3}[0-9]{3}")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


class Severity(StrEnum):
    """How much a finding weighs."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


def Option(default: Any, *, description: str, **limits: Any) -> Any:  # noqa: N802 - it stands where a class would
    """An option of a rule.

    Args:
        default: its value unless the configuration gives one.
        description: one sentence for the rule's page.
        limits: what pydantic's `Field` takes: ge, gt, le, lt, min_length, pattern, …
    """
    return Field(default, description=description, **limits)


class Rule(BaseModel):
    """Base of all rules. Annotated fields are its options; what describes it are class variables without annotation.

    The parameters of `check` name the tables it judges. The rows that it returns are the findings: the key columns
    manifest, line, attribute, box, label and source_ref say where; all columns and options may fill `message`; optional
    are `score` (0 sound to 1 bad), `severity`, `loses`, `aws`, and `related` (a list of structs with the keys manifest,
    line, attribute, box, source_ref, or of source_ref alone).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True, validate_default=True)

    code: ClassVar[str]
    """Three letters for the family, three digits."""
    name: ClassVar[str]
    """The fault, in kebab-case, so that "allow <name>" reads well."""
    severity: ClassVar[Severity]
    message: ClassVar[str]
    """A format string over the columns of a finding's row and the rule's options."""
    examples: ClassVar["tuple[Example, ...]"] = ()
    aws: ClassVar[str | None] = None
    """The service's code for this fault."""
    targets: ClassVar[tuple[str, ...]] = TARGETS
    """The targets under which the rule is judged."""
    is_summed_up: ClassVar[bool] = False
    """Whether reports for people show one finding of a manifest and a count: single ones are no news."""
    features: ClassVar[tuple[str, ...]] = ()
    """Measured columns that it wants in `images` or `crops`."""
    check: ClassVar[Callable[..., "LazyFrame | DataFrame"]]
    """A method of the rule: takes the tables that its parameters name, and returns the rows that are findings."""


def inputs(function: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the tables that a check or a derived table takes: its parameters."""
    return _parameters(getattr(function, "__func__", function))


@cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Remembered, since a run asks some thousand times and looking takes as long as judging a small manifest."""
    return tuple(name for name in inspect.signature(function).parameters if name != "self")


def defects(rule: type[Rule]) -> list[str]:
    """What keeps a class from being a rule, as sentences; empty for a sound one."""
    annotated = vars(Rule)["__class_vars__"] & set(rule.model_fields)
    found = [f"`{name}` must stand without annotation" for name in sorted(annotated)]
    found += [
        f"it has no `{name}`" for name in ("code", "name", "severity", "message", "check") if not hasattr(rule, name)
    ]
    if found:
        return found
    if not _CODE.fullmatch(rule.code):
        found.append(f"its code {rule.code!r} is not three capital letters and three digits")
    if not _NAME.fullmatch(rule.name):
        found.append(f"its name {rule.name!r} is not in kebab-case")
    if rule.severity not in list(Severity):
        found.append(f"its severity {rule.severity!r} is no Severity")
    if unknown := sorted(set(rule.targets) - set(TARGETS)):
        found.append(f"its target {unknown[0]!r} is unknown")
    if not (rule.__doc__ or "").strip().split("\n")[0].endswith("."):
        found.append("its docstring does not begin with a sentence")
    if shadowed := sorted(name for name in rule.model_fields if hasattr(BaseModel, name)):
        found.append(f"its option {shadowed[0]!r} hides a method of pydantic's models; rename it")
    if not inputs(rule.check):
        found.append("its check names no table")
    # Building a validator costs, and without options there is nothing to validate.
    if rule.model_fields:
        try:
            rule()
        except ValueError as error:
            found.append(f"the default of an option is refused: {error}")
    return found
