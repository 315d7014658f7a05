"""The one way of text from data into anything that people read."""

from __future__ import annotations

import codecs
import json
import re

MAX_LENGTH = 500

# Controls, bidirectional and invisible formatting, line separators, lone surrogates, what XML has no form for.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
# Workflow runners take commands from what a program prints: `::` at the beginning of a line, `##[`, `##vso[` and
# `##teamcity[` anywhere.
_COMMAND = re.compile(r"(?=\s*(?:::|##))")
_COMMAND_ANYWHERE = re.compile(r"#(?=#\w*\[)")
_ESCAPED = "groundlint.json"


def visible(text: str, limit: int | None = MAX_LENGTH) -> str:
    r"""Text of which all is seen and nothing obeyed: the rest as escapes, as `\x1b` or `\u202e`; cut at a length."""
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return _COMMAND_ANYWHERE.sub(_escape, _HIDDEN.sub(_escape, text))


def at_line_start(text: str) -> str:
    """Visible text that may begin a line: no runner of workflows takes it for a command."""
    return "./" + text if _COMMAND.match(text) else text


def plain_json(text: str) -> str:
    """The same JSON in ASCII, in which no runner of workflows finds a command."""
    # A report may have a hundred megabytes: codecs pass over what is plain ten times as fast as expressions do.
    plain = text.encode("ascii", _ESCAPED).decode("ascii").replace("\x7f", r"\u007f")
    return _COMMAND_ANYWHERE.sub(r"\\u0023", plain)


def _escape_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end


codecs.register_error(_ESCAPED, _escape_json)


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
