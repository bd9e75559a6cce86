"""What `hpo report` and others take, as Typer reads it."""

from typing import Annotated

import typer

Style = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Widths, fonts and sizes: plain, neurips, icml, jmlr, ieee, nature, slides.",
    ),
]
Control = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Test pairs of strategies against this one alone."),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="NAME=TEXT", help="Another name for a strategy or problem."),
]
Colors = Annotated[
    list[str] | None,
    typer.Option(
        "--color", metavar="NAME=COLOR", help="The colour of a strategy: #0072B2, tab:red."
    ),
]
Order = Annotated[
    list[str] | None,
    typer.Option("--order", metavar="NAME", help="The first, second, ... strategy or problem."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="NAME", help="A strategy or problem to keep; may be repeated."),
]
Figures = Annotated[
    list[str] | None,
    typer.Option("--figure", metavar="NAME", help="Draw this figure alone; may be repeated."),
]
Raw = Annotated[
    bool, typer.Option("--raw", help="In CSV, leave text that a spreadsheet runs as a formula.")
]
Apart = Annotated[
    bool, typer.Option("--apart", help="Name strategies of several folders after these too.")
]
Fresh = Annotated[
    bool, typer.Option("--fresh", help="Forget the options of the last report in the folder.")
]
Each = Annotated[bool, typer.Option("--each", help="Write a report of each folder, in it.")]
Traceback = Annotated[
    bool, typer.Option("--traceback", help="Show where in the code an error arose.")
]
