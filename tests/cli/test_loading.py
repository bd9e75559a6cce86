"""Files given to `hpo run` that are no experiments: one line says what is wrong, and where."""

import os

import pytest
from typer.testing import CliRunner

import hpo_research
from hpo_research.cli import app
from hpo_research.text import is_visible

BYTES = {
    "empty": (b"", "defines no `experiment`"),
    "other": (b"experiment = 3\n", "`experiment` must be an hpo_research.Experiment, got 3"),
    "syntax": (b"import os\nx = (\n", ":2: SyntaxError: '(' was never closed"),
    "raises": (b"def f():\n    raise KeyError('a\x1b[31m')\nf()\n", r":2: KeyError: 'a\x1b[31m'"),
    "exits": (b"import sys\nsys.exit(4)\n", ":2: SystemExit: 4"),
    "import": (b"\nimport nothere\n", ":2: ModuleNotFoundError: No module named 'nothere'"),
    "latin": (b"x = 1\nprint('caf\xe9')\n", "SyntaxError: (unicode error) 'utf-8' codec"),
    "encoding": (b"# -*- coding: nope -*-\n", "SyntaxError: unknown encoding: nope"),
    "nul": (b"x = 1\0", "null bytes"),
    "misspelt": (
        b"import hpo_research as hpo\nhpo.Float(0, 1, log=1)\n",
        ":2: hpo_research.errors.",
    ),
}


def hpo(*arguments: object):
    return CliRunner().invoke(app, [os.fspath(argument) for argument in arguments])


@pytest.mark.parametrize(("content", "message"), BYTES.values(), ids=BYTES)
def test_a_file_that_is_no_experiment_is_refused_with_its_line(tmp_path, content, message):
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    done = hpo("run", path)
    assert done.exit_code == 1
    assert done.output.startswith(f"error: {path}") and message in done.output
    assert is_visible(done.output) and "Traceback" not in done.output


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/dev/null", "/dev/null: is not a regular file; name a Python file"),
        (".", "is a folder; name a Python file"),
        ("nothere.py", "there is no such file; name a Python file"),
        ("[red]\x1b[31m\udce9.py", r"[red]\x1b[31m\udce9.py: there is no such file"),
    ],
)
def test_what_is_no_file_is_refused(path, message):
    done = hpo("run", path)
    assert done.exit_code == 1 and message in done.output
    assert is_visible(done.output)


def test_the_version_is_printed():
    done = hpo("--version")
    assert (done.exit_code, done.output) == (0, f"hpo_research {hpo_research.__version__}\n")


def test_the_console_is_the_only_way_to_the_terminal():
    folder = os.path.dirname(hpo_research.cli.__file__)
    for name in sorted(os.listdir(folder)):
        if name.endswith(".py") and name != "console.py":
            with open(os.path.join(folder, name), encoding="utf-8") as file:
                source = file.read()
            assert "typer.echo" not in source and "rich.text" not in source, name
            assert "print_exception" not in source, name
