"""Where the images of a run are, and what limited the look at them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from polars import DataFrame, col

from groundlint.config.data_sets import DataSet, Request, UsageError
from groundlint.config.s3_access import S3Access, is_uri
from groundlint.config.settings import Config
from groundlint.engine.evaluate import MadeNote
from groundlint.engine.features import Feature
from groundlint.images import parts
from groundlint.images.box_places import MAX_SAMPLED, MAX_SAMPLED_OF_LABEL
from groundlint.images.cache import Cache
from groundlint.images.image_tables import ImageTables
from groundlint.images.listings import is_folder
from groundlint.images.storage import LocalStorage, Roots, Storage
from groundlint.phrases import number_of

if TYPE_CHECKING:
    from groundlint.images.downloads import Downloads

OnProgress = Callable[[str], None]

_MAX_FIRST_LINE = 100_000
# Nothing is parsed here, because a line may be hostile.
_SOURCE_REF = re.compile(rb'"source-ref"\s*:\s*"([^"\\]+)"')
_BYTES_OF_LINE = 400
"""Length of a usual line of a manifest."""


def manifests_in_s3(names: Iterable[str], access: S3Access | None) -> dict[str, bytes | OSError]:
    """The bytes of those manifests that are in S3, or why they cannot be read, by URI.

    Args:
        names: Paths and URIs of manifests.
        access: What may be read; None if nothing.
    """
    uris = [name for name in dict.fromkeys(names) if is_uri(name)]
    if not uris or access is None:
        return {}
    from groundlint.images.downloads import contents

    return contents(uris, access)


def image_tables(request: Request, config: Config, features: Sequence[Feature], on_progress: OnProgress) -> ImageTables:
    """Where the images of a run come from.

    Args:
        request: What was asked for.
        config: The configuration.
        features: What is measured.
        on_progress: Called with a text on what is being done.

    Raises:
        UsageError: Images cannot be looked for as asked.
    """
    named = [_root(image) for image in request.images]
    for _, folder in named:
        if not is_folder(str(folder)):
            raise UsageError(f"{request.images_from}: there is no folder {folder}")
    # A flag starts from the working directory, the configuration from its own folder.
    given = {prefix: folder for prefix, folder in named if prefix}
    configured = {prefix: config.root / folder for prefix, folder in config.settings.images.items()}
    roots = Roots({**configured, **given}, [folder for prefix, folder in named if not prefix])
    local = LocalStorage(roots, [Path.cwd(), config.root])
    storage: Storage = local
    downloads: Downloads | None = None
    if request.s3:
        from groundlint.images.downloads import Downloads
        from groundlint.images.s3 import S3
        from groundlint.images.s3_storage import S3Storage

        # Folders that nobody named, such as that of a manifest, must not stand for what is in S3.
        named_folders = local if roots.prefixes or roots.folders else None
        storage, downloads = S3Storage(named_folders, request.s3), Downloads(S3(request.s3), request.s3)
    cache = Cache(request.cache)
    measured = parts.read(request.measurements, features) if request.measurements else parts.NOTHING
    return ImageTables(storage, cache, features, request.processes, measured, request.dask, downloads, on_progress)


def expected_images(asked: Sequence[DataSet], storage: Storage) -> int:
    """Roughly how many images there will be to measure; 0 unless the first one that is named is found."""
    files = [(source.name, source.path) for data_set in asked for source in data_set.sources if source.path]
    # What keeps a manifest from being read is reported when it is read.
    with suppress(OSError):
        if files and files[0][1].is_file():
            name, path = files[0]
            with path.open("rb") as stream:
                first = _SOURCE_REF.search(stream.readline(_MAX_FIRST_LINE))
            if first and storage.find(first[1].decode("utf-8", "replace"), name).path:
                return sum(path.stat().st_size for _, path in files) // _BYTES_OF_LINE
    return 0


def image_notes(images: ImageTables, asked: Sequence[DataSet]) -> Iterator[MadeNote]:
    """Notes on what limited the look at images."""
    if images.cache.warning:
        yield MadeNote("cache-unusable", None, None, images.cache.warning)
    yield from (_sampling_note(asked[number], count) for number, count in images.left_out.items())
    if len(images.parts.processors) > 1:
        yield _processors_note(images.parts.processors)
    if images.unmeasured:
        yield _unmeasured_note(images.unmeasured)
    yield from _download_notes(images)


def _sampling_note(data_set: DataSet, count: int) -> MadeNote:
    """The note that a data set has more boxes than are measured with costly features."""
    message = (
        f"{number_of(count, 'box')} {'was' if count == 1 else 'were'} left out by rules of cost slow: they judge an "
        "even sample of at most "
        f"{MAX_SAMPLED_OF_LABEL:,} boxes of a label and {MAX_SAMPLED:,} of a data set"
    )
    return MadeNote("boxes-sampled", min(data_set.named) if len(data_set.named) == 1 else None, count, message)


def _processors_note(processors: Set[str]) -> MadeNote:
    """The note that `--measurements` come from different machines."""
    message = (
        f"the measurements come from processors of several types ({', '.join(sorted(processors))}): scores may differ "
        "in their last digits from those of one machine"
    )
    return MadeNote("measurements-of-several-processors", None, len(processors), message)


def _unmeasured_note(count: int) -> MadeNote:
    """The note that images of `--measurements` were measured for other manifests."""
    message = (
        f"{number_of(count, 'image')} had other boxes or no label when measured, and are not on this machine; "
        "measure them again with these manifests"
    )
    return MadeNote("measurements-incomplete", None, count, message)


def _download_notes(images: ImageTables) -> list[MadeNote]:
    """The note that a limit of downloads was reached."""
    count = images.downloads.left_out if images.downloads else 0
    if not count:
        return []
    were = "was" if count == 1 else "were"
    message = (
        f"{number_of(count, 'image')} {were} not read from S3, because the limit of --max-download was reached; the "
        "others are an even sample"
    )
    return [MadeNote("download-limit", None, count, message)]


def _root(image: str) -> tuple[str, Path]:
    """The prefix and folder of an `--images` option; the prefix is empty where only a folder is given."""
    # A folder may have an equals sign in its name.
    if is_folder(image):
        return "", Path(image)
    prefix, _, folder = image.rpartition("=")
    return prefix, Path(folder)


def unused_roots(request: Request, tables: Mapping[str, DataFrame], followed: Set[str]) -> list[str]:
    """A sentence for each folder of images under which no image was found, although the manifests name some."""
    images = tables["images"].filter("found")
    if tables["lines"]["source_ref"].drop_nulls().is_empty():
        return []
    unused = []
    for image in request.images:
        prefix, folder = _root(image)
        found = images.filter(col("source_ref").str.starts_with(prefix))["path"]
        root = f"{os.path.realpath(folder).rstrip(os.sep)}{os.sep}"
        # A link in a folder may lead to another root; by its prefix an image belongs to it all the same.
        is_used = len(found) if prefix else any(os.path.realpath(path).startswith(root) for path in found)
        if not is_used and root.rstrip(os.sep) not in followed:
            given = f"{request.images_from} {image}"
            unused.append(f"{given}: no image was found there; check the prefix and the folder")
    return unused
