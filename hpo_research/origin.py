"""Whose code it is: the user's own, or that of an installed package."""

import sys
import sysconfig
import traceback
from functools import cache
from pathlib import Path, PurePath
from types import FunctionType

_PACKAGE = Path(__file__).resolve().parent
_LIBRARIES = ("stdlib", "platstdlib", "purelib", "platlib")
_INSTALLED = {"site-packages", "dist-packages"}
_MADE = ("<frozen ", "<attrs generated ", "<eval_with_key>", "<__array_function__")
"""What the names of files begin with that stand for code written by other code."""


@cache
def is_own(file: str) -> bool:
    """Return whether a file is the user's: neither ours, nor Python's, nor of a package.

    So are the cells of a notebook, the lines of a prompt and what `exec` was given (`<string>`).
    """
    if file.startswith("<"):
        return not file.startswith(_MADE)
    path = Path(file).resolve()
    if _INSTALLED & set(path.parts):
        return False
    roots = [Path(sysconfig.get_path(name)).resolve() for name in _LIBRARIES]
    return not any(path.is_relative_to(root) for root in (_PACKAGE, *roots))


def is_own_module(name: str) -> bool:
    """Return whether a module of that name is the user's; one without a file, if not Python's."""
    if name in ("__main__", "__mp_main__"):
        return True
    if name.partition(".")[0] in sys.stdlib_module_names:
        return False
    file = getattr(sys.modules.get(name), "__file__", None)
    return file is None or is_own(file)


def is_own_function(function: FunctionType) -> bool:
    """Return whether the user wrote a function, rather than a package or a dataclass."""
    code = function.__code__
    if code.co_qualname.startswith("__create_fn__."):  # what a dataclass writes for itself
        return False
    if code.co_filename.startswith("<") and not is_own_module(module_of(function)):
        return False
    return is_own(code.co_filename)


def module_of(function: FunctionType) -> str:
    """Return the module that a function was written in, whatever decorators call it."""
    return str(function.__globals__.get("__name__", function.__module__))


def caller() -> tuple[str, int]:
    """Return file and line of the innermost call that came from outside this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and Path(frame.f_code.co_filename).is_relative_to(_PACKAGE):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def told(error: BaseException) -> str:
    """Say what went wrong and where: type, message, and the innermost line of the user's code.

    Without a line of the user's, the innermost of all.
    """
    what = "".join(traceback.format_exception_only(error)).strip()[:500]
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if is_own(frame.filename)]
    if not frames:
        return what
    where = (own or frames)[-1]
    line = f": {where.line}" if where.line else ""
    return f"{what} ({PurePath(where.filename).name}:{where.lineno}, in {where.name}{line})"
