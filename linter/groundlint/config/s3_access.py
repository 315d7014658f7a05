"""What a run may read from S3, as the command line says; no configuration file can widen it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from groundlint.config.paths import matching
from groundlint.errors import GroundlintError

VARIABLE = "GROUNDLINT_S3"
"""Environment variable that allows reading S3, as `--s3` does."""

SCHEME = "s3://"

_UNITS = {"b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_LIMIT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", re.IGNORECASE)

# What no bucket is called must not become part of an address.
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")


class AccessError(GroundlintError):
    """A flag on S3 cannot be understood."""


@dataclass(frozen=True)
class S3Access:
    """What may be read from S3.

    `buckets` are globs of bucket names, all buckets where there are none. `is_anonymous` sends requests without
    credentials. `max_bytes` and `max_images` limit what is downloaded; `limit` is the text of these limits as given.
    """

    buckets: tuple[str, ...] = ()
    is_anonymous: bool = False
    max_bytes: int | None = None
    max_images: int | None = None
    limit: str = ""

    def allows(self, bucket: str) -> bool:
        """Return whether images in a bucket may be read."""
        return not self.buckets or bucket in matching([bucket], self.buckets)


def s3_access(*, is_wanted: bool, buckets: Iterable[str], is_anonymous: bool, limits: Iterable[str]) -> S3Access | None:
    """What flags and the environment allow; None if nothing.

    Args:
        is_wanted: Whether a flag allows reading S3, as the environment may too.
        buckets: Globs of bucket names.
        is_anonymous: Whether requests are sent without credentials.
        limits: Limits of downloads, such as 500MB or 2000images.

    Raises:
        AccessError: A limit or the environment cannot be understood, or reading S3 is limited and not allowed.
    """
    buckets, given = tuple(buckets), tuple(limits)
    if not is_wanted and not is_enabled(os.environ):
        flags = {"--s3-bucket": buckets, "--s3-anonymous": is_anonymous, "--max-download": given}
        if name := next((name for name, value in flags.items() if value), None):
            raise AccessError(f"{name} needs --s3")
        return None
    known: dict[str, int] = {}
    for text in given:
        found = _LIMIT.fullmatch(text)
        unit = found[2].lower() if found else ""
        if found and unit in _UNITS:
            known["max_bytes"] = int(float(found[1]) * _UNITS[unit])
        elif found and unit in ("image", "images") and found[1].isdigit():
            known["max_images"] = int(found[1])
        else:
            raise AccessError(
                f"--max-download: {text!r} is neither a size such as 500MB nor a number such as 2000images"
            )
    return S3Access(buckets, is_anonymous, **known, limit=" and ".join(given))


def is_enabled(environment: Mapping[str, str]) -> bool:
    """Return whether the environment allows reading S3.

    Raises:
        AccessError: The variable is neither 0 nor 1.
    """
    value = environment.get(VARIABLE, "")
    if value not in ("", "0", "1"):
        raise AccessError(f"{VARIABLE} is {value!r}; set it to 1 to read S3")
    return value == "1"


def is_uri(name: str) -> bool:
    """Return whether a path of the command line is an S3 URI."""
    return name.startswith(SCHEME)


def bucket_and_key(uri: str) -> tuple[str, str] | None:
    """Return the bucket and the key of an S3 URI; None for any other text, and where no bucket has such a name."""
    if uri[: len(SCHEME)].lower() != SCHEME:
        return None
    bucket, _, key = uri[len(SCHEME) :].partition("/")
    return (bucket, key) if key and _BUCKET.fullmatch(bucket) else None
