"""The notebooks run as they stand in the repository, and what they show is kept there.

`python -m tests.test_notebooks` runs them all again and keeps the new outputs.
"""

import json
import os
import re
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in NOTEBOOKS]
LARGEST = 600_000
_SECONDS = 300  # for one cell, in which loops may be compiled
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_KERNEL = ["-m", "ipykernel_launcher", "-f", "{connection_file}", "--HistoryManager.enabled=False"]
# A path from the root with two parts or more, a drive, a home, or a name or number of a host.
_PLACES = re.compile(
    r"(?<![\w.:/<>~-])/[\w.-]+/[\w./-]+|\b[A-Z]:\\|~/|\blocalhost\b|\b\d{1,3}(\.\d{1,3}){3}\b"
)


def executed(path: Path) -> NotebookNode:
    """Return a notebook as a kernel of this very interpreter runs it, in an empty folder.

    What editors and clocks leave in its metadata is gone, and its cells are numbered anew.
    """
    book = nbformat.read(path, as_version=4)
    with TemporaryDirectory() as folder:
        kernels = Path(folder, "kernels")
        spec = {**_METADATA["kernelspec"], "argv": [sys.executable, *_KERNEL]}
        (kernels / "python3").mkdir(parents=True)
        (kernels / "python3" / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
        kernel = AsyncKernelManager(
            kernel_spec_manager=KernelSpecManager(kernel_dirs=[str(kernels)]),
            connection_file=str(Path(folder, "kernel.json")),
            transport="ipc",  # no port that another test may take
        )
        here = Path(folder, "here")
        here.mkdir()
        client = NotebookClient(
            book,
            km=kernel,
            timeout=_SECONDS,
            record_timing=False,
            resources={"metadata": {"path": str(here)}},
        )
        client.execute(env=_environment(folder), cleanup_kc=True)
    book.metadata = nbformat.from_dict(_METADATA)
    for number, cell in enumerate(book.cells, 1):
        cell.id, cell.metadata = _id(number), NotebookNode()
    return book


def _id(number: int) -> str:
    return f"cell-{number:02}"


def _environment(folder: str) -> dict[str, str]:
    own = {name: text for name, text in os.environ.items() if name != "MPLBACKEND"}
    return {**own, **dict.fromkeys(_THREADS, "1"), "IPYTHONDIR": str(Path(folder, "ipython"))}


def keep(path: Path) -> None:
    """Run a notebook and write it with its outputs."""
    nbformat.write(executed(path), path)


def code(book: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def kinds(cell: NotebookNode) -> list[tuple[str, ...]]:
    """Return what a cell shows: for each output its stream, or its media types."""
    return [
        (output.name,) if output.output_type == "stream" else tuple(sorted(output.get("data", {})))
        for output in cell.outputs
    ]


@pytest.fixture(params=NOTEBOOKS, ids=NAMES)
def path(request: pytest.FixtureRequest) -> Path:
    return request.param


@pytest.fixture
def kept(path: Path) -> NotebookNode:
    return nbformat.read(path, as_version=4)


def test_there_are_notebooks():
    assert NAMES


@pytest.mark.slow
def test_a_notebook_runs_and_shows_what_is_kept(path: Path, kept: NotebookNode):
    assert [kinds(cell) for cell in code(executed(path))] == [kinds(cell) for cell in code(kept)]


def test_its_cells_were_run_once_from_top_to_bottom(kept: NotebookNode):
    counts = [cell.execution_count for cell in code(kept)]
    assert counts == list(range(1, len(counts) + 1))


def test_it_keeps_pictures_and_no_warning(kept: NotebookNode):
    shown = [kind for cell in code(kept) for kind in kinds(cell)]
    assert any("image/png" in kind for kind in shown)
    assert ("stderr",) not in shown
    assert all(output.output_type != "error" for cell in code(kept) for output in cell.outputs)


def test_it_names_no_place_of_a_machine(kept: NotebookNode):
    texts = [cell.source for cell in kept.cells]
    for cell in code(kept):
        for output in cell.outputs:
            shown = {"text": output.get("text", ""), **output.get("data", {})}
            texts += [text for kind, text in shown.items() if kind != "image/png"]
    assert [found.group() for text in texts for found in _PLACES.finditer(text)] == []


def test_its_file_is_small_and_holds_nothing_that_changes_by_itself(path: Path, kept: NotebookNode):
    assert path.stat().st_size < LARGEST
    assert kept.metadata == _METADATA
    assert [cell.metadata for cell in kept.cells] == [{}] * len(kept.cells)
    assert [cell.id for cell in kept.cells] == [_id(i) for i in range(1, len(kept.cells) + 1)]


def test_a_path_and_a_host_would_be_found():
    for text in ("in /tmp/abc/store", "/home/me/x", r"C:\data", "~/x", "127.0.0.1", "localhost"):
        assert _PLACES.search(text), text
    for text in ("and/or", "results/mine", "</td></tr>", "https://arxiv.org/abs/1", "1/2/3 p/q"):
        assert not _PLACES.search(text), text


def written(path: Path, source: str) -> Path:
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)]), path)
    return path


def test_the_kernel_is_this_interpreter_with_one_thread(tmp_path: Path):
    source = "import os, sys\nprint(sys.executable, os.environ['OMP_NUM_THREADS'])"
    (cell,) = executed(written(tmp_path / "who.ipynb", source)).cells
    assert cell.outputs[0].text == f"{sys.executable} 1\n"


def test_a_cell_that_raises_is_an_error(tmp_path: Path):
    with pytest.raises(CellExecutionError, match="ZeroDivisionError"):
        executed(written(tmp_path / "wrong.ipynb", "1 / 0"))


if __name__ == "__main__":
    for own in NOTEBOOKS:
        keep(own)
