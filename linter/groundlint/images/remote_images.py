"""Images of a run that are in S3, to be read once more for the page that shows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from groundlint.config.s3_access import is_uri
from groundlint.images.downloads import Downloads
from groundlint.images.storage import Storage


class RemoteImages:
    """Where images in S3 are, and their bytes, within the limits of the run."""

    def __init__(self, storage: Storage, downloads: Downloads) -> None:
        """Take what the run has read its images with.

        Args:
            storage: Finds images.
            downloads: Fetches objects.
        """
        self._storage = storage
        self._downloads = downloads

    def uri(self, source_ref: str, manifest: str) -> str | None:
        """Return the URI of an image that may be read from S3; None of one that is elsewhere.

        Args:
            source_ref: The image as the manifest names it.
            manifest: Path of the manifest.
        """
        path = self._storage.find(source_ref, manifest).path
        return path if path and is_uri(path) else None

    def contents(self, uris: Sequence[str]) -> Iterator[bytes | None]:
        """Yield the bytes of objects in this order; None for those that are not read again.

        Args:
            uris: The objects.
        """
        return self._downloads.in_order(uris)
