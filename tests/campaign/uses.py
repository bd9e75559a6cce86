"""What an accepted call is used for, as its user would; and results to read."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from tempfile import mkdtemp

import matplotlib
import numpy as np
from matplotlib.figure import Figure

import hpo_research as hpo
from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Ask, Report, Segment
from hpo_research.rng import Stream
from tests.campaign.values import SPACE
from tests.doubles import Walk

matplotlib.use("agg")


def use_parameter(made: object) -> None:
    """Draw configurations: each must be legal, and its code must lead back to it."""
    use_space(hpo.SearchSpace(p=made))


def use_space(made: object) -> None:
    """Draw configurations: each must be legal, and its code must lead back to it."""
    assert isinstance(made, hpo.SearchSpace)
    cube = np.linspace(0, 1, 5)[:, None] * np.ones(made.dimension)
    for config in made.from_uniform(cube):
        assert made.validate(config) == config
        again = made.decode(made.encode([config]))[0]
        for name, value in config.items():
            near = isinstance(value, float) and math.isclose(value, again[name], rel_tol=1e-6)
            assert near or again[name] == value or isinstance(value, float)


def use_strategy(made: object) -> None:
    """Ask three times, over epochs, in memory."""
    for epochs in (1, 9):
        with hpo.Study(SPACE, made, max_epochs=epochs) as study:
            for _ in range(2):
                for trial in study.ask(2):
                    study.tell(trial.id, float(trial.config["x"]))


def use_function_problem(made: object) -> None:
    """Evaluate one configuration in this process."""
    assert isinstance(made, hpo.FunctionProblem)
    config = made.space.from_uniform(np.full((1, made.space.dimension), 0.5))[0]
    segment = Segment(1, 0, config, made.max_epochs, Stream(0).at("trial", 0))
    for _ in made.evaluate([segment]):
        pass


def use_problem(made: object) -> None:
    """Describe it: what is stored of an experiment with it."""
    hpo.Experiment("x", [made], {"r": hpo.Random()}, [0], hpo.Budget(trials=1)).description()


def use_experiment(made: object) -> None:
    """Describe it twice: the same."""
    assert isinstance(made, hpo.Experiment)
    assert made.description() == made.description()
    assert made.run_names()


def loss(config: Mapping[str, float]) -> float:
    """A function to tune."""
    return config["x"]


# --- studies ---


def study(epochs: int = 1) -> hpo.Study:
    """A study in memory with three trials pending."""
    made = hpo.Study(SPACE, hpo.Random(), max_epochs=epochs)
    made.ask(3)
    return made


def told(method: str, **arguments: object) -> object:
    """Call a method of a fresh study, then read all of it."""
    made = study(9)
    answer = getattr(made, method)(**arguments)
    made.frame()
    made.ask(1)
    return answer


def made_and_used(**arguments: object) -> None:
    """Make a study and ask it."""
    with hpo.Study(**arguments) as made:
        for trial in made.ask(2):
            made.tell(trial.id, 1.0)
        assert made.frame() is not None


def closed(made: object) -> None:
    """A study in a folder must be given back."""
    assert isinstance(made, hpo.Study)
    made.close()


# --- own strategies and problems that say anything ---


@dataclass(frozen=True)
class Says:
    """A strategy of a user's own that answers with whatever it was made with."""

    asks: object

    def ask(self, runs: object, slots: object) -> object:
        return self.asks


@dataclass(frozen=True)
class Yields(Walk):
    """A problem of a user's own that yields whatever it was made with."""

    row: Callable[[Segment], object] = field(default=lambda segment: None)

    def evaluate(self, segments: object, device: str = "cpu") -> Evaluation:
        for _ in range(2):
            yield [self.row(segment) for segment in segments]


def ask_of(**arguments: object) -> object:
    """A study whose strategy says an `Ask` of these fields."""
    fields = {name: value for name, value in arguments.items() if name != "shape"}
    said = Ask(**fields)
    made = hpo.Study(SPACE, Says([said]), max_epochs=9)
    made.ask(3)
    return made.frame()


def asks_of(asks: object) -> object:
    """A study whose strategy returns this in the place of a list of asks."""
    return hpo.Study(SPACE, Says(asks), max_epochs=9).ask(1)


def proposal_of(kind: type[hpo.Proposal]) -> Callable[..., object]:
    """A study whose strategy says a proposal of these fields."""

    def use(**arguments: object) -> object:
        made = hpo.Study(SPACE, Says([Ask((kind(**arguments),))]), max_epochs=9)
        made.ask(3)
        return made.frame()

    return use


def reports_of(**arguments: object) -> object:
    """Run an experiment in which a problem reports this."""

    def row(segment: Segment) -> object:
        return Report(**{"run": segment.run, "trial": segment.trial, **arguments})

    problem = Yields(can_resume=False, max_epochs=2, row=row)
    experiment = hpo.Experiment(
        "x", [problem], {"r": hpo.Random()}, [0], hpo.Budget(trials=2), parallel=2
    )
    return hpo.run(experiment, out=mkdtemp()).frame()


def function_that_returns(value: object) -> object:
    """Evaluate a function that returns this."""
    use_function_problem(hpo.FunctionProblem(lambda config: value, SPACE))
    return None


def function_that_reports(epoch: object, value: object) -> object:
    """Evaluate a function that reports this."""

    def f(config: object, report: Callable[..., bool]) -> None:
        report(epoch, value)

    use_function_problem(hpo.FunctionProblem(f, SPACE, max_epochs=3))
    return None


# --- results ---


def experiment() -> hpo.Experiment:
    """A small experiment of two strategies."""
    strategies = {"r": hpo.Random(), "h": hpo.Hyperband()}
    return hpo.Experiment(
        "small", [Walk()], strategies, [0, 1], hpo.Budget(evaluations=4), parallel=2
    )


@cache
def result() -> hpo.Result:
    """What it came to, made once."""
    return hpo.run(experiment(), out=mkdtemp())


def on_axes(draw: Callable[..., object]) -> Callable[..., object]:
    """Draw on fresh axes, and to a canvas."""

    def call(**arguments: object) -> None:
        figure = Figure()
        draw(figure.subplots(), **arguments)
        figure.canvas.draw()

    return call


def run_name() -> object:
    """The first run of the result."""
    return next(iter(result().runs))
