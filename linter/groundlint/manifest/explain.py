"""Why a label has the wrong form: the published schemas, asked once for each distinct shape of fault."""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

_LOCATION = re.compile(r" - at `\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\.\.\.)\]")
_SHOWN = 40


class Fault(NamedTuple):
    """Where a value breaks its schema, and a sentence on what was found, what was expected and how to mend it."""

    pointer: str
    detail: str


class Explainer:
    """Explains the faults of one manifest. Faults of one shape are validated once and differ in place and value."""

    def __init__(self) -> None:
        self._reasons: dict[tuple[Any, ...], str] = {}

    def explain(self, schema: str, key: str, value: object, refusal: str) -> Fault:
        """Explain why the value of `key` breaks a schema.

        Args:
            schema: name of the schema, as "detection-metadata".
            key: key of the line that holds the value.
            value: what was parsed.
            refusal: message of the typed decoder that refused it; it says where.
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
        reason = self._reasons[shape].replace(_FOUND, describe(part))
        if isinstance(part, list):
            reason = reason.replace(_COUNT, f"{len(part)}")
        return Fault(pointer, f"`{path}` {reason}")


def closest(wanted: str, written: Iterable[str], *, cutoff: float = 0.8) -> str | None:
    """The written key that most likely stands for the wanted one; None where none comes near."""
    plain = {_plain(key): key for key in written if _plain(key)}
    near = difflib.get_close_matches(_plain(wanted), plain, n=1, cutoff=cutoff)
    return plain[near[0]] if near else None


def escape(key: str) -> str:
    """A key as a step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def schema(name: str) -> dict[str, Any]:
    """A published schema by its name, as "detection"."""
    text = resources.files("groundlint.manifest").joinpath("schemas", f"{name}.schema.json").read_text("utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def validator(name: str) -> Validator:
    """The validator of a published schema."""
    # Costs more than reading a small manifest, and most manifests have nothing to explain.
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema(name))


# They stand for what differs between faults of one shape.
_FOUND = "\0"
_COUNT = "\1"


def _reason(name: str, value: Any, steps: list[str | int]) -> str:
    errors = list(validator(name).iter_errors(value))
    here = [error for error in errors if list(error.absolute_path) == steps] or errors
    if not here:
        raise AssertionError(f"the {name} schema accepts what the reader refuses: {value!r:.200}")
    return _sentence(here[0])


def _sentence(error: ValidationError) -> str:
    rule = str(error.validator)
    expected: Any = error.validator_value
    schema: Any = error.schema
    found: Any = error.instance
    mend = schema.get("description")
    if rule == "required":
        missing = next(key for key in expected if key not in found)
        meant = closest(missing, (key for key in found if key not in schema["properties"]))
        hint = f"{meant}: did you mean {missing}?" if meant else schema["properties"][missing]["description"]
        return f"has no `{missing}`; {hint}"
    if rule == "type":
        wish = f"expected {_TYPES[expected]}"
    elif rule == "enum":
        wish = f"expected {' or '.join(json.dumps(choice) for choice in expected)}"
    elif rule == "anyOf":
        wish, mend = "expected a whole number", "write the index of the class"
    elif rule in ("minItems", "maxItems"):
        return f"holds {_COUNT} entries, expected {expected}; {mend}"
    elif rule == "minLength":
        return f"is empty; {mend}"
    else:
        wish = "out of range" if rule in ("minimum", "maximum") else "expected another form"
    return f"is {_FOUND}, {wish}" + (f"; {mend}" if mend else "")


_TYPES = {
    "object": "an object",
    "array": "a list",
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
}


def describe(value: object) -> str:
    """What stands somewhere, in the words of JSON."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, float) and math.isinf(value):
        return "a number beyond all limits"
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
