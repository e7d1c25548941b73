"""Canonical JSON (RFC 8785): one value, one text."""

from __future__ import annotations

from typing import Any

import rfc8785


def canonical(value: Any) -> bytes:
    """The RFC 8785 text of a JSON value.

    Raises `ValueError` for integers beyond 2^53 − 1, numbers without JSON form, lone surrogates and foreign types.
    """
    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError):
        # The library's own texts quote the value.
        raise ValueError("this value has no canonical JSON text") from None
