"""The base of all errors that a user can fix."""

from __future__ import annotations


class GroundlintError(Exception):
    """A run cannot start or go on. The text names the file or flag, what is wrong with it, and how to fix it."""
