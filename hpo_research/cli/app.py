"""The commands of `hpo`: what they take, and which module answers.

The modules are named through the package, which loads one when its command is given.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

import hpo_research
from hpo_research import cli
from hpo_research.cli import arguments, cluster_commands, exits, file_options, job_commands
from hpo_research.cli.arguments import Traceback
from hpo_research.cli.exits import readable

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Hyperparameter optimisation for research: experiments, their results, and this machine.",
)

Folder = Annotated[Path, typer.Argument(metavar="DIR", help="A results folder.")]


def _version(is_wanted: bool) -> None:
    if is_wanted:
        print(f"hpo_research {hpo_research.__version__}")
        raise typer.Exit


@app.callback()
def _hpo(
    version: Annotated[
        bool,
        typer.Option("--version", help="Print the version.", callback=_version, is_eager=True),
    ] = False,
) -> None:
    """Take what belongs to no command."""


@app.command(
    context_settings=dict(file_options.FOREIGN),
    epilog="Exit codes: 0 all runs are finished; 1 an error, on stderr; 2 wrong usage; 3 finished, "
    "but in some run every trial failed; 130 interrupted by Ctrl-C, 143 by SIGTERM: completed work "
    "is stored, and the same command resumes.",
)
def run(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A Python file that defines `experiment`.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="The results folder.", show_default="results/NAME")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    seeds: Annotated[
        str | None, typer.Option(help="Seeds instead of those in the file: 0:10, or 0,3,5, or 5.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(help="A strategy, problem or experiment to run; may be repeated."),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=1, help="Threads per process; with 1, numbers repeat bit for bit.")
    ] = 1,
    shard: Annotated[
        str | None,
        typer.Option(metavar="K/N", help="Run one of N parts alone; `hpo merge` joins them."),
    ] = None,
    on: cluster_commands.On = None,
    shards: cluster_commands.Shards = None,
    cluster: cluster_commands.Cluster = None,
    partition: cluster_commands.Partition = None,
    time: cluster_commands.Time = None,
    memory: cluster_commands.Memory = None,
    gpus: cluster_commands.Gpus = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Print only where the results are.")
    ] = False,
    reports: Annotated[
        bool, typer.Option("--report/--no-report", help="Whether to write the report at the end.")
    ] = True,
    show_traceback: Traceback = False,
) -> None:
    """Run an experiment, or resume it where it stopped, and write its report.

    Where the file's `experiment` is a function, its parameters are options, given after FILE;
    `hpo run FILE -- --help` lists them.
    """
    narrow = seeds, tuple(only or ())
    given = tuple(context.args)
    wanted = cli.run.RunOptions(file, out, device, threads, *narrow, quiet, reports, shard, given)
    flags = {"partition": partition, "time": time, "memory": memory, "gpus": gpus}
    place = cluster_commands.place(on, shards, cluster, flags, shard)
    with readable(show_traceback), exits.interruptible():
        code = cli.run.run(wanted) if place is None else cli.cluster.run(wanted, place)
    raise typer.Exit(code)


app.command(epilog=cluster_commands.MERGE)(cluster_commands.merge)


@app.command(
    epilog="Exit codes: 0 every report is written; 1 an error or a missing figure, on stderr: "
    "everything else is written; 2 wrong usage; 130 interrupted by Ctrl-C, 143 by SIGTERM.",
)
def report(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Results folders, one or several.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Where it goes.", show_default="DIR, or report beside them")
    ] = None,
    style: arguments.Style = None,
    control: arguments.Control = None,
    labels: arguments.Labels = None,
    colors: arguments.Colors = None,
    order: arguments.Order = None,
    only: arguments.Only = None,
    figures: arguments.Figures = None,
    raw: arguments.Raw = False,
    apart: arguments.Apart = False,
    fresh: arguments.Fresh = False,
    each: arguments.Each = False,
    show_traceback: Traceback = False,
) -> None:
    """Write DIR/report.html, figures and tables from the store alone.

    Several folders are merged as one comparison. The next report in a folder is made with the same
    options, but for those given then. Experiments may be running at the same time; the report then
    says what is not finished yet.
    """
    given = cli.report.Given(
        folders=tuple(folders),
        out=out,
        style=style,
        control=control,
        labels=tuple(labels or ()),
        colors=tuple(colors or ()),
        order=tuple(order or ()),
        only=tuple(only or ()),
        figures=tuple(figures or ()),
        raw=raw,
        apart=apart,
        fresh=fresh,
        each=each,
    )
    with exits.interruptible():
        code = cli.report.reports(given, show_traceback)
    raise typer.Exit(code)


@app.command(
    epilog="Exit codes: 0 the progress is printed, also where Ctrl-C ends --watch; 1 an error, on "
    "stderr; 2 wrong usage.",
)
def status(
    folder: Folder,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document for scripts.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Keep updating until every run is finished, or Ctrl-C.")
    ] = False,
) -> None:
    """Show the progress of an experiment; it may be running at the same time."""
    if watch and as_json:
        raise typer.BadParameter("--json prints one document; leave out --watch")
    with readable():
        if watch:
            cli.status.watch(folder)
        else:
            cli.status.status(folder, as_json)


@app.command(
    epilog="Exit codes: 0 it is printed; 1 an error, on stderr, also where no trial has a value; "
    "2 wrong usage.",
)
def best(
    folder: Folder,
    problem: Annotated[str | None, typer.Option(help="Of this problem only.")] = None,
    strategy: Annotated[str | None, typer.Option(help="Of this strategy's runs only.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the runs with this seed only.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON document: configuration, value, trial.")
    ] = False,
    as_yaml: Annotated[bool, typer.Option("--yaml", help="The configuration as YAML.")] = False,
    as_python: Annotated[
        bool, typer.Option("--python", help="The configuration as a Python literal.")
    ] = False,
    as_flags: Annotated[
        bool, typer.Option("--flags", help="The configuration as flags of a command line.")
    ] = False,
) -> None:
    """Print the best configuration of each problem, with its value and whose it is.

    Where values are noisy, the trial that the strategy recommends is printed too.
    """
    asked = {"json": as_json, "yaml": as_yaml, "python": as_python, "flags": as_flags}
    forms = [form for form, is_asked in asked.items() if is_asked]
    if len(forms) > 1:
        raise typer.BadParameter(f"expected one form, got --{' and --'.join(forms)}")
    wanted = cli.best.Wanted(problem, strategy, seed, forms[0] if forms else None)
    with readable():
        cli.best.show(folder, wanted)


@app.command(
    epilog="Exit codes: 0 the request is written; 1 an error, on stderr; 2 wrong usage.",
)
def stop(
    folder: Folder,
    reason: Annotated[
        str, typer.Option(help="Why the runs end; shown by status and report.")
    ] = "asked to",
    only: Annotated[
        list[str] | None, typer.Option(help="A strategy or problem to end; may be repeated.")
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Let ended runs continue at the next `hpo run`.")
    ] = False,
) -> None:
    """End runs before their budget is spent.

    It takes effect at the next turn of `hpo run`, or when that is next started.

    No new trial starts in these runs, and their running trials are stopped.
    """
    with readable():
        cli.stop.stop(folder, reason, tuple(only or ()), undo)


@app.command(
    epilog="Exit codes: 0 the files are written; 1 an error, on stderr; 2 wrong usage.",
)
def export(
    folder: Folder,
    format: Annotated[str, typer.Option(help="csv, parquet, coco, iohprofiler or optuna.")] = "csv",
    raw: arguments.Raw = False,
) -> None:
    """Write DIR/export/trials and reports: one row per trial and one per report, sorted.

    coco: the runs in the format of COCO's data, for cocopp, in DIR/export/coco/STRATEGY.
    iohprofiler: the same for IOHanalyzer. optuna: one file that Optuna opens as a storage, a study
    per run.
    """
    with readable():
        cli.export.export(folder, format, raw=raw)


@app.command(
    epilog="Exit codes: 0 it was ended by Ctrl-C; 1 an error, on stderr; 2 wrong usage.",
)
def dashboard(
    folders: Annotated[
        list[Path], typer.Argument(metavar="DIR...", help="Results folders, one or several.")
    ],
    host: Annotated[
        str, typer.Option(help="The address to listen on; by default this machine alone.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="The port; 0 takes any that is free.")
    ] = 8080,
) -> None:
    """Show results on a live page in a browser, by optuna-dashboard; the experiment may be running.

    Every run is a study there. Nothing can be changed from the page.
    """
    with readable():
        cli.dashboard.show(folders, host, port)


@app.command(
    epilog="Exit codes: 0 OUT holds all that was intact; 1 an error, on stderr; 2 wrong usage; "
    "130 interrupted by Ctrl-C, 143 by SIGTERM."
)
def rescue(
    folder: Folder,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that is new or empty.")],
    show_traceback: Traceback = False,
) -> None:
    """Copy the intact part of a damaged store to OUT, to be reported on and resumed there."""
    with readable(show_traceback), exits.interruptible():
        cli.rescue.rescued(folder, out)


@app.command(
    epilog="Exit codes: 0 the table is written; 1 an error, on stderr; 2 wrong usage; 130 "
    "interrupted by Ctrl-C, 143 by SIGTERM: what was trained is kept in OUT.parts, and the same "
    "command resumes.",
)
def table(
    name: Annotated[str, typer.Argument(metavar="PROBLEM", help="The name of a problem.")],
    out: Annotated[Path, typer.Option(help="The .npz file to write.")],
    configurations: Annotated[
        int, typer.Option(min=1, help="How many configurations to train.")
    ] = 1000,
    epochs: Annotated[int, typer.Option(min=1, help="Epochs to train each for.")] = 27,
    seeds: Annotated[int, typer.Option(min=1, help="Trainings of each, one per seed.")] = 2,
    data: Annotated[
        str | None, typer.Option(help="An .npz file with the images, for problems that take one.")
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda:N.")] = "auto",
    show_traceback: Traceback = False,
) -> None:
    """Record learning curves: train a design of configurations, and write what they reported."""
    wanted = cli.table.TableOptions(name, out, configurations, epochs, seeds, data, device)
    with readable(show_traceback), exits.interruptible():
        cli.table.record(wanted)


app.command(epilog=job_commands.DESCRIBE)(job_commands.describe)
app.command(epilog=job_commands.TUNE)(job_commands.tune)


@app.command(epilog="Exit codes: 0 the list is printed; 2 wrong usage.")
def problems() -> None:
    """List the problems that come with the package."""
    cli.listings.problems()


@app.command(epilog="Exit codes: 0 it is printed; 1 an error, on stderr; 2 wrong usage.")
def suites(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="A suite, such as bbob-5d.")
    ] = None,
) -> None:
    """List the suites of problems, or print the data card of one."""
    with readable():
        cli.listings.suites(name)


@app.command(epilog="Exit codes: 0 the list is printed; 2 wrong usage.")
def strategies() -> None:
    """List the strategies, their options and defaults."""
    cli.listings.strategies()


_rivals = typer.Typer(
    invoke_without_command=True,
    help="List the optimisers of other libraries, or install what one needs.",
    epilog="Exit codes: 0 done; 1 an error, on stderr; 2 wrong usage.",
)
app.add_typer(_rivals, name="rivals")


@_rivals.callback()
def rivals(context: typer.Context) -> None:
    """List the rivals: the versions found, and what installs those that are missing."""
    if context.invoked_subcommand is None:
        with readable():
            cli.rivals.show()


@_rivals.command()
def install(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A rival, or its environment.")],
    into: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where.", show_default="$HPO_RIVALS, or .rivals"),
    ] = None,
) -> None:
    """Make an environment with what a rival needs, whose pins conflict with those here."""
    with readable(), exits.interruptible():
        cli.rivals.install(name, into)


@app.command(
    epilog="Exit codes: 0 all well; 1 a kernel is not bit-equal on the CPU; 2 wrong usage."
)
def doctor() -> None:
    """Describe this machine, and test whether its numbers repeat bit for bit."""
    raise typer.Exit(cli.doctor.doctor())


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that lacks a sign shows another; it is no reason to stop.
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()
