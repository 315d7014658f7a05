"""S3 through obstore: one store for each bucket, in its region, with the credentials of the user's environment."""

from __future__ import annotations

import importlib
import os
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import IO, Any, NamedTuple

from groundlint.config.s3_access import SCHEME, S3Access, bucket_and_key
from groundlint.images.places import Stamp
from groundlint.images.s3_errors import NO_CREDENTIALS, Refusal, S3Error, s3_error

_AWS = "https://s3.amazonaws.com"
_DEFAULT_REGION = "us-east-1"
_REGION_TIMEOUT = 10

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")

_CLIENT = {"connect_timeout": "10s", "read_timeout": "30s", "timeout": "10m"}

_CREDENTIALS_LAST = timedelta(minutes=15)
"""How long credentials from boto3 are used before it is asked again; it renews them itself."""


class S3Object(NamedTuple):
    """An object that the service is sending: the first `length` bytes of it."""

    stamp: Stamp
    length: int
    answer: Any
    errors: tuple[type[Exception], ...]

    def read(self) -> bytes:
        """Return its bytes.

        Raises:
            S3Error: The connection failed, or not all bytes came.
        """
        try:
            data: bytes = self.answer.bytes().to_bytes()
        except self.errors as error:
            raise s3_error(error) from None
        if len(data) != self.length:
            raise S3Error("the connection ended early", Refusal.TRANSIENT)
        return data


class S3:
    """The buckets of a run. It makes one attempt of each request; who calls it repeats what is worth repeating."""

    def __init__(self, access: S3Access) -> None:
        """Import the client.

        Args:
            access: Whether requests are anonymous; what may be read is decided by who calls.

        Raises:
            S3Error: The package obstore is not installed.
        """
        try:
            self._obstore: Any = importlib.import_module("obstore.store")
            errors = importlib.import_module("obstore.exceptions")
        except ImportError as error:
            raise S3Error("--s3 needs the package obstore: pip install 'groundlint[s3]'") from error
        # An unknown object and a key that cannot be requested have the exceptions of Python.
        self._errors: tuple[type[Exception], ...] = (errors.BaseError, OSError, ValueError)
        self._is_anonymous = access.is_anonymous
        self._endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
        self._stores: dict[str, Any] = {}
        self._credentials: dict[str, Any] | None = None
        self._lock = threading.Lock()

    def get(self, uri: str, most: int | None = None) -> S3Object:
        """Request an object; its bytes are read by the caller.

        Args:
            uri: The object.
            most: How many bytes from its beginning are requested; all of them if None.

        Raises:
            S3Error: It cannot be read.
        """
        bucket, key = _parts(uri)
        options = {"range": (0, most)} if most else {}
        try:
            answer = self._store(bucket).get(key, options=options)
        except self._errors as error:
            failure = s3_error(error)
            # An object without bytes has no beginning, and some servers send whole objects only.
            if most and failure.refusal == Refusal.RANGE:
                return self.get(uri)
            raise failure from None
        stamp = _stamp(answer.meta)
        return S3Object(stamp, min(stamp.size, most or stamp.size), answer, self._errors)

    def stamp(self, uri: str) -> Stamp:
        """Return size and ETag of an object.

        Raises:
            S3Error: It cannot be read. Why is not always said: answers to this request have no body.
        """
        bucket, key = _parts(uri)
        try:
            return _stamp(self._store(bucket).head(key))
        except self._errors as error:
            raise s3_error(error) from None

    def list(self, bucket: str, folder: str) -> Iterator[list[tuple[str, Stamp]]]:
        """Yield pages of up to 1,000 objects below a folder: URI and stamp.

        Raises:
            S3Error: It cannot be listed.
        """
        try:
            for page in self._store(bucket).list(folder or None, chunk_size=1000):
                yield [(f"{SCHEME}{bucket}/{meta['path']}", _stamp(meta)) for meta in page]
        except self._errors as error:
            raise s3_error(error) from None

    def put(self, uri: str, data: bytes) -> None:
        """Write an object as a whole.

        Raises:
            S3Error: It cannot be written.
        """
        bucket, key = _parts(uri)
        try:
            self._store(bucket).put(key, data)
        except self._errors as error:
            raise s3_error(error) from None

    def _store(self, bucket: str) -> Any:
        if bucket not in self._stores:
            with self._lock:
                if bucket not in self._stores:
                    self._stores[bucket] = self._new_store(bucket)
        return self._stores[bucket]

    def _new_store(self, bucket: str) -> Any:
        if self._credentials is None:
            self._credentials = self._found_credentials()
        options = {"endpoint": self._endpoint} if self._endpoint else {}
        allows_http = bool(self._endpoint and self._endpoint.startswith("http://"))
        return self._obstore.S3Store(
            bucket,
            region=_region(bucket, self._endpoint or _AWS),
            client_options={**_CLIENT, "allow_http": allows_http},
            retry_config={"max_retries": 0},
            **options,
            **self._credentials,
        )

    def _found_credentials(self) -> dict[str, Any]:
        """The arguments of a store that say who asks.

        The address of instance metadata is asked, by boto3 or by obstore, only where nothing else is known.
        """
        environment = os.environ
        if self._is_anonymous:
            return {"skip_signature": True}
        if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
            given = {
                "access_key_id": environment["AWS_ACCESS_KEY_ID"],
                "secret_access_key": environment["AWS_SECRET_ACCESS_KEY"],
            }
            token = environment.get("AWS_SESSION_TOKEN")
            return given | ({"session_token": token} if token else {})
        try:
            boto3: Any = importlib.import_module("boto3")
        except ImportError:
            if profile := environment.get("AWS_PROFILE"):
                raise S3Error(
                    f"the profile {profile!r} (AWS_PROFILE) can only be used with boto3: pip install boto3",
                    Refusal.BUCKET,
                ) from None
            return {}
        return {"credential_provider": _provider(boto3)}


def _provider(boto3: Any) -> Any:
    """A function that gives obstore the credentials of boto3's chain: profiles, roles, containers, instances."""
    try:
        credentials = boto3.Session().get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    # A broken profile, an expired login of SSO, a role that may not be assumed: each has an exception of its own.
    except Exception as error:  # noqa: BLE001
        raise S3Error(f"boto3 has no AWS credentials ({type(error).__name__})", Refusal.BUCKET) from None
    if credentials is None:
        raise S3Error(NO_CREDENTIALS, Refusal.BUCKET)

    def current() -> dict[str, Any]:
        frozen = credentials.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + _CREDENTIALS_LAST,
        }

    return current


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Follow nothing: the region is in the headers of the answer itself."""


def _region(bucket: str, endpoint: str) -> str:
    """The region of a bucket: what the service says to a request without credentials, else that of the environment."""
    default = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or _DEFAULT_REGION
    request = urllib.request.Request(f"{endpoint.rstrip('/')}/{bucket}", method="HEAD")  # noqa: S310 - the user's
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=_REGION_TIMEOUT) as answer:
            region = answer.headers.get("x-amz-bucket-region")
    except urllib.error.HTTPError as error:
        region = error.headers.get("x-amz-bucket-region")
        error.close()
    except (OSError, ValueError):
        # The request for the object says why.
        return default
    return region or default


def _parts(uri: str) -> tuple[str, str]:
    parts = bucket_and_key(uri)
    if parts is None:
        raise S3Error("it is not of the form s3://bucket/key")
    if not is_addressable(parts[1]):
        raise S3Error("its key has an empty, `.` or `..` part or a control character, which the client cannot request")
    return parts


def is_addressable(key: str) -> bool:
    """Return whether obstore requests exactly this key. It would drop slashes at the ends."""
    return not _CONTROL.search(key) and not {"", ".", ".."} & set(key.split("/"))


def _stamp(meta: Any) -> Stamp:
    # The ETag alone says whether an object changed.
    return Stamp(meta["size"], 0, str(meta["e_tag"] or meta["last_modified"]).strip('"'))
