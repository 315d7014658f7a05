"""A rule: one fault of a data set, as a query over tables, with its options, examples and explanation."""

# Not with `from __future__ import annotations`: pydantic would evaluate the base's annotations again for each rule.
import inspect
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from polars import DataFrame, LazyFrame

    from groundlint.engine.examples import Example

TARGETS = ("rekognition", "ground-truth")

FACT = 1.0
"""The `precision` of a rule that reports plain facts, such as a duplicate key."""

_CODE = re.compile(r"[A-Z]{3}[0-9]{3}")
_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)*")


class Severity(StrEnum):
    """How serious a finding is."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Status(StrEnum):
    """Whether a rule is on by default."""

    STABLE = "stable"
    PREVIEW = "preview"


class Cost(StrEnum):
    """What a rule costs: a slow one runs a neural network on every image or box, and `--fast` leaves it out."""

    FAST = "fast"
    SLOW = "slow"


class Safety(StrEnum):
    """Whether a fix may change what a manifest means: a safe one cannot."""

    SAFE = "safe"
    UNSAFE = "unsafe"


def Option(default: Any, *, description: str, **limits: Any) -> Any:  # noqa: N802 - used like a class
    """Declare an option of a rule.

    Args:
        default: Value if the configuration gives none.
        description: One sentence for the rule's page.
        limits: Arguments of pydantic's `Field`: ge, gt, le, lt, min_length, pattern, …
    """
    return Field(default, description=description, **limits)


class Rule(BaseModel):
    """Base class of all rules.

    Annotated fields of a subclass are its options. Everything else is a class variable without annotation.

    The parameters of `check` name the tables that it needs. The rows that it returns are the findings:

    - Location: the key columns manifest, line, attribute, box, label and source_ref, as far as they are present and not
      null. The engine completes them from `box_id`, `attribute_id` or `line_id`, and else from `data_set`, which every
      row must have.
    - Message: all columns and options may be used in `message`.
    - Optional columns: `score` (0 sound to 1 bad), `severity`, `loses`, `aws`, `pointer` (JSON pointer into the line),
      `caused_by`, `suggested_label` (what to change the label to), and `related` (a list of structs with the keys
      manifest, line, attribute, box and source_ref, a list of source-refs, or a list of boxes of the same attribute).
    - Fix: `edits`, a list of edits such as `set_value` and `remove_line` make, null or empty where there is none. `fix`
      says how safe it is, where `fixes` has more than one entry.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True, validate_default=True)

    code: ClassVar[str]
    """Three letters for the family and three digits."""
    name: ClassVar[str]
    """The fault in kebab case: it completes the sentence "this data set has …"."""
    status: ClassVar[Status] = Status.STABLE
    severity: ClassVar[Severity]
    cost: ClassVar[Cost] = Cost.FAST
    precision: ClassVar[float | None] = None
    """Share of its findings that people judged right on public data; `FACT` for facts, None where not measured."""
    message: ClassVar[str]
    """Format string over the columns of a finding's row and the rule's options."""
    messages: ClassVar[Mapping[str, str]] = {}
    """Format strings by the row's `kind`, for rules whose findings have several causes; they replace `message`."""
    examples: ClassVar["tuple[Example, ...]"] = ()
    aws: ClassVar[str | None] = None
    """The service's code for this fault."""
    targets: ClassVar[tuple[str, ...]] = TARGETS
    """Targets for which the rule is judged."""
    features: ClassVar[tuple[str, ...]] = ()
    """Measured columns that it needs in `images` or `crops`."""
    images_are_optional: ClassVar[bool] = False
    """Whether it finds something without images too, although it needs a table that is measured on them."""
    is_on_missing_images: ClassVar[bool] = False
    """Whether its findings say that images are missing, which makes them errors under `--require-images`."""
    typical: ClassVar[str | None] = None
    """What the images or boxes that it flags are, such as "blurred", if it may describe a whole data set.

    Where it flags more than a fifth of a data set, its findings are infos that say no more than that. None for rules
    whose findings stand for themselves.
    """
    fixes: ClassVar[Mapping[Safety, str]] = {}
    """What the fixes of its findings change, as sentences by how safe they are; empty where nothing can be fixed."""
    check: ClassVar[Callable[..., "LazyFrame | DataFrame"]]
    """Method that takes the tables named by its parameters and returns the rows that are findings."""


def family(rule: type[Rule]) -> str:
    """The family of a rule: the letters of its code."""
    return rule.code[:3]


def docstring(rule: type[Rule]) -> tuple[str, dict[str, str]]:
    """The first sentence of the docstring of a rule, and the sections below it by their headings."""
    first, _, rest = (inspect.getdoc(rule) or "").partition("\n\n")
    _, *parts = re.split(r"^## +(.+)\n", f"\n{rest.strip()}\n", flags=re.MULTILINE)
    headings = [heading.strip() for heading in parts[::2]]
    return " ".join(first.split()), dict(zip(headings, (text.strip() for text in parts[1::2]), strict=True))


def inputs(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the tables that a check, a derived table or a note takes: its parameters."""
    return _parameters(getattr(function, "__func__", function))


@cache
def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Cached, because a run asks a thousand times and inspecting takes as long as checking a small manifest."""
    return tuple(name for name in inspect.signature(function).parameters if name != "self")


def defects(rule: type[Rule]) -> list[str]:
    """What is wrong with the declaration of a rule, as sentences; empty if nothing is."""
    annotated = vars(Rule)["__class_vars__"] & set(rule.model_fields)
    found = [f"`{name}` must have no annotation" for name in sorted(annotated)]
    found += [f"it has no `{name}`" for name in ("code", "name", "severity", "check") if not hasattr(rule, name)]
    if not found and not hasattr(rule, "message") and not rule.messages:
        found.append("it has no `message`")
    if found:
        return found
    if not _CODE.fullmatch(rule.code):
        found.append(f"its code {rule.code!r} is not three capital letters and three digits")
    if not _NAME.fullmatch(rule.name):
        found.append(f"its name {rule.name!r} is not in kebab case")
    for attribute, kind in (("severity", Severity), ("status", Status), ("cost", Cost)):
        if (value := getattr(rule, attribute)) not in list(kind):
            found.append(f"its {attribute} {value!r} is not a {kind.__name__}")
    if rule.precision is not None and not 0 < rule.precision <= FACT:
        found.append(f"its precision {rule.precision!r} is not between 0 and 1")
    if unknown := sorted(set(rule.targets) - set(TARGETS)):
        found.append(f"its target {unknown[0]!r} is unknown")
    if unknown := sorted(set(rule.fixes) - set(Safety)):
        found.append(f"its fixes are safe or unsafe, not {unknown[0]!r}")
    if not (rule.__doc__ or "").strip().split("\n")[0].endswith("."):
        found.append("its docstring does not begin with a sentence")
    if shadowed := sorted(name for name in rule.model_fields if hasattr(BaseModel, name)):
        found.append(f"its option {shadowed[0]!r} hides a method of pydantic's models; rename the option")
    if not inputs(rule.check):
        found.append("its check names no table")
    # Building a validator costs, and without options there is nothing to validate.
    if rule.model_fields:
        try:
            rule()
        except ValueError as error:
            found.append(f"the default of an option is refused: {error}")
    return found
