r"""Tables as Markdown (pipe tables) and LaTeX (booktabs); a user's text is shown as it is.

What no document can hold, control characters say, are escapes.

LaTeX: `\usepackage{booktabs}`, and UTF-8, which is the default. Signs that a document's fonts lack
are shown by XeLaTeX and LuaLaTeX.
"""

import re
from collections.abc import Sequence

from hpo_research.tables.table import Cell, Table
from hpo_research.text import visible

_MARKDOWN = re.compile(r"([\\`*_\]<>|~&$])")
_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",  # an option of the line break above, otherwise
    "]": "{]}",
    "*": "{*}",
    "`": r"\textasciigrave{}",
    "–": r"\textendash{}",
    "−": "$-$",
    "×": r"$\times$",
    "±": r"$\pm$",
    "≤": r"$\leq$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
}
_NUMBER = re.compile(r"([-<]?)(\d+(?:\.\d+)?|inf)(?:e([-+]?\d+))?")


def markdown(table: Table) -> str:
    """Return the table as GitHub-flavoured Markdown, with its title and caption."""
    first = table.rows[0] if table.rows else ()
    rules = ["---:" if cell.is_number else ":---" for cell in first] or [":---"] * len(table.head)
    lines = [
        f"**{escaped_markdown(table.title)}.** {escaped_markdown(table.caption)}",
        "",
        _piped([escaped_markdown(title) for title in table.head]),
        _piped(rules),
        *(_piped([_marked(cell) for cell in row]) for row in table.rows),
    ]
    return "\n".join(lines) + "\n"


def _piped(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _marked(cell: Cell) -> str:
    shown = cell.text if cell.is_number else escaped_markdown(cell.text)
    before, after = {"": ("", ""), "best": ("**", "**"), "tied": ("<u>", "</u>")}[cell.mark]
    return f"{before}{shown}{after}"


def escaped_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return _MARKDOWN.sub(r"\\\1", visible(" ".join(text.split())))


def latex(table: Table) -> str:
    """Return the table as a LaTeX float that needs the package booktabs."""
    first = table.rows[0] if table.rows else ()
    columns = "".join("r" if cell.is_number else "l" for cell in first) or "l" * len(table.head)
    body = []
    for i, row in enumerate(table.rows):
        body += [r"\midrule"] if i in table.breaks else []
        body.append(_line([_typeset(cell) for cell in row]))
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table}",
        r"\centering\footnotesize\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{escaped_latex(table.title)}. {escaped_latex(table.caption)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\medskip",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _line([escaped_latex(title) for title in table.head]),
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _typeset(cell: Cell) -> str:
    if not cell.is_number:
        return escaped_latex(cell.text)
    shown = _NUMBER.sub(_in_mathematics, cell.text).replace("–", r"\textendash{}")
    if cell.mark == "best":
        return rf"\textbf{{\boldmath{shown}}}" if "$" in shown else rf"\textbf{{{shown}}}"
    return rf"\underline{{{shown}}}" if cell.mark else shown


def _in_mathematics(found: re.Match[str]) -> str:
    sign, digits, exponent = found.groups()
    if not sign and exponent is None and digits != "inf":
        return digits
    shown = sign + (r"\infty" if digits == "inf" else digits)
    return f"${shown}$" if exponent is None else rf"${shown} \times 10^{{{int(exponent)}}}$"


def escaped_latex(text: str) -> str:
    """Return text that LaTeX shows as it is, on one line."""
    plain = "".join(_LATEX.get(sign, sign) for sign in visible(" ".join(text.split())))
    return plain.replace("---", "-{}-{}-").replace("--", "-{}-")
