"""Why a server does not start."""

from __future__ import annotations


class NotReadyToStart(RuntimeError):
    """The server must not start like this; the text says what to do."""
