"""Image classifiers: their options, and that they learn, pause and resume."""

import math
import struct
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load, save

from hpo_research.errors import ProblemError
from hpo_research.problems import images as module
from hpo_research.problems.classifiers import Classifier
from hpo_research.problems.images import IMAGES
from hpo_research.problems.protocol import Problem
from hpo_research.records import Report, Segment, State
from hpo_research.rng import Stream
from hpo_research.space import Config

PROBLEMS = {"mlp": Classifier("digits", "mlp"), "cnn": Classifier("digits", "cnn")}
GOOD: Config = {
    "learning_rate": 3e-3,
    "momentum": 0.9,
    "weight_decay": 1e-4,
    "batch_size": 32,
    "width": 32,
    "dropout": 0.1,
    "activation": "relu",
    "optimizer": "adamw",
}


def segments_of(problem: Problem, count: int, until: int) -> list[Segment]:
    cube = Stream(9).generator().random((count, problem.space.dimension))
    configs = problem.space.from_uniform(cube)
    return [Segment(i % 3, i, c, until, Stream(2).at("trial", i)) for i, c in enumerate(configs)]


def resumed(segment: Segment, start: int, until: int, state: State) -> Segment:
    return Segment(
        segment.run, segment.trial, segment.config, until, segment.stream, start, state=state
    )


def bits(report: Report) -> tuple[int, int, int, bytes]:
    return (report.run, report.trial, report.epoch, struct.pack("5d", *report.metrics.values()))


def all_bits(problem: Problem, segments: Sequence[Segment]) -> set[tuple[int, int, int, bytes]]:
    return {bits(report) for reports in problem.evaluate(segments) for report in reports}


@pytest.fixture(params=PROBLEMS.values(), ids=list(PROBLEMS))
def problem(request: pytest.FixtureRequest) -> Problem:
    return request.param


def test_the_problem_is_a_problem(problem: Problem) -> None:
    assert isinstance(problem, Problem)
    assert (problem.max_epochs, problem.can_resume, problem.optimum) == (27, True, None)
    assert not problem.has_recorded_seconds
    assert {problem, replace(problem)} == {problem}


@pytest.mark.parametrize(
    ("metric", "direction"), [("log_loss", "minimize"), ("accuracy", "maximize")]
)
def test_the_direction_follows_the_metric(metric: str, direction: str) -> None:
    assert Classifier("digits", "mlp", metric=metric).direction == direction


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "loss"}, "metric must be one of log_loss, accuracy, got 'loss'"),
        ({"metric": ["log_loss"]}, r"metric must be one of log_loss, accuracy, got \['log_loss'\]"),
        ({"name": 3}, "name must be a non-empty string, got 3"),
        ({"max_epochs": 0}, "max_epochs must be an integer >= 1, got 0"),
        ({"max_epochs": 2.5}, "max_epochs must be an integer >= 1, got 2.5"),
        (
            {"images": "letters"},
            r"Classifier\('letters', 'mlp'\): images must be one of digits, m",
        ),
        ({"network": "rnn"}, "network must be one of mlp, cnn, got 'rnn'"),
        ({"data": "file.npz"}, "scikit-learn's 8×8 digits come with a package; leave out data="),
        ({"images": "fashion", "data": "x.csv"}, "data must be the name of an .npz file, got 'x.c"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ProblemError, match=message):
        Classifier(**{"images": "digits", "network": "mlp", **options})


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_a_problem_is_made_without_its_images(
    images: str, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "load", None)
    built = Classifier(images, network)
    assert built.name == f"{images}-{network}"
    assert built.space.dimension >= 8
    assert list(built.evaluate([])) == []


@pytest.mark.parametrize("images", IMAGES)
@pytest.mark.parametrize("network", ["mlp", "cnn"])
def test_every_corner_of_the_space_is_a_network_that_fits_the_images(
    images: str, network: str
) -> None:
    problem = Classifier(images, network)
    cube = np.random.default_rng(0).integers(2, size=(50, problem.space.dimension)) * 0.999
    shapes = [problem.shape_of(config) for config in problem.space.decode(cube)]
    for shape in {shape.shape for shape in shapes}:
        assert problem.architecture.layers(shape, 10)


def test_networks_that_train_in_one_stack_have_one_shape() -> None:
    problem = Classifier("digits", "mlp")
    alike = problem.shape_of({**GOOD, "learning_rate": 1e-4, "dropout": 0.5})
    assert alike == problem.shape_of(GOOD) != problem.shape_of({**GOOD, "batch_size": 64})


def test_a_good_configuration_learns_the_digits(problem: Problem) -> None:
    segment = Segment(0, 0, problem.space.validate(GOOD), 8, Stream(0))
    reports = [reports[0] for reports in problem.evaluate([segment])]
    assert [report.epoch for report in reports] == list(range(1, 9))
    assert reports[-1].metrics["accuracy"] > 0.93
    assert reports[-1].metrics["test_accuracy"] > 0.9
    assert reports[-1].metrics["log_loss"] < 0.3 < reports[0].metrics["log_loss"]
    assert reports[-1].metrics["train_loss"] < reports[0].metrics["train_loss"]


def test_the_log_loss_tells_configurations_apart() -> None:
    segments = segments_of(Classifier("digits", "mlp"), 30, 3)
    losses = [
        report.metrics["log_loss"]
        for report in list(Classifier("digits", "mlp").evaluate(segments))[-1]
    ]
    finite = np.sort([loss for loss in losses if math.isfinite(loss)])
    assert finite[0] < 0.4 and np.median(finite) > 1 and len(np.unique(finite)) > 25


def test_each_step_reports_every_live_segment_once(problem: Problem) -> None:
    first, second, third = segments_of(problem, 3, 2)
    state = next(problem.evaluate([third]))[0].state
    steps = list(problem.evaluate([first, second, resumed(third, 1, 2, state())]))
    assert [[(r.run, r.trial, r.epoch) for r in reports] for reports in steps] == [
        [(0, 0, 1), (1, 1, 1), (2, 2, 2)],
        [(0, 0, 2), (1, 1, 2)],
    ]


def test_a_trial_alone_reports_what_it_reports_in_a_batch(problem: Problem) -> None:
    segments = segments_of(problem, 12, 2)
    together = all_bits(problem, segments)
    assert all_bits(problem, segments[4:5]) <= together
    assert all_bits(problem, segments[7:10]) <= together


def test_training_on_from_a_file_equals_training_through() -> None:
    problem = Classifier("digits", "mlp")
    segments = segments_of(problem, 8, 9)
    through = list(problem.evaluate(segments))
    early = list(problem.evaluate([resumed(s, 0, 3, None) for s in segments]))[-1]
    states = [load(save(dict(report.state()))) for report in early]
    later = [resumed(s, 3, 9, state) for s, state in zip(segments, states, strict=True)]
    went_on = list(problem.evaluate(later))
    assert [[bits(r) for r in reports] for reports in went_on] == [
        [bits(r) for r in reports] for reports in through[3:]
    ]


def test_trials_can_be_dropped_between_epochs(problem: Problem) -> None:
    segments = segments_of(problem, 6, 3)
    evaluation = problem.evaluate(segments)
    next(evaluation)
    rest = evaluation.send([segments[0].key, segments[3].key])
    assert [r.key for r in rest] == [segments[i].key for i in (1, 2, 4, 5)]
    assert {bits(r) for r in rest} <= all_bits(problem, segments)
    assert [r.epoch for r in next(evaluation)] == [3] * 4
    with pytest.raises(StopIteration):
        next(evaluation)


def test_nothing_to_evaluate_yields_nothing(problem: Problem) -> None:
    assert list(problem.evaluate([])) == []


@pytest.mark.gpu
def test_cuda_agrees_with_the_cpu_within_a_hundredth(problem: Problem) -> None:
    segment = Segment(0, 0, problem.space.validate(GOOD), 3, Stream(0))
    cpu, cuda = (list(problem.evaluate([segment], d))[-1][0].metrics for d in ("cpu", "cuda:0"))
    assert cuda["log_loss"] == pytest.approx(cpu["log_loss"], rel=1e-2)
    assert cuda["train_loss"] == pytest.approx(cpu["train_loss"], rel=1e-2)
    assert cuda["accuracy"] == pytest.approx(cpu["accuracy"], abs=0.01)
