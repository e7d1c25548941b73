"""Money: integers in micro-units of USD; dollars only where the wire says so."""

from __future__ import annotations

from decimal import Context, Decimal

MICROS_PER_DOLLAR = 1_000_000
MOST_DOLLARS = 10**8
_STEP = Decimal("0.000001")
_ROOMY = Context(prec=40)


def dollars_to_micros(amount: float | Decimal) -> int:
    """Dollars, read as decimal text, in micro-dollars. Raises `ValueError` below 0, above 10^8 or beyond 6 decimals."""
    value = amount if isinstance(amount, Decimal) else Decimal(repr(amount))
    if not value.is_finite() or not 0 <= value <= MOST_DOLLARS:
        raise ValueError("an amount is between 0 and 100000000 dollars")
    # Multiplying would round at the context's precision; comparing with the quantized value is exact.
    if value.quantize(_STEP, context=_ROOMY) != value:
        raise ValueError("an amount has at most 6 decimals")
    return int(value.quantize(_STEP, context=_ROOMY).scaleb(6, context=_ROOMY))


def micros_to_number(micros: int) -> int | float:
    """Micro-dollars as the shortest JSON number of dollars; exact for every amount `dollars_to_micros` accepts."""
    whole, rest = divmod(micros, MICROS_PER_DOLLAR)
    return whole if rest == 0 else micros / MICROS_PER_DOLLAR
