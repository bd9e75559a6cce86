"""The command line as a door: in this process, with words that a shell could pass on."""

import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import mkdtemp

from typer.testing import CliRunner

from hpo_research.cli.app import app
from hpo_research.errors import HpoError

FILE = (
    "import hpo_research as hpo\nfrom tests.doubles import Walk\n"
    "experiment = hpo.Experiment('f', [Walk()], {'r': hpo.Random()}, [0], hpo.Budget(trials=2), "
    "parallel=2)\n"
)
FILES: Sequence[str | bytes] = (
    *("", "experiment = 3", "experiment = None", "def experiment(): pass", "raise ValueError('x')"),
    *("import nowhere", "import sys; sys.exit(3)", "from . import x", "experiment = (", "1 / 0"),
    *("raise SystemExit", "raise KeyError", "\ufeffexperiment = 3", "x = '\ud800'", "\0"),
    "import hpo_research as hpo\nexperiment = hpo.Experiment",
    "import hpo_research as hpo\nexperiment = hpo.Hyperband(etta=3)",
    "import hpo_research as hpo\nexperiment = [hpo.Random()]",
    FILE.replace("'f'", "'a/b'"),
    FILE.replace("'r'", "'\\x1b[31m'"),
    b"\xff\xfe\x00",
    b"# caf\xe9\nexperiment = 3",
    bytes(range(256)),
)


def command_run(text: object, **options: object) -> None:
    """Run an experiment file of this text; text that is none becomes one of `FILES`."""
    if not isinstance(text, str) or text != FILE:
        text = FILES[zlib.crc32(ascii(text).encode()) % len(FILES)]
    path = Path(mkdtemp(), "file.py")
    path.write_bytes(text if isinstance(text, bytes) else text.encode(errors="surrogatepass"))
    _invoke("run", str(path), "--quiet", *_flags(options))


def command(name: str) -> Callable[..., None]:
    """A command of `hpo` whose first argument stands alone."""

    def call(**arguments: object) -> None:
        first, *rest = arguments
        flags = _flags({key: arguments[key] for key in rest})
        _invoke(name, *flags, "--", _word(arguments[first]))

    return call


def _word(value: object) -> str:
    # A process cannot be given a NUL, and what a shell passes on is text.
    return str(value)[:300].replace("\0", "")


def _flags(options: Mapping[str, object]) -> list[str]:
    return [f"--{name}={_word(value)}" for name, value in options.items()]


def _invoke(*words: str) -> None:
    """Run `hpo`: it ends with a message and a code, never with a traceback."""
    done = CliRunner().invoke(app, list(words))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code in (0, 1, 2, 3), f"exit code {done.exit_code}"
    assert "Traceback" not in done.output, done.output[-300:]
    if done.exit_code:
        raise HpoError(done.output)
