"""What S3 and its client say when they refuse, in one clause each, without addresses, accounts or credentials."""

from __future__ import annotations

import re
from enum import Enum, auto

from groundlint.errors import GroundlintError


class Refusal(Enum):
    """What an error of S3 says about further requests."""

    MISSING = auto()
    """The object does not exist."""
    OBJECT = auto()
    """This object cannot be read."""
    RANGE = auto()
    """The object does not have the bytes that were requested, or the server cannot send a part of it."""
    BUCKET = auto()
    """No object of the bucket can be read."""
    TRANSIENT = auto()
    """The same request may succeed later."""
    SLOW_DOWN = auto()
    """The same request may succeed later, if there are fewer of them."""


class S3Error(GroundlintError):
    """S3 cannot be read or written; the text is a clause that says why."""

    def __init__(self, text: str, refusal: Refusal = Refusal.OBJECT) -> None:
        super().__init__(text)
        self.refusal = refusal

    @property
    def is_transient(self) -> bool:
        """Whether the request should be repeated."""
        return self.refusal in (Refusal.TRANSIENT, Refusal.SLOW_DOWN)


NO_CREDENTIALS = (
    "no AWS credentials were found in the environment; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, install boto3 "
    "to use profiles and roles, or read a public bucket with --s3-anonymous"
)

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>\s*([A-Za-z0-9.]{1,60})\s*</Code>")
_MESSAGE = re.compile(r"<Message>(.*?)</Message>", re.DOTALL)

_DEBUG = "\n\nDebug source"
"""What obstore puts before a dump of the request."""

_INVALID_CREDENTIALS = (
    *("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired"),
    *("RequestTimeTooSkewed", "InvalidSecurity", "NotSignedUp"),
)
_OTHER_REGION = ("AuthorizationHeaderMalformed", "PermanentRedirect", "TemporaryRedirect", "IllegalLocationConstraint")

_BY_CODE = {
    "NoSuchKey": ("the object does not exist", Refusal.MISSING),
    "NoSuchVersion": ("the object does not exist", Refusal.MISSING),
    "NoSuchBucket": ("the bucket does not exist", Refusal.MISSING),
    "InvalidObjectState": ("it is archived in Glacier; restore it", Refusal.OBJECT),
    "AllAccessDisabled": ("all access to the bucket is disabled", Refusal.BUCKET),
    "RequestTimeout": ("the service did not answer in time", Refusal.TRANSIENT),
}

_NO_RANGE = "Received non-partial response when range requested"
_EMPTY = "but object was only 0 bytes long"
"""What obstore says where a server sends all of an object, or a part of an empty one."""

_DENIED = (
    "access denied: it does not exist, or the credentials lack s3:GetObject, or the bucket is requester pays "
    "(AWS_REQUEST_PAYER=requester)"
)
"""Without the permission s3:ListBucket, S3 says of a missing object that access is denied."""


def s3_error(error: Exception) -> S3Error:
    """Return what an exception of obstore says."""
    text = str(error).partition(_DEBUG)[0]
    found = _CODE.search(text)
    code = found[1] if found else ""
    status = int(found[1]) if (found := _STATUS.search(text)) else 0
    message = found[1].lower() if (found := _MESSAGE.search(text)) else ""
    if code in _BY_CODE:
        return S3Error(*_BY_CODE[code])
    if code in ("SlowDown", "ServiceUnavailable", "TooManyRequests", "Throttling") or status in (429, 503):
        return S3Error(f"the service is busy ({code or status})", Refusal.SLOW_DOWN)
    if status >= 500:
        return S3Error(f"the service failed ({code or status})", Refusal.TRANSIENT)
    if code in _OTHER_REGION or 300 <= status < 400 or "redirect without LOCATION" in text:
        return S3Error("the bucket is in another region; set AWS_REGION to it", Refusal.BUCKET)
    if code in _INVALID_CREDENTIALS or status == 401:
        return S3Error(f"the AWS credentials are not valid ({code or status})", Refusal.BUCKET)
    if code.startswith("KMS.") or "kms:" in message:
        return S3Error("it is encrypted with a KMS key that cannot be used with these credentials")
    if code == "InvalidRequest" and "encryption" in message:
        return S3Error("it is encrypted with a key of the customer (SSE-C), which groundlint does not have")
    if "requester pays" in message:
        return S3Error("the bucket is requester pays; set AWS_REQUEST_PAYER=requester")
    if status == 416:
        return S3Error("it does not have the bytes that were requested", Refusal.RANGE)
    if status == 403:
        return S3Error(_DENIED)
    if isinstance(error, FileNotFoundError) or status == 404:
        return S3Error("the object does not exist", Refusal.MISSING)
    if status:
        return S3Error(f"the service refused the request ({code or status})")
    if text.endswith(_NO_RANGE) or _EMPTY in text:
        return S3Error("it does not have the bytes that were requested", Refusal.RANGE)
    if isinstance(error, ValueError):
        return S3Error("the client cannot request such a key")
    if "redential" in text or "169.254." in text:
        return S3Error(NO_CREDENTIALS, Refusal.BUCKET)
    return S3Error("the connection failed", Refusal.TRANSIENT)
