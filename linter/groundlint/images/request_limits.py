"""How many requests run at once, and how many bytes are held at once."""

from __future__ import annotations

import threading


class Limiter:
    """Requests at once: half as many when the service is busy, and one more after as many successes as there are."""

    def __init__(self, most: int) -> None:
        """Start with the most.

        Args:
            most: Requests at once, at most.
        """
        self.limit = most
        self._most = most
        self._active = 0
        self._successes = 0
        self._started = 0
        self._cut_at = 0
        self._condition = threading.Condition()

    def enter(self) -> int:
        """Wait until a request may start, and return its number."""
        with self._condition:
            while self._active >= self.limit:
                self._condition.wait()
            self._active += 1
            self._started += 1
            return self._started

    def leave(self, number: int, *, is_busy: bool) -> None:
        """End a request.

        Args:
            number: The number of the request.
            is_busy: Whether the service asked for fewer requests.
        """
        with self._condition:
            self._active -= 1
            if not is_busy:
                self._successes += 1
                if self._successes >= self.limit and self.limit < self._most:
                    self._successes = 0
                    self.limit += 1
            # Requests that were under way say nothing about the new limit.
            elif number > self._cut_at:
                self._successes = 0
                self.limit = max(1, self.limit // 2)
                self._cut_at = self._started
            # One for the place that is free, and one for a limit that has grown.
            self._condition.notify(2)


class Window:
    """Bytes that may be held at once."""

    def __init__(self, most: int) -> None:
        """Hold nothing yet.

        Args:
            most: Bytes that may be held; a single object may have more.
        """
        self._most = most
        self._held = 0
        self._condition = threading.Condition()

    def take(self, size: int) -> None:
        """Wait until so many bytes may be held."""
        with self._condition:
            while self._held and self._held + size > self._most:
                self._condition.wait()
            self._held += size

    def release(self, size: int) -> None:
        """Say that so many bytes are no longer held."""
        with self._condition:
            self._held -= size
            self._condition.notify_all()
