"""How the CPU's loops are compiled: where tensors would cost more to call than to compute.

Numbers of one run must not depend on others: the loops take one row after another, and numba may
not reorder sums. What they compute is also written in tensors, for a GPU, and tests hold one
against the other. The first ask on a machine compiles them all, which takes about forty seconds
(`hpo doctor` does it too) and is said at a terminal; they are kept beside the source, or in the
user's cache where that cannot be written, or in a folder of the user's below the temporary one
where neither can (`NUMBA_CACHE_DIR` names another place).
"""

import sys
import warnings
from collections.abc import Callable, Mapping
from functools import cache, partial, wraps
from pathlib import Path
from typing import Any

import numba
import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from hpo_research.scratch import scratch

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_compile = partial(njit, nogil=True, error_model="numpy")
_fuse = partial(_compile, fastmath={"contract"})
_nest = partial(_fuse, no_cpython_wrapper=True, no_cfunc_wrapper=True)
_made: list[Any] = []


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function at its first call, and keep what comes of it where it can be kept."""
    return _made_of(function, _compile)


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do the same, with products and sums in one instruction each, rounded once, where there are.

    No sum is reordered: what is computed for one row does not depend on others here either.
    """
    return _made_of(function, _fuse)


def nested(function: Callable[..., Any]) -> Callable[..., Any]:
    """Do the same for what only compiled loops call: without a door for Python.

    A door takes as long to compile as a small loop: it unpacks every array of every argument.
    """
    return _made_of(function, _nest)


def _made_of(function: Callable[..., Any], compile_: Callable[..., Any]) -> Callable[..., Any]:
    made: Callable[..., Any]
    try:
        made = compile_(cache=True)(function)
    except RuntimeError:  # numba found no folder that it can write to
        made = _kept_in_scratch(function, compile_)
    _made.append(made)
    kept: Any = getattr(made, "_cache", None)
    if hasattr(kept, "save_overload"):
        kept.save_overload = _forgiving(kept.save_overload)
        kept.load_overload = _telling(kept.load_overload)
        if stamp := _stamp(function):
            kept._cache_file._source_stamp = stamp
    return made


def _stamp(function: Callable[..., Any]) -> tuple[tuple[float, int], ...]:
    """Return when all files were changed that a loop is made of, and their sizes.

    Numba looks at the loop's own file alone, and would keep what it calls as it was.
    """
    found = [Path(name).stat() for name in sorted(_sources(function.__globals__))]
    return tuple((file.st_mtime, file.st_size) for file in found)


def _sources(names: Mapping[str, Any]) -> set[str]:
    """Return the file of a module, and those of the loops and intrinsics that it imports."""
    files = {names["__file__"]} if "__file__" in names else set()
    for value in names.values():
        inner = getattr(value, "py_func", getattr(value, "_defn", None))
        if inner is not None and inner.__globals__ is not names:
            files |= _sources(inner.__globals__)
    return files


def place() -> str:
    """Return the folder in which compiled loops are kept, empty where they are in none."""
    folders = [made.stats.cache_path for made in _made]
    return str(folders[0] or "") if folders else ""


def _kept_in_scratch(function: Callable[..., Any], compile_: Callable[..., Any]) -> Any:
    folder = scratch()
    if folder is not None:
        settings: Any = numba.config
        before = settings.CACHE_DIR
        settings.CACHE_DIR = str(folder)
        try:
            return compile_(cache=True)(function)
        except RuntimeError:  # nor is that one to be written to
            pass
        finally:
            settings.CACHE_DIR = before
    _warn("neither the package's folder, nor the home folder, nor the temporary one is writable")
    return compile_()(function)


def _forgiving(save: Callable[..., None]) -> Callable[..., None]:
    """Go on where the disk refuses to keep what was compiled: it is there all the same."""

    @wraps(save)
    def saved(*arguments: Any) -> None:
        try:
            save(*arguments)
        except OSError as error:
            _warn(f"the disk refused ({error.strerror or error})")

    return saved


def _telling(load: Callable[..., Any]) -> Callable[..., Any]:
    """Say to who waits at a terminal that loops are being compiled."""

    @wraps(load)
    def loaded(*arguments: Any) -> Any:
        found = load(*arguments)
        if found is None:
            _tell()
        return found

    return loaded


@cache  # once a process, and not for each loop
def _tell() -> None:
    if sys.stderr.isatty():  # what a notebook keeps should not hang on a cache
        print(
            "hpo_research: compiling its loops for this machine, once, in about 40 seconds ...",
            file=sys.stderr,
        )


@cache  # once a process, and not for each loop
def _warn(reason: str) -> None:
    warnings.warn(
        f"compiled loops cannot be cached, since {reason}: every process compiles them again, "
        "about forty seconds each; set NUMBA_CACHE_DIR to a writable folder",
        RuntimeWarning,
        stacklevel=3,
    )


def by_loops(*tensors: torch.Tensor) -> bool:
    """Return whether loops compute these: not what is on a GPU, nor what autograd derives."""
    return all(t.is_cpu and not t.requires_grad for t in tensors)
