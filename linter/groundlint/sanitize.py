"""Text from data, made safe for everything that people read: terminals, logs of workflows, reports."""

from __future__ import annotations

import codecs
import json
import re

MAX_LENGTH = 500

# Controls, bidirectional and invisible formatting, line separators, lone surrogates, and what XML cannot represent.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u2060-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\U000e0000-\U000e0fff]"
)
# Workflow runners take commands from what a program prints: `::` at the start of a line, after white space too, and
# `##[`, `##vso[` and `##teamcity[` anywhere.
_COMMAND_START = re.compile(r"\s*(?:::|##)")
_COMMAND_ANYWHERE = re.compile(r"#(?=#\w*\[)")
_ESCAPED = "groundlint.json"


def visible(text: str, limit: int | None = MAX_LENGTH) -> str:
    r"""Text in which everything is visible and no terminal or workflow finds a command.

    Other characters become escapes such as `\x1b` or `\u202e`, and the text is cut at a length.
    """
    if limit is not None and len(text) > limit:
        text = text[: limit - 1] + "…"
    return _COMMAND_ANYWHERE.sub(_escape, _HIDDEN.sub(_escape, text))


def at_line_start(text: str) -> str:
    """Visible text for the start of a line: no runner of workflows takes it for a command."""
    match = _COMMAND_START.match(text)
    if not match:
        return text
    first = match.end() - 2
    return f"{text[:first]}\\x{ord(text[first]):02x}{text[first + 1 :]}"


def plain_json(text: str) -> str:
    """The same JSON in ASCII, in which no runner of workflows finds a command."""
    # A report may have a hundred megabytes: codecs skip plain text ten times as fast as regular expressions do.
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
