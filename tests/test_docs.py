"""Every block of `docs/` runs as it stands there, and prints what the page shows.

`python` blocks of a page run one after another in one namespace and folder; one that begins with
`# NAME.py` is also written there as that file. `sh` blocks are commands of `hpo`, run in this
process. A `text` block is what the block above it prints, where `...` stands for anything. Only
`console` blocks are for the reader alone.
"""

import doctest
import io
import re
import shlex
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType

import pytest
from typer.testing import CliRunner

from hpo_research.cli import app

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {page.stem: page for page in sorted(DOCS.glob("*.md"))}
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#([^)\s]+))?\)")
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def python(code: str, names: dict[str, object], line: int, page: Path) -> str:
    """Run a block and return what it prints; a file that it begins with the name of is written."""
    if named := re.match(r"# (\w+\.py)\n", code):
        Path(named[1]).write_text(code)
    with redirect_stdout(io.StringIO()) as printed:
        exec(compile("\n" * line + code, str(page), "exec"), names)
    return printed.getvalue()


def commands(text: str) -> str:
    """Run commands and return what they print; each must end well."""
    printed = ""
    for line in text.replace("\\\n", "").splitlines():
        program, *arguments = shlex.split(line, comments=True) or [""]
        if not program:
            continue
        assert program == "hpo", f"{line}: only commands of hpo are run; others are `console`"
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 0, f"{line}\n{done.output}"
        printed += done.output
    return printed


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_what_a_page_shows_happens(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    module = ModuleType("page")  # what a page defines is found by name, as in a script
    monkeypatch.setitem(sys.modules, "page", module)
    text, printed = page.read_text(encoding="utf-8"), ""
    for block in BLOCK.finditer(text):
        kind, body = block.groups()
        line = text.count("\n", 0, block.start(2))
        if kind == "python":
            printed = python(body, vars(module), line, page)
        elif kind == "sh":
            printed = commands(body)
        elif kind == "text":
            is_shown = doctest.OutputChecker().check_output(body, printed, FLAGS)
            assert is_shown, f"{page.name}, line {line + 1}\nshown:\n{body}\nprinted:\n{printed}"
        else:
            assert kind == "console", f"{page.name}: a block of {kind}"


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    for target, section in LINK.findall(page.read_text(encoding="utf-8")):
        there = (page.parent / target).resolve()
        assert there.exists(), f"{page.name}: {target}"
        headings = re.findall(r"^#+ (.*)$", there.read_text() if section else "", re.MULTILINE)
        known = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        assert not section or section in known, f"{page.name}: {target}#{section}"


def test_the_list_names_every_page() -> None:
    listed = {target for target, _ in LINK.findall(PAGES["README"].read_text(encoding="utf-8"))}
    assert {page.name for page in PAGES.values()} - {"README.md"} <= listed
