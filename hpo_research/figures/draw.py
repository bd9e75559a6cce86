"""Figures as files: the same result gives the same bytes."""

from functools import partial
from pathlib import Path

from matplotlib.figure import Figure

from hpo_research.analysis.files import write_beside
from hpo_research.analysis.result import Result
from hpo_research.figures.incumbent import incumbent_figure
from hpo_research.figures.style import styled

# Dates and versions would make two files of the same figure differ.
_METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
    "png": {"Software": None},
}
_DOTS_PER_INCH = 300


def draw(result: Result, folder: str | Path) -> list[Path]:
    """Draw every figure of a result into a folder, as PDF, SVG and PNG, and return the files.

    The first is the PDF of the incumbent figure. Nothing but the result is read; a file is renamed
    into its place when it is complete. Raises `StoreWriteError` where the disk refuses.
    """
    return save(incumbent_figure(result), Path(folder) / "incumbent")


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as `stem.pdf`, `stem.svg` and `stem.png`, and return the files."""
    paths = []
    with styled():
        for kind, metadata in _METADATA.items():
            path = stem.with_name(f"{stem.name}.{kind}")
            write_beside(path, partial(_save, figure, kind, metadata))
            paths.append(path)
    return paths


def _save(figure: Figure, kind: str, metadata: dict[str, str | None], path: Path) -> None:
    figure.savefig(path, format=kind, dpi=_DOTS_PER_INCH, metadata=metadata)
