"""Our own searches by name, many at once through an experiment: what is measured is the product."""

import tempfile
from collections.abc import Iterator, Sequence

import hpo_research as hpo
from benchmarks.regret.declared import Task
from benchmarks.regret.record import Line
from hpo_research.store import RunName

VARIANTS: dict[str, hpo.Strategy] = {
    "default": hpo.Bayesian(),
    "sobol-design": hpo.Bayesian(design="sobol"),
    "middle-3": hpo.Bayesian(initial=3),
    "middle-5": hpo.Bayesian(initial=5),
    "by-evidence": hpo.Bayesian(model="by-evidence"),
    "averaged": hpo.Bayesian(model="averaged"),
    "all-by-evidence": hpo.Bayesian(model="by-evidence", transform="by-evidence"),
    "transform-by-evidence": hpo.Bayesian(transform="by-evidence"),
    "ranks": hpo.Bayesian(transform="rank"),
    "qlognei": hpo.Bayesian(acquisition="qlognei"),
    "random": hpo.Random(),
    "sobol": hpo.Random("sobol"),
}
"""What `tune` and `ours` can be asked for."""

CHUNK = 200
"""So many runs are one experiment, and are stored before the next begins."""


def searched(
    name: str, strategy: hpo.Strategy, tasks: Sequence[Task], *, chunk: int = CHUNK
) -> Iterator[list[Line]]:
    """Run the tasks, a chunk at a time, and yield each chunk's lines."""
    for part in chunks(tasks, chunk):
        yield _run(name, strategy, part)


def chunks(tasks: Sequence[Task], most: int = CHUNK) -> Iterator[list[Task]]:
    """Yield tasks that make up one experiment: problems × seeds at one q and one length.

    Problems with the same seeds and dimension go together, in order of their first task.
    """
    seeds: dict[tuple[str, int, int], list[Task]] = {}
    for task in tasks:
        seeds.setdefault((task.problem.name, task.q, task.evaluations), []).append(task)
    groups: dict[object, list[list[Task]]] = {}
    for own in seeds.values():
        first = own[0]
        shape = (first.q, first.evaluations, first.problem.space.dimension)
        groups.setdefault((*shape, *(task.seed for task in own)), []).append(own)
    for problems in groups.values():
        width = max(1, most // len(problems[0]))
        for i in range(0, len(problems), width):
            yield [task for own in problems[i : i + width] for task in own]


def _run(name: str, strategy: hpo.Strategy, tasks: Sequence[Task]) -> list[Line]:
    first = tasks[0]
    experiment = hpo.Experiment(
        "regret",
        list({task.problem.name: task.problem for task in tasks}.values()),
        {name: strategy},
        sorted({task.seed for task in tasks}),
        hpo.Budget(evaluations=first.evaluations),
        parallel=first.q,
    )
    with tempfile.TemporaryDirectory() as folder:
        result = hpo.run(experiment, out=folder, device="cpu")
    return [_line(result, name, task) for task in tasks]


def _line(result: hpo.Result, name: str, task: Task) -> Line:
    run_name = RunName(task.problem.name, name, task.seed)
    losses = result.runs[run_name].losses.tolist()
    seconds = sum(taken for _, taken in result.asked[run_name])
    return Line.of(task, name, losses, seconds)
