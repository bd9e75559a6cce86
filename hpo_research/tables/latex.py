r"""Tables as LaTeX for `\input`, laid out so that no line is wider than its column.

Each says in its first lines what it needs: booktabs and longtable, which every TeX distribution
has. Text is UTF-8, the default; letters that a document's fonts lack are shown by XeLaTeX and
LuaLaTeX.
"""

import re
from collections.abc import Sequence

from hpo_research.tables.layout import Layout, Panel, Printed, layout
from hpo_research.tables.table import Table
from hpo_research.tables.widths import broken, width
from hpo_research.text import visible

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "varepsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "φ": "varphi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
    "Γ": "Gamma",
    "Δ": "Delta",
    "Θ": "Theta",
    "Λ": "Lambda",
    "Ξ": "Xi",
    "Π": "Pi",
    "Σ": "Sigma",
    "Φ": "Phi",
    "Ψ": "Psi",
    "Ω": "Omega",
}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ", "0123456789-+n", strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_SIGNS = {
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
    "≥": r"$\geq$",
    "≠": r"$\neq$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "→": r"$\rightarrow$",
    "↓": r"$\downarrow$",
    "↑": r"$\uparrow$",
    "·": r"$\cdot$",
    "µ": r"$\mu$",
    **{sign: rf"$\{name}$" for sign, name in _GREEK.items()},
    **{sign: f"$^{{{own}}}$" for sign, own in _RAISED.items()},
    **{sign: f"$_{{{own}}}$" for sign, own in _LOWERED.items()},
}
_NUMBER = re.compile(r"([-<]?)(\d+(?:\.\d+)?|inf)(?:e([-+]?\d+))?")
_UNBROKEN = 6.0  # a word that is wider, in em, may be broken


def latex(table: Table) -> str:
    """Return the table as LaTeX: one float, or one that goes over pages.

    A float is as wide as a column where that suffices, and as the text otherwise. Its caption is
    the title; notes, below, are what the table says of its columns.
    """
    found = layout(table)
    lines = [
        rf"% {table.title}. {_needs(found)}",
        *(_over_pages if found.is_long else _float)(table, found),
    ]
    return "\n".join(lines) + "\n"


def _needs(found: Layout) -> str:
    if found.is_long:
        return (
            r"Needs \usepackage{booktabs,longtable}; in a two-column document it begins on a new"
            " page, of one column."
        )
    return r"Needs \usepackage{booktabs}."


def _float(table: Table, found: Layout) -> list[str]:
    kind = "table*" if found.is_wide else "table"
    lines = [rf"\begin{{{kind}}}", r"\centering"]
    lines += [rf"\caption{{{_text(table.title)}}}", rf"\label{{tab:{table.name}}}"]
    lines += [r"\medskip", r"\footnotesize\setlength{\tabcolsep}{3pt}"]
    for i, panel in enumerate(found.panels):
        lines += [r"\par\medskip"] if i else []
        lines.append(rf"\begin{{tabular}}{{{_columns(panel)}}}")
        lines += [r"\toprule", _head(panel), r"\midrule", *_body(panel), r"\bottomrule"]
        lines.append(r"\end{tabular}")
    lines += [
        r"\par\medskip",
        r"\begin{minipage}{\linewidth}",
        *_notes(table, found),
        r"\end{minipage}",
    ]
    return [*lines, rf"\end{{{kind}}}"]


def _over_pages(table: Table, found: Layout) -> list[str]:
    title = _text(table.title)
    lines = [
        r"\makeatletter",
        r"\if@twocolumn\onecolumn\let\hpoafter\twocolumn\else\let\hpoafter\relax\fi",
        r"\makeatother",
        r"\begingroup\footnotesize\setlength{\tabcolsep}{3pt}\setlength{\LTcapwidth}{\linewidth}",
    ]
    for i, panel in enumerate(found.panels):
        head = [r"\toprule", _head(panel), r"\midrule"]
        first = [rf"\caption{{{title}}}\label{{tab:{table.name}}}\\"]
        lines += [
            rf"\begin{{longtable}}{{{_columns(panel)}}}",
            *([] if i else first),
            *head,
            r"\endfirsthead",
            rf"\caption[]{{{title} (continued)}}\\",
            *head,
            r"\endhead",
            r"\bottomrule",
            r"\endfoot",
            *_body(panel),
            r"\end{longtable}",
            *([r"\addtocounter{table}{-1}"] if i else []),
        ]
    return [*lines, *_notes(table, found), r"\endgroup", r"\hpoafter\relax"]


def _notes(table: Table, found: Layout) -> list[str]:
    left = ", ".join(found.left_out)
    said = (
        f"{table.caption} For want of room without {left}: see the CSV." if left else table.caption
    )
    return [rf"\scriptsize\sloppy\noindent {_text(said)}\par"]


def _columns(panel: Panel) -> str:
    first = panel.rows[0] if panel.rows else ()
    kinds = "".join("r" if own.cell.is_number else "l" for own in first)
    return f"@{{}}{kinds or 'l' * len(panel.heads)}@{{}}"


def _head(panel: Panel) -> str:
    kinds = _columns(panel).replace("@{}", "")
    return _line([_stacked(own, kind, "b") for own, kind in zip(panel.heads, kinds, strict=True)])


def _body(panel: Panel) -> list[str]:
    lines = []
    for i, row in enumerate(panel.rows):
        lines += [r"\midrule"] if i in panel.rules else []
        lines += [
            rf"\multicolumn{{{len(row)}}}{{@{{}}l@{{}}}}{{\itshape {escaped_latex(own)}}} \\*"
            for own in panel.groups.get(i, ())
        ]
        lines.append(_line([typeset(own) for own in row]))
    return lines


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _stacked(lines: Sequence[str], kind: str, where: str) -> str:
    return _aligned([escaped_latex(line) for line in lines], kind, where)


def _aligned(lines: Sequence[str], kind: str, where: str) -> str:
    """Return lines below each other, already LaTeX; `where` says which is in line with the row."""
    if len(lines) == 1:
        return lines[0]
    inner = r" \\{} ".join(lines)  # a bracket would be an option of the line break
    return rf"\begin{{tabular}}[{where}]{{@{{}}{kind}@{{}}}}{inner}\end{{tabular}}"


def typeset(own: Printed) -> str:
    """Return a cell as LaTeX: bold where it leads alone, underlined where it does among others."""
    cell = own.cell
    if not cell.is_number:
        return _stacked(own.lines, "l", "t")
    if len(own.lines) > 1:
        return _aligned([_number(line) for line in own.lines], "r", "t")
    shown = _number(cell.text)
    if cell.mark == "best":
        shown = rf"\textbf{{\boldmath{shown}}}" if "$" in shown else rf"\textbf{{{shown}}}"
    elif cell.mark == "tied":
        shown = rf"\underline{{{shown}}}"
    return rf"{shown}\phantom{{{own.pad}}}" if own.pad else shown


def _number(text: str) -> str:
    return _NUMBER.sub(_in_mathematics, _with_signs(text))


def _with_signs(text: str) -> str:
    return text.replace("–", r"\textendash{}").replace("%", r"\%").replace("> ", "$>$ ")


def _in_mathematics(found: re.Match[str]) -> str:
    sign, digits, exponent = found.groups()
    if not sign and exponent is None and digits != "inf":
        return digits
    shown = sign + (r"\infty" if digits == "inf" else digits)
    return f"${shown}$" if exponent is None else rf"${shown} \times 10^{{{int(exponent)}}}$"


def escaped_latex(text: str) -> str:
    """Return text that LaTeX shows as it is, on one line."""
    plain = "".join(_SIGNS.get(sign, sign) for sign in visible(" ".join(text.split())))
    return plain.replace("---", "-{}-{}-").replace("--", "-{}-")


def _text(text: str) -> str:
    """Return text of several lines, whose long words may be broken."""
    return " ".join(
        escaped_latex(word)
        if width(word) <= _UNBROKEN
        else r"\allowbreak{}".join(map(escaped_latex, broken(word, _UNBROKEN)))
        for word in text.split()
    )
