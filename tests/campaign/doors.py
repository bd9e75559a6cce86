"""The public doors: each with arguments that it takes, and what an accepted call is used for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from tempfile import mkdtemp

import numpy as np

import hpo_research as hpo
from hpo_research import figures
from hpo_research.analysis import export, finals, incumbents, ranks
from hpo_research.records import Ask, Resume, Start, Stop, start
from tests.campaign.commands import FILE, command, command_run
from tests.campaign.uses import (
    ask_of,
    asks_of,
    experiment,
    function_that_reports,
    function_that_returns,
    loss,
    made_and_used,
    on_axes,
    proposal_of,
    reports_of,
    result,
    run_name,
    told,
    use_experiment,
    use_function_problem,
    use_parameter,
    use_problem,
    use_space,
    use_strategy,
)
from tests.campaign.values import SPACE
from tests.doubles import Walk

Arguments = Mapping[str, object]


@dataclass(frozen=True)
class Door:
    """A public call, the arguments of a good one, and how often it is tried beside the others.

    `then` uses what an accepted call returned, as its user would.
    """

    name: str
    call: Callable[..., object]
    good: Callable[[], Arguments]
    share: int = 10
    then: Callable[[object], object] = field(default=lambda made: None)


def _space_method(method: str, good: Callable[[], Arguments]) -> Door:
    def call(**arguments: object) -> object:
        return getattr(SPACE, method)(**arguments)

    return Door(f"SearchSpace.{method}", call, good)


_CONFIG: Arguments = {"x": 0.5, "n": 2, "c": "a"}


def _strategy(make: Callable[..., object], share: int = 6, **good: object) -> Door:
    return Door(make.__name__, make, lambda: good, share, use_strategy)


def _inner(make: Callable[..., object], **good: object) -> Door:
    return _strategy(make, inner=hpo.Random(), **good)


SPACES = (
    Door(
        "Float",
        hpo.Float,
        lambda: dict(low=0.1, high=1.0, scale="linear", step=None),
        60,
        use_parameter,
    ),
    Door("Float log", hpo.Float, lambda: dict(low=1e-3, high=1.0, scale="log"), 40, use_parameter),
    Door(
        "Integer",
        hpo.Integer,
        lambda: dict(low=1, high=9, scale="linear", step=1),
        60,
        use_parameter,
    ),
    Door("Integer log", hpo.Integer, lambda: dict(low=1, high=99, scale="log"), 40, use_parameter),
    Door(
        "Categorical",
        hpo.Categorical,
        lambda: dict(values=["a", 1], ordered=False),
        60,
        use_parameter,
    ),
    Door(
        "SearchSpace",
        hpo.SearchSpace,
        lambda: dict(x=hpo.Float(0, 1), c=hpo.Categorical(["a", "b"])),
        40,
        use_space,
    ),
    Door(
        "SearchSpace dict",
        lambda parameters: hpo.SearchSpace(parameters),
        lambda: dict(parameters={"x": hpo.Float(0, 1)}),
        40,
        use_space,
    ),
    Door(
        "SearchSpace among",
        hpo.SearchSpace,
        lambda: dict(x=hpo.Float(0, 1), among=[{"x": 0.5}, {"x": 0.25}]),
        40,
        use_space,
    ),
    _space_method("validate", lambda: dict(config=dict(_CONFIG), what="config")),
    _space_method("encode", lambda: dict(configs=[dict(_CONFIG)])),
    _space_method("identity", lambda: dict(config=dict(_CONFIG))),
    _space_method("from_uniform", lambda: dict(cube=np.full((2, 3), 0.5))),
    _space_method("decode", lambda: dict(cube=np.full((2, 3), 0.5))),
    Door("validate x", lambda **c: SPACE.validate(c), lambda: dict(_CONFIG), 40),
)
STRATEGIES = (
    _strategy(hpo.Random, kind="uniform"),
    _strategy(hpo.Grid, 20, points=3),
    Door(
        "Grid dict", lambda **p: hpo.Grid(p), lambda: dict(x=3, n=[1, 2], c=["a"]), 20, use_strategy
    ),
    _strategy(
        hpo.Bayesian,
        12,
        acquisition="qlogei",
        model="matern52",
        transform="yeo-johnson",
        initial=9,
        batch=4,
        samples=8,
        starts=2,
        beta=4.0,
    ),
    _inner(hpo.Hyperband, eta=3, rounding="ceil"),
    _inner(hpo.ASHA, kind="promote", eta=3, min_epochs=1, batch=4),
    _inner(hpo.ASHA, kind="stop", eta=3, min_epochs=1, batch=4),
    _inner(hpo.AsynchronousHyperband, kind="promote", eta=3, batch=4),
    _inner(hpo.SuccessiveHalving, eta=3, candidates=9, min_epochs=1),
    _inner(hpo.EarlyDiscarding, candidates=9, epochs=1, top=3),
    _inner(hpo.MedianStopping, kind="sagemaker", min_epochs=1, min_trials=5),
    _inner(hpo.CurveStopping, threshold=0.05, min_epochs=3, min_trials=5),
    _strategy(
        hpo.FreezeThaw,
        3,
        initial=9,
        greedy=4,
        batch=4,
        model="matern52",
        transform="yeo-johnson",
        starts=2,
    ),
    _strategy(hpo.ModelHyperband, 3, eta=3, initial=9, batch=4, starts=2),
)
PROBLEMS = (
    Door("problem", lambda name: hpo.problem(name), lambda: dict(name="ackley"), 10, use_problem),
    Door(
        "problem ackley",
        lambda **o: hpo.problem("ackley", **o),
        lambda: dict(dimension=3, noise=0.1, name="a"),
        20,
        use_problem,
    ),
    Door(
        "problem curves",
        lambda **o: hpo.problem("curves", **o),
        lambda: dict(base="hartmann6", max_epochs=9, agreement=0.8, name="c"),
        20,
        use_problem,
    ),
    Door(
        "problem digits",
        lambda **o: hpo.problem("digits-mlp", **o),
        lambda: dict(max_epochs=3, metric="error", name="d"),
        10,
        use_problem,
    ),
    Door(
        "Tabulated",
        hpo.Tabulated,
        lambda: dict(table="digits-mlp", metric="", name="t"),
        10,
        use_problem,
    ),
    Door(
        "FunctionProblem",
        hpo.FunctionProblem,
        lambda: dict(
            f=loss,
            space=SPACE,
            metric="loss",
            direction="minimize",
            max_epochs=1,
            workers=1,
            timeout=9.0,
            memory="2 GB",
            can_resume=False,
            name="f",
        ),
        60,
        use_function_problem,
    ),
    Door("function returns", function_that_returns, lambda: dict(value=0.5), 40),
    Door("function reports", function_that_reports, lambda: dict(epoch=1, value=0.5), 20),
    Door(
        "own problem reports",
        reports_of,
        lambda: dict(epoch=1, metrics={"loss": 0.5}, seconds=0.1, clock=0.0),
        4,
    ),
)
EXPERIMENTS = (
    Door("Budget", hpo.Budget, lambda: dict(evaluations=3), 20),
    Door("Budget all", hpo.Budget, lambda: dict(epochs=3, trials=2, seconds=1.0), 40),
    Door(
        "Experiment",
        hpo.Experiment,
        lambda: dict(
            name="x",
            problems=[Walk()],
            strategies={"r": hpo.Random()},
            seeds=[0, 1],
            budget=hpo.Budget(trials=3),
            parallel=2,
            execution="lock-step",
            final="last",
        ),
        60,
        use_experiment,
    ),
    Door(
        "Experiment strategy",
        lambda **s: hpo.Experiment("x", [Walk()], s, [0], hpo.Budget(trials=3)),
        lambda: dict(r=hpo.Random(), h=hpo.Hyperband()),
        20,
        use_experiment,
    ),
    Door(
        "run",
        hpo.run,
        lambda: dict(
            experiment=experiment(), out=mkdtemp(), device="cpu", threads=1, progress=False
        ),
        4,
    ),
    Door(
        "tune",
        hpo.tune,
        lambda: dict(
            function=loss,
            space=SPACE,
            strategy=hpo.Random(),
            trials=1,
            parallel=1,
            seed=0,
            direction="minimize",
            max_epochs=1,
            path=None,
            execution="lock-step",
        ),
        2,
    ),
)
STUDIES = (
    Door(
        "Study",
        made_and_used,
        lambda: dict(
            space=SPACE,
            strategy=hpo.Random(),
            seed=0,
            direction="minimize",
            max_epochs=3,
            path=None,
            final="last",
        ),
        30,
    ),
    Door("Study.ask", lambda **a: told("ask", **a), lambda: dict(n=1), 20),
    Door("Study.tell", lambda **a: told("tell", **a), lambda: dict(trial=0, value=0.5), 30),
    Door(
        "Study.report",
        lambda **a: told("report", **a),
        lambda: dict(trial=0, epoch=1, value=0.5),
        30,
    ),
    Door("Study.fail", lambda **a: told("fail", **a), lambda: dict(trial=0, reason="x"), 30),
    Door("Study.enqueue", lambda **a: told("enqueue", **a), lambda: dict(config=dict(_CONFIG)), 30),
    Door("own strategy", asks_of, lambda: dict(asks=[Ask()]), 20),
    Door(
        "own ask",
        ask_of,
        lambda: dict(
            proposals=(start(dict(_CONFIG), 3, "x"),), notes={"a": 1.0}, seconds={"fit": 0.1}
        ),
        40,
    ),
    Door(
        "own proposal",
        proposal_of(Start),
        lambda: dict(config=dict(_CONFIG), until=3, origin="x"),
        40,
    ),
    Door("own resume", proposal_of(Resume), lambda: dict(trial=0, until=3), 10),
    Door("own stop", proposal_of(Stop), lambda: dict(trial=0), 10),
)
RESULTS = (
    Door("Result.read", lambda folder: hpo.Result.read(folder), lambda: dict(folder=mkdtemp()), 10),
    Door(
        "curve",
        incumbents.curve,
        lambda: dict(result=result(), problem="walk", strategy="r", axis="epochs", points=10),
        6,
    ),
    Door(
        "ranks",
        ranks.ranks,
        lambda: dict(
            result=result(), axis="budget", strategies=None, points=10, level=0.9, resamples=9
        ),
        6,
    ),
    Door("finals", finals.finals, lambda: dict(result=result(), problem="walk"), 6),
    Door("export", export.export, lambda: dict(result=result(), folder=mkdtemp(), format="csv"), 4),
    Door(
        "draw_incumbent",
        on_axes(figures.draw_incumbent),
        lambda: dict(result=result(), problem="walk", axis="epochs", strategies=["r"]),
        1,
    ),
    Door(
        "draw_ranks",
        on_axes(figures.draw_ranks),
        lambda: dict(result=result(), axis="budget", strategies=["r", "h"]),
        1,
    ),
    Door(
        "draw_learning_curves",
        on_axes(figures.draw_learning_curves),
        lambda: dict(result=result(), run_name=run_name()),
        1,
    ),
)
COMMANDS = (
    Door(
        "hpo run",
        command_run,
        lambda: dict(text=FILE, out=mkdtemp(), device="cpu", seeds="0", only="r", threads="1"),
        3,
    ),
    Door("hpo status", command("status"), lambda: dict(folder=mkdtemp()), 3),
    Door("hpo export", command("export"), lambda: dict(folder=mkdtemp(), format="csv"), 3),
    Door("hpo report", command("report"), lambda: dict(folder=mkdtemp()), 3),
    Door(
        "hpo table",
        command("table"),
        lambda: dict(name="ackley", out="x.npz", configurations="2", epochs="2", seeds="1"),
        3,
    ),
)
DOORS: tuple[Door, ...] = (
    *(*SPACES, *STRATEGIES, *PROBLEMS, *EXPERIMENTS, *STUDIES, *RESULTS, *COMMANDS),
)

# Arguments that stay as they are: what they must be is an object of ours that only we make.
KEPT = {"result"}
