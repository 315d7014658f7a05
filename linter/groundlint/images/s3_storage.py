"""Where the images of a run are that may be read from S3."""

from __future__ import annotations

from collections.abc import Iterable

from groundlint.config.s3_access import SCHEME, S3Access, bucket_and_key
from groundlint.images.places import Place
from groundlint.images.record import ImageFault
from groundlint.images.s3 import is_addressable
from groundlint.images.storage import LocalStorage


class S3Storage:
    """Finds images in local folders that were named, else in S3, where the source-ref says.

    Whether an object exists is not asked before it is wanted: its `path` is its URI, and it has no stamp.

    Attributes:
        followed: As of local folders.
    """

    def __init__(self, local: LocalStorage | None, access: S3Access) -> None:
        """Prepare a search.

        Args:
            local: The folders that were named; None if there are none.
            access: What may be read.
        """
        self.followed: set[str] = local.followed if local else set()
        self._local = local
        self._access = access
        self._allowed: dict[str, bool] = {}

    def find(self, source_ref: str, manifest: str) -> Place:
        """Return where the image of a line is; in S3, only where it would be."""
        if self._local and (place := self._local.find(source_ref, manifest)).path:
            return place
        parts = bucket_and_key(source_ref)
        if parts is None:
            return _inaccessible("no bucket has such a name")
        bucket, key = parts
        if bucket not in self._allowed:
            self._allowed[bucket] = self._access.allows(bucket)
        if not self._allowed[bucket]:
            detail = f"--s3-bucket does not allow to read the bucket {bucket!r}"
            return Place(None, fault=ImageFault.NOT_FETCHED, detail=detail)
        if not is_addressable(key):
            return _inaccessible(
                "its key has an empty, `.` or `..` part or a control character, which the client cannot request"
            )
        return Place(f"{SCHEME}{bucket}/{key}")

    def looked_for(self, source_ref: str, manifest: str) -> str:  # noqa: ARG002 - as in local folders
        """Return what was looked for and where."""
        return f"{source_ref} in S3"

    def searched(self, manifests: Iterable[str]) -> list[str]:
        """Return where images of manifests are searched, as text for the user."""
        return [*(self._local.searched(manifests) if self._local else []), "S3"]


def _inaccessible(detail: str) -> Place:
    return Place(None, fault=ImageFault.INACCESSIBLE, detail=detail)
