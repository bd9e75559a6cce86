"""Digests of code and of values: the same in every process, blind to comments and layout.

A function has two. `ast` is of its syntax tree, without docstrings: it is the same under every
Python, and is there where the source can be read and is what runs (a file that was edited after
its import is not). The other is of its instructions and named after the Python that made them
(`cpython-311`): it is there for every function, typed at a prompt or made by `exec` too. Code is
the same where any digest of one name is.
"""

import __future__

import ast
import dis
import hashlib
import inspect
import linecache
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType
from typing import Any

COMPILED = f"{sys.implementation.cache_tag}" + "-O" * sys.flags.optimize
_FUTURE = sum(getattr(__future__, name).compiler_flag for name in __future__.all_feature_names)
_SAME = ("co_name", "co_firstlineno", "co_code", "co_names", "co_varnames", "co_linetable")
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef
_SILENT_FIELDS = {"kind", "type_comment", "type_params", "ctx"}
# They do nothing, or carry bits for others.
_SILENT = {"NOP", "CACHE", "RESUME", "EXTENDED_ARG", "PRECALL"}
_KINDS = (
    inspect.CO_VARARGS
    | inspect.CO_VARKEYWORDS
    | inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)


def short(text: str) -> str:
    """Return a digest of a text, 16 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def of_code(code: CodeType) -> str:
    """Return the digests of compiled code: `ast:... cpython-311:...`, or the latter alone."""
    return _of_code(code, code.co_filename)


@lru_cache(maxsize=1024)  # code never changes, whatever becomes of its file
def _of_code(code: CodeType, file: str) -> str:
    del file  # code is equal to that of another file
    node = _node(code)
    parts = [] if node is None else [f"ast:{short(repr(_plain(node)))}"]
    return " ".join([*parts, f"{COMPILED}:{short(repr(_instructions(code)))}"])


def of_file(file: str) -> str:
    """Return the digest of a whole file of Python."""
    parsed = _parsed("".join(_lines(file)), file, 0)
    return "value:unreadable" if parsed is None else f"ast:{short(repr(_plain(parsed[0])))}"


# -- syntax trees


def _lines(file: str) -> list[str]:
    linecache.checkcache(file)
    return linecache.getlines(file)


@lru_cache(maxsize=32)
def _parsed(text: str, file: str, flags: int) -> tuple[ast.Module, list[CodeType]] | None:
    """Return the tree of a text and its code, whole and by statements; None if it is no Python.

    A notebook compiles each statement of a cell by itself, which makes other instructions.
    """
    try:
        tree = ast.parse(text, file)
        parts = [tree, *(ast.Module([statement], []) for statement in tree.body)]
        return tree, [compile(part, file, "exec", flags, dont_inherit=True) for part in parts]
    except (SyntaxError, ValueError, RecursionError):
        return None


def _node(code: CodeType) -> ast.AST | None:
    """Return the tree of a function, None unless its source is what was compiled."""
    lines = _lines(code.co_filename)
    parsed = _parsed("".join(lines), code.co_filename, code.co_flags & _FUTURE)
    if parsed is None or not any(_is_same(code, o) for part in parsed[1] for o in _within(part)):
        return None
    found = [node for node in ast.walk(parsed[0]) if _begins(node, code)]
    if len(found) > 1:
        found = _around(found, code)
    return found[0] if len(found) == 1 else None


def _within(code: CodeType) -> Iterator[CodeType]:
    for item in code.co_consts:
        if isinstance(item, CodeType):
            yield item
            yield from _within(item)


def _is_same(one: CodeType, two: CodeType) -> bool:
    if any(getattr(one, name) != getattr(two, name) for name in _SAME):
        return False
    pairs = list(zip(one.co_consts, two.co_consts, strict=False))
    return len(one.co_consts) == len(two.co_consts) and all(
        _is_same(a, b) if isinstance(a, CodeType) and isinstance(b, CodeType) else a == b
        for a, b in pairs
    )


def _begins(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, _FUNCTIONS):
        first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        return node.name == code.co_name and first == code.co_firstlineno
    is_lambda = isinstance(node, ast.Lambda) and code.co_name == "<lambda>"
    return is_lambda and getattr(node, "lineno", 0) == code.co_firstlineno


def _around(nodes: list[ast.AST], code: CodeType) -> list[ast.AST]:
    """Return the innermost of several lambdas on a line that the code can be of."""
    spans = [
        ((p.lineno, p.col_offset), (p.end_lineno, p.end_col_offset))
        for i in dis.get_instructions(code)
        if (p := i.positions) is not None and None not in p
    ]
    spans = [(first, last) for first, last in spans if first != last]  # some stand at no place
    if not spans:
        return []
    low, high = min(first for first, _ in spans), max(last for _, last in spans)
    around = [
        (body.lineno, body.col_offset, node)
        for node in nodes
        if isinstance(node, ast.Lambda)
        and (body := node.body)
        and (body.lineno, body.col_offset) <= low
        and high <= (body.end_lineno, body.end_col_offset)
    ]
    return [max(around, key=lambda found: found[:2])[2]] if around else []


def _plain(node: Any) -> object:
    """Return a tree as nested tuples without places, strings that nobody reads, and `pass`."""
    if isinstance(node, ast.Constant):
        return ("Constant", type(node.value).__name__, repr(node.value))
    if isinstance(node, ast.JoinedStr):  # some Pythons put empty strings between the parts
        parts = [v for v in node.values if not (isinstance(v, ast.Constant) and v.value == "")]
        return ("JoinedStr", [_plain(part) for part in parts])
    if isinstance(node, ast.AST):
        fields = [
            (name, _plain(item))
            for name, item in ast.iter_fields(node)
            if name not in _SILENT_FIELDS and item is not None
        ]
        return (type(node).__name__, [field for field in fields if field[1] != []])
    if isinstance(node, list):
        return [_plain(item) for item in node if not _says_nothing(item)]
    return repr(node)


def _says_nothing(item: object) -> bool:
    is_string = isinstance(item, ast.Expr) and isinstance(item.value, ast.Constant)
    return isinstance(item, ast.Pass) or is_string


# -- instructions


def _instructions(code: CodeType) -> object:
    """Return what code does as nested tuples, jumps by the number of their target."""
    every = list(dis.get_instructions(code))
    kept = [i for i in every if i.opname not in _SILENT]
    number, count = {}, 0
    for i in every:
        number[i.offset] = count
        count += i.opname not in _SILENT
    jumps = {*dis.hasjrel, *dis.hasjabs}
    rows = [
        (i.opname, number.get(i.argval) if i.opcode in jumps else _constant(i.argval)) for i in kept
    ]
    variadic = bool(code.co_flags & inspect.CO_VARARGS) + bool(
        code.co_flags & inspect.CO_VARKEYWORDS
    )
    counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount)
    arguments = code.co_varnames[: counts[0] + counts[2] + variadic]
    return (counts, code.co_flags & _KINDS, arguments, rows, code.co_exceptiontable.hex())


def _constant(value: object) -> object:
    if isinstance(value, CodeType):
        return _instructions(value)
    if isinstance(value, tuple):
        return [_constant(item) for item in value]
    if isinstance(value, frozenset):
        return sorted(repr(item) for item in value)
    return (type(value).__name__, repr(value))
