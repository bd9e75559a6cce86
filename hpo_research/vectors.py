"""Eight numbers as one value of compiled loops, so that sums can stay in registers.

LLVM vectorises loops over rows by itself, but not a tile of several rows whose sums should never
go to memory. Sums, differences and products are written as for numbers, of which the left one may
be one; with `compiled.fused` a product and a sum are one instruction. Arrays are contiguous, of
three dimensions, the last of which is 8: `load(array, p, i)` is array[p, i, :].
"""

import operator
from typing import Any, no_type_check

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

LANES = 8
_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_INTEGER = ir.IntType(32)


class Eight(types.Type):
    """The type of eight numbers, to numba."""


eight = Eight("Eight")


@register_model(Eight)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Any) -> None:
        models.PrimitiveModel.__init__(self, manager, kind, _VECTOR)  # type: ignore[no-untyped-call]


@no_type_check
def _place(context: Any, builder: Any, kind: Any, arguments: Any) -> Any:
    """Return the address of array[p, i, 0:8]."""
    array, p, i = arguments
    table = context.make_array(kind)(context, builder, array)
    _, rows, _ = cgutils.unpack_tuple(builder, table.shape)
    row = builder.add(builder.mul(p, rows), i)
    first = builder.gep(table.data, [builder.mul(row, ir.Constant(row.type, LANES))])
    return builder.bitcast(first, _VECTOR.as_pointer())


def _is_table(array: Any) -> bool:
    return isinstance(array, types.Array) and (array.ndim, array.layout) == (3, "C")


@intrinsic
@no_type_check
def load(typing: Any, array: Any, p: Any, i: Any) -> Any:
    """Return array[p, i, 0:8]."""

    def generated(context: Any, builder: Any, own: Any, arguments: Any) -> Any:
        return builder.load(_place(context, builder, own.args[0], arguments), align=8)

    return (eight(array, types.intp, types.intp), generated) if _is_table(array) else None


@intrinsic
@no_type_check
def store(typing: Any, array: Any, p: Any, i: Any, value: Any) -> Any:
    """Write eight numbers to array[p, i, 0:8]."""

    def generated(context: Any, builder: Any, own: Any, arguments: Any) -> Any:
        *where, value = arguments
        builder.store(value, _place(context, builder, own.args[0], where), align=8)
        return context.get_dummy_value()

    kind = types.void(array, types.intp, types.intp, eight)
    return (kind, generated) if _is_table(array) and value is eight else None


@no_type_check
def _repeated(builder: Any, number: Any) -> Any:
    empty = ir.Constant(_VECTOR, ir.Undefined)
    one = builder.insert_element(empty, number, ir.Constant(_INTEGER, 0))
    lanes = ir.Constant(ir.VectorType(_INTEGER, LANES), [0] * LANES)
    return builder.shuffle_vector(one, empty, lanes)


@no_type_check
def _arithmetic(symbol: Any, name: str) -> None:
    """Teach numba an operation of two eights, or of a number and eight."""

    @type_callable(symbol)
    def typed(context: Any) -> Any:
        def kind(left: Any, right: Any) -> Any:
            return eight if right is eight and left in (eight, types.float64) else None

        return kind

    def generated(context: Any, builder: Any, own: Any, arguments: Any) -> Any:
        left, right = arguments
        left = left if own.args[0] is eight else _repeated(builder, left)
        return getattr(builder, name)(left, right, flags=("contract",))

    for left in (eight, types.float64):
        lower_builtin(symbol, left, eight)(generated)


_arithmetic(operator.add, "fadd")
_arithmetic(operator.sub, "fsub")
_arithmetic(operator.mul, "fmul")
