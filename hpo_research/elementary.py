"""exp and erfc for compiled loops, written so that several entries are computed at once.

Called in a loop over contiguous arrays, LLVM inlines and vectorises them; the mathematical
library's take one number at a time, some six times as long. An entry's bits depend on its
argument alone.
"""

import math
from typing import Any, no_type_check

from numba import types
from numba.extending import intrinsic

from hpo_research.compiled import Floats, fused

LOG2_E = 1.4426950408889634
LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10  # Cody and Waite (1980)
WHOLE = 6755399441055744.0  # 1.5 · 2^52: a sum with it is rounded to an integer, in its last bits
_ONE = 1023 << 52  # the bits of 1.0
_NEAR = 2.0 / 13.0  # 4 / (4 + 22)


@intrinsic
@no_type_check
def _bits(typing: Any, x: Any) -> Any:
    """Return the 64 bits of a number as an integer."""

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.int64))

    return types.int64(types.float64), generated


@intrinsic
@no_type_check
def _number(typing: Any, bits: Any) -> Any:
    """Return the number that has these 64 bits."""

    def generated(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], context.get_value_type(types.float64))

    return types.float64(types.int64), generated


@fused
@no_type_check
def exp(x: float) -> float:
    """Return e^x to 3e-16 of it; 0 below −708, infinity above 709, NaN for NaN.

    x = n ln 2 + r with |r| ≤ ½ ln 2, and e^r by its Taylor polynomial of degree 12.
    """
    shifted = x * LOG2_E + WHOLE
    n = shifted - WHOLE
    r = (x - n * LN2_HIGH) - n * LN2_LOW
    p = 1 / 479001600
    p = p * r + 1 / 39916800
    p = p * r + 1 / 3628800
    p = p * r + 1 / 362880
    p = p * r + 1 / 40320
    p = p * r + 1 / 5040
    p = p * r + 1 / 720
    p = p * r + 1 / 120
    p = p * r + 1 / 24
    p = p * r + 1 / 6
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    y = p * _number((_bits(shifted) << 52) + _ONE)
    y = 0.0 if x < -708.0 else y
    return math.inf if x > 709.0 else y


@fused
@no_type_check
def scaled_erfc(x: float) -> float:
    """Return e^(x²) erfc(x) for x from 0 to 22, to 1e-15 of it.

    t times a polynomial of degree 22 in t = 4 / (4 + x), the Chebyshev interpolant of the quotient.
    """
    t = 4.0 / (4.0 + x)
    s = (2.0 * t - (1.0 + _NEAR)) / (1.0 - _NEAR)
    p = 3.701038859869162e-12
    p = p * s + 2.7996143865526292e-11
    p = p * s - 6.110257722159775e-11
    p = p * s - 4.3971343253929657e-10
    p = p * s + 6.213562010709689e-10
    p = p * s + 5.110063220309882e-09
    p = p * s - 4.140629498545942e-09
    p = p * s - 5.946171232184017e-08
    p = p * s - 1.4609293338594669e-08
    p = p * s + 6.809164496655745e-07
    p = p * s + 1.3822946037919918e-06
    p = p * s - 5.725963051974823e-06
    p = p * s - 3.4719025216163634e-05
    p = p * s - 3.5796338853070495e-05
    p = p * s + 0.00038835287756938707
    p = p * s + 0.0026320464367389587
    p = p * s + 0.009988227849059384
    p = p * s + 0.02807267319310406
    p = p * s + 0.06349157605484479
    p = p * s + 0.11991573421254481
    p = p * s + 0.19274916023028915
    p = p * s + 0.2661600897873257
    p = p * s + 0.3166763904239261
    return t * p


@fused
@no_type_check
def normal(u: Floats, density: Floats, mass: Floats) -> None:
    """Write φ(u) and Φ(u) of entries from −30 on, to 2e-13 of each. Shapes: m each."""
    bell, bend = 1.0 / math.sqrt(2.0 * math.pi), math.sqrt(0.5)
    for k in range(len(u)):
        own = u[k]
        e = exp(-0.5 * own * own)
        far = min(abs(own) * bend, 22.0)  # beyond, e is 0 to all digits of 1
        half = 0.5 * e * scaled_erfc(far)
        density[k] = bell * e
        mass[k] = half if own < 0.0 else 1.0 - half
