"""How a report is to look and what it compares: given once, and kept beside the report."""

import json
import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from hpo_research import analysis
from hpo_research.errors import StoreError
from hpo_research.text import quoted

KEPT = "report.json"
"""The file that remembers what a report was made with."""


@dataclass(frozen=True)
class Options:
    """What a report is made with; None where it is to be as it was made the last time.

    `style` is a name of `figures.venues`, `control` the strategy that pairs are tested against.
    `labels` and `colors` are by the names of strategies and problems in the store (of `colors`,
    strategies alone), `order` and `only` are such names. With `raw`, CSV holds texts that a
    spreadsheet would run as a formula as they are. With `apart`, strategies of several stores are
    told apart by folder.
    """

    style: str | None = None
    control: str | None = None
    labels: Mapping[str, str] | None = None
    colors: Mapping[str, str] | None = None
    order: Sequence[str] | None = None
    only: Sequence[str] | None = None
    raw: bool | None = None
    apart: bool | None = None

    def over(self, earlier: "Options") -> "Options":
        """Return these options, and those of an earlier report where these say nothing."""
        given = {key: own for key, own in asdict(self).items() if own is not None}
        return replace(earlier, **given)

    @property
    def arguments(self) -> list[str]:
        """The options as `hpo report` takes them."""
        named: Mapping[str, Sequence[str | None]] = {
            "--style": [self.style],
            "--control": [self.control],
            "--label": [f"{name}={text}" for name, text in (self.labels or {}).items()],
            "--color": [f"{name}={text}" for name, text in (self.colors or {}).items()],
            "--order": self.order or (),
            "--only": self.only or (),
        }
        found = [
            part for option, own in named.items() for one in own if one for part in (option, one)
        ]
        return [*found, *(["--raw"] if self.raw else []), *(["--apart"] if self.apart else [])]


@dataclass(frozen=True)
class Kept:
    """What a report was made with, and of which results folders where it is not in theirs."""

    options: Options
    folders: tuple[Path, ...] = ()


def kept(folder: Path) -> Kept:
    """Return what the last report in a folder was made with; nothing where there is none.

    Raises `StoreError` where the file is damaged.
    """
    path = folder / KEPT
    if not path.is_file():
        return Kept(Options())
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        options, folders = found["options"], found["folders"]
        if not all(_is_option(key, own) for key, own in options.items()):
            raise ValueError(f"options: {quoted(options)}")
        where = tuple(Path(os.path.normpath(folder / text)) for text in folders)
        return Kept(Options(**options), where)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreError(
            f"{path}: expected what the last report was made with, but it cannot be read "
            f"({type(error).__name__}: {error}); delete it, and give the options anew"
        ) from None


_LEGAL: Mapping[str, type] = {"style": str, "control": str, "raw": bool, "apart": bool}


def _is_option(key: str, value: Any) -> bool:
    if key in _LEGAL:
        return isinstance(value, _LEGAL[key])
    own = value.values() if isinstance(value, dict) else value
    kind = dict if key in ("labels", "colors") else list
    is_known = key in {field.name for field in fields(Options)}
    return is_known and isinstance(value, kind) and all(isinstance(text, str) for text in own)


def keep(folder: Path, options: Options, folders: Sequence[Path]) -> None:
    """Keep what a report was made with, or that it was made with nothing."""
    given = {key: own for key, own in asdict(options).items() if own}
    where = [Path(os.path.relpath(path, folder)).as_posix() for path in folders]
    path = folder / KEPT
    if given or where:
        text = json.dumps({"folders": where, "options": given}, indent=2, ensure_ascii=False)
        analysis.files.write_beside(path, partial(_write, text + "\n"))
    else:
        path.unlink(missing_ok=True)


def _write(text: str, path: Path) -> None:
    path.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")


def command(folders: Sequence[Path | None], options: Options, out: Path | None) -> str:
    """Return the command that writes a report; folders are named as they are seen from here."""
    where = [] if out is None else ["--out", shown(out)]
    return shlex.join(["hpo", "report", *map(shown, folders), *where, *options.arguments])


def shown(folder: Path | None) -> str:
    """Return a folder's path below the current one, or its name alone where it lies elsewhere."""
    if folder is None:
        return "FOLDER"
    here = Path(os.path.abspath(folder))
    return here.relative_to(Path.cwd()).as_posix() if here.is_relative_to(Path.cwd()) else here.name
