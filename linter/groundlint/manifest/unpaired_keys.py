"""Keys of a line that look like a label without metadata, or like metadata without a label."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from groundlint.manifest.explain import closest
from groundlint.manifest.kinds import Kind, Values

NO_ATTRIBUTES = frozenset({"source", "source-ref"})
_NO_METADATA = frozenset(f"{name}-metadata" for name in NO_ATTRIBUTES)
# Written by the service's console and validation, never labels.
_BOOKKEEPING = frozenset({"cl-metadata", "cl-errors", "errors", "warnings"})
_META = re.compile(r"[\s_-]*meta[\s_-]*(?:data)?[\s_-]*$", re.IGNORECASE)
_LAST_WORD = re.compile(r"[\s_-]([^\s_-]+)$")
# `image` and `image_id` are two words, `animal` and `animals` most likely one.
_TYPO = 0.85


def attribute_keys(value: dict[str, Any]) -> list[str]:
    """Keys that have metadata."""
    return [key for key in value if key not in NO_ATTRIBUTES and f"{key}-metadata" in value]


class UnpairedKey(NamedTuple):
    """A key that has no counterpart: its kind of fault and the values for its message."""

    key: str
    kind: Kind
    values: Values


def orphans(value: dict[str, Any]) -> Iterator[UnpairedKey]:
    """Keys whose value has the form of a label or of a label's metadata, each without its counterpart."""
    single = unpaired(value)
    seen: set[str] = set()
    for key in single:
        # An attribute called source-ref is a fault of its own.
        if key in seen or key in _NO_METADATA or not has_form_of_label(key, value[key]):
            continue
        meant = _misnamed_partner(key, single)
        seen |= {key, meant or key}
        if meant is None:
            yield missing_counterpart(key, value)
        else:
            label, metadata = (meant, key) if _stem(key) is not None else (key, meant)
            values = {"key": label, "found": metadata, "expected": f"{label}-metadata"}
            yield UnpairedKey(label, Kind.MISNAMED_METADATA, values)


def unpaired(value: dict[str, Any]) -> list[str]:
    """Keys that are neither part of a label attribute nor known to be something else."""
    paired = attribute_keys(value)
    known = {*NO_ATTRIBUTES, *_BOOKKEEPING, *paired, *(f"{key}-metadata" for key in paired)}
    return [key for key in value if key not in known]


def missing_counterpart(key: str, value: dict[str, Any]) -> UnpairedKey:
    """The counterpart that a key lacks to be part of a label attribute."""
    stem = _stem(key)
    if stem is None:
        return UnpairedKey(key, Kind.UNPAIRED_KEY, {"key": key, "expected": f"{key}-metadata"})
    if not stem or stem in value:
        return UnpairedKey(key, Kind.METADATA_ONLY, {"key": key})
    return UnpairedKey(key, Kind.UNPAIRED_KEY, {"key": key, "expected": stem})


def _misnamed_partner(key: str, others: list[str]) -> str | None:
    """The counterpart of a key under a similar name: with other separators, another case, or a typo."""
    stem = _stem(key)
    names = {
        other if its_stem is None else its_stem: other
        for other in others
        if ((its_stem := _stem(other)) is None) != (stem is None)
    }
    near = closest(key if stem is None else stem, names, cutoff=_TYPO)
    return names[near] if near else None


# Lines of a manifest have the same keys, and comparing names is slow.
@lru_cache(maxsize=256)
def _stem(key: str) -> str | None:
    """The name of the attribute whose metadata a key is, by its name; None if it does not look like metadata."""
    if found := _META.search(key):
        return key[: found.start()]
    last = _LAST_WORD.search(key)
    return key[: last.start()] if last and closest("metadata", [last[1]], cutoff=_TYPO) else None


def has_form_of_label(key: str, part: Any) -> bool:
    """Whether a value has the form of a label, or under a key of metadata that of a label's metadata."""
    if not isinstance(part, dict):
        # A number is more likely an id of the user's than a label without metadata.
        return False
    if str(part.get("type")).startswith("groundtruth/"):
        return True
    if _stem(key) is None:
        annotations = part.get("annotations")
        return (
            annotations == []
            or _is_list_of_objects(annotations, "class_id")
            or _is_list_of_objects(part.get("image_size"), "width")
        )
    return (
        isinstance(part.get("class-name"), str)
        or isinstance(part.get("class-map"), dict)
        or part.get("human-annotated") in ("yes", "no")
        or _is_list_of_objects(part.get("objects"), "confidence")
    )


def _is_list_of_objects(part: Any, key: str) -> bool:
    """Whether a part is a list of at least one object, each with a key."""
    return isinstance(part, list) and bool(part) and all(isinstance(entry, dict) and key in entry for entry in part)
