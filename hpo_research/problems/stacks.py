"""Segments trained as stacks of small networks: where records and the batch trainer meet."""

from collections.abc import Sequence

from hpo_research.problems.protocol import Evaluation
from hpo_research.records import Report, Segment
from hpo_research.space import Config
from hpo_research.training import Architecture, Data, EpochResult, Recipe, Task, train


def trained(
    segments: Sequence[Segment],
    architecture: Architecture,
    data: Data,
    max_epochs: int,
    device: str,
) -> Evaluation:
    """Train all segments as one batch; a configuration names any fields of `Recipe`.

    Schedules are laid out for `max_epochs`. The report of a network that has diverged is NaN in
    every metric, and its last.
    """
    tasks = [_task(segment, max_epochs) for segment in segments]
    training = train(tasks, architecture, data, device)
    dropped: set[int] | None = None
    while True:
        try:
            results = training.send(dropped)
        except StopIteration:
            return
        keys = yield [_report(segments[result.id], result) for result in results]
        dropped = {id for id, segment in enumerate(segments) if segment.key in (keys or ())}


def recipe(config: Config) -> Recipe:
    """Return a configuration as what a network is trained with."""
    return Recipe(**config)  # type: ignore[arg-type]


def _task(segment: Segment, max_epochs: int) -> Task:
    return Task(
        recipe(segment.config),
        segment.stream,
        segment.until,
        segment.start,
        segment.state,
        horizon=max_epochs,
    )


def _report(segment: Segment, result: EpochResult) -> Report:
    metrics = {
        "accuracy": result.accuracy,
        "log_loss": result.log_loss,
        "train_loss": result.train_loss,
        "test_accuracy": result.test_accuracy,
        "test_log_loss": result.test_log_loss,
    }
    return Report(segment.run, segment.trial, result.epoch, metrics, state=result.state)
