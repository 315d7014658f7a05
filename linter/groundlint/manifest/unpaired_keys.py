"""Keys of a line that are half of a label: what stands alone, by its value, and what its other half seems to be."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from groundlint.manifest.explain import closest

NO_ATTRIBUTES = frozenset({"source", "source-ref"})
_NO_METADATA = frozenset(f"{name}-metadata" for name in NO_ATTRIBUTES)
# Written by the service's console and validation, never labels.
_BOOKKEEPING = frozenset({"cl-metadata", "cl-errors", "errors", "warnings"})
_META = re.compile(r"[\s_-]*meta[\s_-]*(?:data)?[\s_-]*$", re.IGNORECASE)
_LAST_WORD = re.compile(r"[\s_-]([^\s_-]+)$")
# `image` and `image_id` are two words, `animal` and `animals` most likely one.
_TYPO = 0.85


def attribute_keys(value: dict[str, Any]) -> list[str]:
    """Keys with metadata beside them."""
    return [key for key in value if key not in NO_ATTRIBUTES and f"{key}-metadata" in value]


def orphans(value: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Keys that by their value are one half of a label, each with what is missing."""
    single = unpaired(value)
    told: set[str] = set()
    for key in single:
        # That no label may be called source-ref is a fault of its own.
        if key in told or key in _NO_METADATA or not is_half_of_label(key, value[key]):
            continue
        meant = _misnamed_partner(key, single)
        told |= {key, meant or key}
        if meant is None:
            yield key, missing(key, value)
        else:
            label, metadata = (meant, key) if _stem(key) is not None else (key, meant)
            hint = f"{metadata}: did you mean {label}-metadata?"
            yield label, f"`{label}` has no `{label}-metadata` beside it; {hint}"


def unpaired(value: dict[str, Any]) -> list[str]:
    """Keys that are neither half of a label attribute nor known to be something else."""
    paired = attribute_keys(value)
    known = {*NO_ATTRIBUTES, *_BOOKKEEPING, *paired, *(f"{key}-metadata" for key in paired)}
    return [key for key in value if key not in known]


def missing(key: str, value: dict[str, Any]) -> str:
    """What a key lacks to be a label, as a sentence."""
    stem = _stem(key)
    if stem is None:
        return f"`{key}` has no `{key}-metadata` beside it; add it, or remove the key"
    if not stem or stem in value:
        return f"`{key}` is the metadata of no label; remove the key"
    return f"`{key}` has no `{stem}` beside it; add it, or remove the key"


def _misnamed_partner(key: str, others: list[str]) -> str | None:
    """The other half of a label, named nearly as it must be: with other separators or case, or a letter amiss."""
    stem = _stem(key)
    names = {
        other if its_stem is None else its_stem: other
        for other in others
        if ((its_stem := _stem(other)) is None) != (stem is None)
    }
    near = closest(key if stem is None else stem, names, cutoff=_TYPO)
    return names[near] if near else None


# Lines of a manifest have the same keys, and likeness takes its time.
@lru_cache(maxsize=256)
def _stem(key: str) -> str | None:
    """The name of the attribute whose metadata a key is by its name; None where it is none's."""
    if found := _META.search(key):
        return key[: found.start()]
    last = _LAST_WORD.search(key)
    return key[: last.start()] if last and closest("metadata", [last[1]], cutoff=_TYPO) else None


def is_half_of_label(key: str, part: Any) -> bool:
    """Whether a value has the shape of a label, or under a key of metadata that of a label's metadata."""
    if not isinstance(part, dict):
        # A number is more likely an id of the user's than a label that lost its metadata.
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
    """Whether a part is a list of objects, each with a key; one without entries is not."""
    return isinstance(part, list) and bool(part) and all(isinstance(entry, dict) and key in entry for entry in part)
