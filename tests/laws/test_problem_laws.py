"""The laws of every problem: no batch-mates, resuming, dropping, pairing, the known optimum."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, replace
from functools import cache

import cloudpickle
import numpy as np
import pytest
import safetensors.torch
from recorded import file

from hpo_research.problems.curves import LearningCurves
from hpo_research.problems.evaluation import Analytic
from hpo_research.problems.protocol import Problem
from hpo_research.problems.registry import problem
from hpo_research.problems.synthetic import FUNCTIONS, Synthetic
from hpo_research.problems.tabulated import Tabulated
from hpo_research.problems.wrappers import Discretised, Noisy, Rotated, Shifted
from hpo_research.records import Segment
from hpo_research.rng import Stream
from hpo_research.testing import problems as laws
from hpo_research.testing.problems import Values, resumed, segments, states, values

HARTMANN6 = Synthetic("hartmann6")
SYNTHETIC: dict[str, Problem] = {
    **{name: Synthetic(name) for name in FUNCTIONS},
    "ackley-10d": Synthetic("ackley", 10),
    "michalewicz-5d": Synthetic("michalewicz", 5),
    "noisy": Noisy(HARTMANN6, 0.5),
    "shifted": Shifted(HARTMANN6, seed=3),
    "shifted by an offset": Shifted(Synthetic("sphere", 2), offset=(3.0, -1.5)),
    "rotated": Rotated(HARTMANN6, seed=1),
    "rotated, optimum lost": Rotated(Synthetic("michalewicz", 3), seed=1),
    "discretised": Discretised(Synthetic("branin"), steps=30),
    "all at once": Noisy(
        Discretised(Shifted(Rotated(Synthetic("levy", 3), 2), seed=5), steps=8), 0.1
    ),
}
CURVES: dict[str, Problem] = {
    "curves": LearningCurves("hartmann6", max_epochs=9, agreement=0.5),
    "noisy curves": Noisy(LearningCurves(max_epochs=9, noise=0.1), 2.0),
    "curves of a moved function": LearningCurves(Shifted(HARTMANN6, seed=0), max_epochs=9),
}
TRAINED: dict[str, Problem] = {
    "digits-mlp": problem("digits-mlp", max_epochs=9),
    "digits-cnn": problem("digits-cnn", max_epochs=9),
}
TABLES: dict[str, Problem] = {
    "table": Tabulated(file(seeds=1)),
    "table of two seeds, by accuracy": Tabulated(file(seeds=2), metric="accuracy"),
}
COLLECTED: dict[str, Problem] = {
    "bbob": problem("bbob-f3", dimension=3, instance=16),
    "bbob, noisy": problem("bbob-f21", dimension=3, noise=0.5),
    "bbob-noisy, log-normal": problem("bbob-noisy-f101", dimension=3),
    "bbob-noisy, growing": problem("bbob-noisy-f117", dimension=3),
    "bbob-noisy, outliers": problem("bbob-noisy-f130", dimension=3),
    "bbob-mixint": problem("bbob-mixint-f12"),
    "bbob-constrained": problem("bbob-constrained-f24", dimension=3),
    "svm": problem("svm-wine"),
    "hpobench": problem("hpobench-car"),
    "hpobench, one seed": problem("hpobench-car", protocol="one seed"),
}
PROBLEMS = {**SYNTHETIC, **CURVES, **TRAINED, **TABLES, **COLLECTED}
SEVERAL_EPOCHS = {**CURVES, **TRAINED, **TABLES}
TURNING = set(TABLES.values())
NOISY = {name: p for name, p in PROBLEMS.items() if isinstance(p, Noisy)}
KNOWN = {name: p for name, p in PROBLEMS.items() if p.optimum is not None}


def over(problems: Mapping[str, Problem]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("problem", problems.values(), ids=problems)


@cache
def undisturbed(problem: Problem, n: int, until: int) -> Values:
    """Return the values of the first `segments`, trained together without interruption."""
    return values(problem, segments(problem, n, until))


@over(PROBLEMS)
def test_it_is_a_problem_with_a_metric_that_it_reports(problem):
    laws.is_a_record(problem)
    laws.reports_its_metric(problem)


@over(PROBLEMS)
@pytest.mark.parametrize("size", [1, 3])
def test_a_trial_has_the_same_values_whatever_its_batch_mates(problem, size):
    batch = segments(problem, 20, until=2)
    together = undisturbed(problem, 20, 2)
    for first in (0, 8, 17):
        few = values(problem, batch[first : first + size])
        assert few == {key: together[key] for key in few}
        assert len(few) == size


@over(PROBLEMS)
def test_the_order_of_a_batch_changes_nothing(problem):
    laws.order_changes_nothing(problem)


@over(SYNTHETIC | CURVES)
@pytest.mark.parametrize("n", [1, 17, 203])
def test_padding_hides_every_batch_size(problem, n):
    batch = segments(problem, 250, until=1)
    few = values(problem, batch[:n])
    assert few == {key: undisturbed(problem, 250, 1)[key] for key in few}


@over(SEVERAL_EPOCHS)
@pytest.mark.parametrize("files", [False, True], ids=["in memory", "through a file"])
def test_training_to_3_then_to_9_equals_training_to_9(problem, files):
    batch = segments(problem, 4, until=3)
    kept = states(problem, batch)
    if files:
        kept = {
            key: safetensors.torch.load(safetensors.torch.save(dict(state)))
            for key, state in kept.items()
        }
    again = values(problem, resumed(batch, kept, until=9))
    assert again == {key: epochs[3:] for key, epochs in undisturbed(problem, 4, 9).items()}


@over(SEVERAL_EPOCHS)
def test_a_resumed_trial_shares_a_batch_with_fresh_ones(problem):
    laws.shares_a_batch(problem)


@over(PROBLEMS)
def test_every_step_reports_the_live_segments_at_their_next_epoch(problem):
    laws.steps_are_epochs(problem)


@over(SEVERAL_EPOCHS)
@pytest.mark.parametrize("lost", [{1, 3}, {0, 1, 2, 3}], ids=str)
def test_dropped_trials_fall_silent_and_leave_the_others_unchanged(problem, lost):
    laws.drops_are_silent(problem, lost)


@over(PROBLEMS)
def test_no_segments_give_no_reports(problem):
    laws.no_segments_no_reports(problem)


@over(PROBLEMS)
def test_the_names_of_a_trial_do_not_matter_only_its_stream(problem):
    laws.names_do_not_matter(problem)


@over(NOISY)
def test_the_same_stream_gives_the_same_noise_and_another_one_other_noise(problem):
    (segment,) = segments(problem, 1, until=9)
    other = replace(segment, stream=Stream(1))
    first, again = (values(problem, [segment])[segment.key] for _ in range(2))
    assert first == again
    for (_, ours), (_, theirs) in zip(first, values(problem, [other])[segment.key], strict=True):
        assert ours["noise_free"] == theirs["noise_free"]
        assert ours[problem.metric] != theirs[problem.metric]


@over(SYNTHETIC | CURVES)
def test_every_configuration_has_finite_values(problem):
    for reports in problem.evaluate(segments(problem, 100, until=9, seed=3)):
        assert all(np.isfinite(list(report.metrics.values())).all() for report in reports)


@over(KNOWN)
def test_no_configuration_is_better_than_the_known_optimum(problem):
    sign = 1 if problem.direction == "minimize" else -1
    tolerance = 1e-12 * max(1, abs(problem.optimum))
    for reports in problem.evaluate(segments(problem, 400, until=problem.max_epochs)):
        # Recorded curves may turn: theirs is the best value at the last epoch.
        counted = [r for r in reports if r.epoch == problem.max_epochs or problem not in TURNING]
        found = [sign * r.metrics.get("noise_free", r.metrics[problem.metric]) for r in counted]
        known = [value for value in found if not np.isnan(value)]
        assert not counted or min(known) >= sign * problem.optimum - tolerance


@over({name: p for name, p in KNOWN.items() if isinstance(getattr(p, "base", p), Analytic)})
def test_the_known_optimum_is_attained_where_it_is_said_to_be(problem):
    minimisers = getattr(problem, "base", problem).minimisers
    assert minimisers
    for minimiser in minimisers:
        config = problem.space.validate(dict(zip(problem.space.names, minimiser, strict=True)))
        segment = Segment(0, 0, config, problem.max_epochs, Stream(0))
        *_, (last,) = problem.evaluate([segment])
        assert last.metrics[problem.metric] == pytest.approx(problem.optimum, rel=1e-14, abs=1e-14)


@over(PROBLEMS)
def test_it_is_frozen_and_a_pickled_copy_is_equal_and_gives_the_same_values(problem):
    with pytest.raises(FrozenInstanceError):
        problem.name = "another"
    copy = cloudpickle.loads(cloudpickle.dumps(problem))
    assert copy == problem
    assert hash(copy) == hash(problem)
    assert copy != Noisy(HARTMANN6, 123)
    assert values(copy, segments(problem, 4, until=2)) == undisturbed(problem, 4, 2)


def test_no_two_of_these_problems_have_one_name():
    names = [problem.name for problem in PROBLEMS.values()]
    assert len(set(names)) == len(names)


@pytest.mark.gpu
@over(SYNTHETIC | CURVES)
def test_cuda_agrees_with_the_cpu(problem):
    batch = segments(problem, 50, until=9)
    for here, there in zip(problem.evaluate(batch), problem.evaluate(batch, "cuda"), strict=True):
        for one, other in zip(here, there, strict=True):
            assert one.metrics == pytest.approx(other.metrics, rel=1e-10, abs=1e-10)
