"""Why a label attribute has the wrong format: its JSON Schema is asked once for each distinct shape of fault."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from groundlint.manifest.kinds import Kind, Values
from groundlint.manifest.label_formats import schemas

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_LOCATION = re.compile(r" - at `\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_SHOWN = 40
_ON_KEYS = (Kind.LABEL_WITHOUT_KEY, Kind.METADATA_WITHOUT_KEY)
"""Kinds of faults on a missing key, whose value `found` is the key that probably stands for it."""
_ROOT_HINT = "write the label as the manifest format says"


class Fault(NamedTuple):
    """One fault: its kind, the values for its message, its place in the line, and its label."""

    kind: Kind
    values: Values
    pointer: str | None = None
    label: str | None = None


class _Reason(NamedTuple):
    """The part that all faults of one shape share."""

    kind: Kind
    values: Values


class Explainer:
    """Explains the faults of one manifest. Faults of one shape are validated once and differ in place and value."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[Any, ...], _Reason] = {}

    def explain(self, schema: str, key: str, value: object, refusal: str) -> Fault:
        """Explain why the value of `key` does not match a schema.

        Args:
            schema: Name of the schema, as "detection-metadata".
            key: Key of the line that holds the value.
            value: The parsed value.
            refusal: Message of the typed decoder that refused it; it says where.
        """
        found = _LOCATION.search(refusal)
        steps = _steps(found[1], value) if found else []
        part = _walk(value, steps)
        keys = tuple(part) if isinstance(part, dict) else type(part)
        shape = (schema, re.sub(r"\[\d+\]", "[]", refusal), keys)
        if shape not in self._reasons:
            self._reasons[shape] = _reason(schema, value, steps)
        path = key + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
        pointer = "/" + "/".join(escape(str(step)) for step in [key, *steps])
        reason = self._reasons[shape]
        values: dict[str, str | int] = {"key": path, **reason.values}
        if reason.kind not in _ON_KEYS:
            values["found"] = describe(part)
        if isinstance(part, list):
            values["count"] = len(part)
        return Fault(reason.kind, values, pointer)


def closest(wanted: str, written: Iterable[str], *, cutoff: float = 0.8) -> str | None:
    """The written key that most likely stands for the wanted one; None where none is similar."""
    plain = {_plain(key): key for key in written if _plain(key)}
    near = difflib.get_close_matches(_plain(wanted), plain, n=1, cutoff=cutoff)
    return plain[near[0]] if near else None


def escape(key: str) -> str:
    """A key as a step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


@cache
def validator(name: str) -> Validator:
    """The validator of the schema of a label attribute, by its name, as "detection"."""
    # Costs more than reading a small manifest, and most manifests have nothing to explain.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schemas()[name])


def _reason(name: str, value: Any, steps: list[str | int]) -> _Reason:
    errors = list(validator(name).iter_errors(value))
    here = [error for error in errors if list(error.absolute_path) == steps] or errors
    if not here:
        raise AssertionError(f"the {name} schema accepts what the reader refuses: {value!r:.200}")
    return _reason_of(here[0], of_metadata=name.endswith("-metadata"), is_root=not steps)


def _reason_of(error: ValidationError, *, of_metadata: bool, is_root: bool) -> _Reason:
    keyword, expected = str(error.validator), cast("Any", error.validator_value)
    schema, found = cast("Any", error.schema), cast("Any", error.instance)
    hint = _ROOT_HINT if is_root else schema.get("description", _ROOT_HINT)
    if keyword == "required":
        missing = next(key for key in expected if key not in found)
        meant = closest(missing, (key for key in found if key not in schema["properties"]))
        hint = f"rename `{meant}`" if meant else schema["properties"][missing]["description"]
        kind = Kind.METADATA_WITHOUT_KEY if of_metadata else Kind.LABEL_WITHOUT_KEY
        return _Reason(kind, {"expected": missing, "hint": hint, **({"found": meant} if meant else {})})
    if keyword in ("minItems", "maxItems"):
        return _Reason(Kind.LABEL_WITH_INVALID_LENGTH, {"limit": expected, "hint": hint})
    if keyword == "minLength":
        return _Reason(Kind.METADATA_WITH_EMPTY_NAME, {"hint": hint})
    kind = Kind.METADATA_WITH_INVALID_VALUE if of_metadata else Kind.LABEL_WITH_INVALID_VALUE
    if keyword == "anyOf":
        return _Reason(kind, {"expected": "a whole number", "hint": "write the index of the class"})
    return _Reason(kind, {"expected": _wish(keyword, expected), "hint": hint})


def _wish(keyword: str, expected: Any) -> str:
    """What a schema expects of a value, in words."""
    if keyword == "type":
        return _TYPES[expected]
    if keyword == "enum":
        return " or ".join(json.dumps(choice) for choice in sorted(expected, reverse=True))
    if keyword == "minimum":
        return f"at least {expected:,.0f}"
    return f"at most {expected:,.0f}" if keyword == "maximum" else "a date"


_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
}


def describe(value: object) -> str:
    """A value in the words of JSON."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, float) and math.isinf(value):
        return "a number out of range"
    shown = json.dumps(value, ensure_ascii=False)
    kind = "the string " if isinstance(value, str) else ""
    return kind + (shown if len(shown) <= _SHOWN else shown[: _SHOWN - 1] + "…")


def _steps(location: str, value: Any) -> list[str | int]:
    """`.annotations[3].left` as keys and positions.

    The decoder does not name the key of a map, which is only a class map: it is the first without a name.
    """
    steps: list[str | int] = []
    for key, position in _STEP.findall(location):
        if position == "...":
            names = _walk(value, steps)
            steps += [id_ for id_, name in names.items() if not (isinstance(name, str) and name)][:1]
        else:
            steps.append(int(position) if position else key)
    return steps


def _walk(value: Any, steps: list[str | int]) -> Any:
    for step in steps:
        value = value[step]
    return value


def _plain(key: str) -> str:
    return re.sub(r"[\s_-]+", "", key.casefold())
