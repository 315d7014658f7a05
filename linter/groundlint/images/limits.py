"""How much of a file is read and decoded."""

from __future__ import annotations

MAX_PIXELS = 50_000_000
"""Pixels above which an image is not decoded."""

MAX_FILE_BYTES = 256 * 1024 * 1024
"""Bytes above which a file is not read."""

MAX_WORKER_MEMORY = 2 * 1024**3
"""Address space of a worker process, in bytes; what it uses is far less."""
