"""Paths as people give them: one place that takes them, so that all doors take the same."""

import os
from pathlib import Path

from hpo_research.errors import HpoError

_PATH, _PART = 4095, 255  # bytes that a path, and a name in it, may have

Given = str | os.PathLike[str]
"""What a path argument may be."""


def place(given: object, name: str, error: type[HpoError]) -> Path:
    """Return a path argument as a `Path`, with `~` and `~user` as home folders.

    `name` is what the caller calls it. Raises `error` for what names no place: anything but a
    string or a path, an empty string, one with a NUL, one that no file system can hold.
    """
    if not isinstance(given, str | os.PathLike) or not isinstance(os.fspath(given), str):
        hint = "; decode it with os.fsdecode" if isinstance(given, bytes) else ""
        raise error(f"{name}: expected a path as a string or a Path, got {given!r}{hint}")
    text = os.fspath(given)
    if not text:
        raise error(f"{name}: expected a path, got an empty string; '.' is the current folder")
    if "\0" in text:
        raise error(f"{name}: expected a path, got {given!r}, which holds a NUL")
    try:
        os.fsencode(text)
    except UnicodeEncodeError as wrong:
        raise error(f"{name}: expected a path, got {text!a}, which no file can have") from wrong
    if len(os.fsencode(text)) > _PATH or any(len(os.fsencode(p)) > _PART for p in Path(text).parts):
        raise error(
            f"{name}: expected a path, got one that is too long: {text[:60]!r}...; shorten it"
        )
    try:
        return Path(text).expanduser()
    except RuntimeError as wrong:
        raise error(
            f"{name}: {text!r} begins with the home folder of a user unknown to this machine; "
            f"write ./{text} for a folder of that name, or the whole path"
        ) from wrong


def refusal(folder: Path, error: OSError) -> str:
    """Say why a folder could not be made."""
    if folder.is_symlink() and not folder.exists():
        return f"is a link to {os.readlink(folder)}, which does not exist; fix or remove the link"
    if folder.exists():
        return "is a file; expected a folder, or a path where one can be made"
    return f"cannot be made ({error.strerror}); choose another folder"
