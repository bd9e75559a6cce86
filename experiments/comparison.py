"""Question: which strategy for which problems, of ours and of other libraries, on all suites.

    hpo run experiments/comparison.py --small                  six seeds of a few problems: minutes
    hpo run experiments/comparison.py --suite bbob-5d          a suite
    hpo run experiments/comparison.py                          all that run offline

An experiment for each suite and for one and four trials at a time, each run with the budget that
the suite declares: evaluations, which are `max_epochs` epochs each, so that strategies that stop
early have the same epochs. Twenty seeds; five for rivals whose asks take a tenth of a second or
more, in experiments of their own (`...-slow-q1`): a report of both folders pairs the seeds that all
have. Rivals that are not installed are left out, with a warning that names what installs them; once
they are, the same command runs them alone. Stopped, it goes on, and what is stored is not run
again: a strategy of your own, run on the same problems and seeds, is compared by `hpo report` of
its folder and these. Expected: no strategy is best everywhere. `benchmarks/COMPARISON.md` has what
came out.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence

import hpo_research as hpo

WHOLE: Mapping[str, hpo.Strategy] = {
    "random": hpo.Random(),
    "sobol": hpo.Random("sobol"),
    "q-EI": hpo.Bayesian(),
    "q-EI averaged": hpo.Bayesian(model="averaged"),
    "q-UCB": hpo.Bayesian(acquisition="ucb"),
    "thompson": hpo.Bayesian(acquisition="thompson"),
}
"""What trains every trial to the end."""

PARTS: Mapping[str, hpo.Strategy] = {
    "random": hpo.Random(),
    "q-EI": hpo.Bayesian(),
    "halving": hpo.SuccessiveHalving(),
    "hyperband": hpo.Hyperband(),
    "ASHA": hpo.ASHA(),
    "async hyperband": hpo.AsynchronousHyperband(),
    "one epoch": hpo.EarlyDiscarding(candidates=30, top=3),
    "median": hpo.MedianStopping(hpo.Random()),
    "curves": hpo.CurveStopping(hpo.Random()),
    "hyperband, q-EI": hpo.Hyperband(inner=hpo.Bayesian()),
    "model hyperband": hpo.ModelHyperband(),
    "freeze-thaw": hpo.FreezeThaw(),
}
"""What suits problems of several epochs: two that train every trial to the end, and the others."""

FAST = ("optuna-tpe", "optuna-cma", "nevergrad-ngopt", "nevergrad-de")
SLOW = (
    "optuna-gp",
    "ax",
    "ax-quality",
    "botorch",
    "smac-rf",
    "smac-gp",
    "syne-tune-cqr",
    "hebo",
    "neps",
)
BY_EPOCH = (
    "optuna-median",
    "optuna-hyperband",
    "smac-hyperband",
    "syne-tune-asha",
    "neps-priorband",
    "dehb",
)
SEEDS, SLOW_SEEDS, SMALL_SEEDS = 20, 5, 6


def experiment(small: bool = False, suite: str = "") -> list[hpo.Experiment]:
    """Compare all strategies on all suites, on one `--suite`, or `--small` on a few problems."""
    if small:
        return list(_small())
    names = [listing.name for listing in hpo.suites()] if not suite else [suite]
    rivals = _installed((*FAST, *SLOW, *BY_EPOCH))
    return [one for name in names for one in _of_suite(name, rivals)]


def _of_suite(name: str, rivals: Mapping[str, hpo.Strategy]) -> Iterator[hpo.Experiment]:
    problems = hpo.suite(name)
    has_parts = any(problem.max_epochs > 1 for problem in problems)
    own, theirs = (PARTS, BY_EPOCH) if has_parts else (WHOLE, FAST)
    lines = {
        "": ({**own, **_among(rivals, theirs)}, SEEDS),
        "-slow": (_among(rivals, SLOW), SLOW_SEEDS),
    }
    for parallel in (1, 4):
        for suffix, (strategies, seeds) in lines.items():
            if strategies:
                yield hpo.Experiment(
                    name=f"comparison-{name}{suffix}-q{parallel}",
                    problems=problems,
                    strategies=strategies,
                    seeds=range(seeds),
                    budget=problems.budget,
                    parallel=parallel,
                )


def _small() -> Iterator[hpo.Experiment]:
    """Six seeds of six problems with one epoch, one and four at a time, and of two with 27."""
    some = hpo.suite("bbob-5d", functions=[1, 8, 15, 21], instances=[1])
    whole = [*some, hpo.problem("hartmann6"), hpo.problem("svm-wine")]
    rivals = _installed(("optuna-tpe", "optuna-cma", "optuna-hyperband"))
    for parallel in (1, 4):
        yield hpo.Experiment(
            name=f"comparison-small-q{parallel}",
            problems=whole,
            strategies={**WHOLE, **_among(rivals, FAST)},
            seeds=range(SMALL_SEEDS),
            budget=hpo.Budget(evaluations=32),
            parallel=parallel,
        )
    yield hpo.Experiment(
        name="comparison-small-epochs-q4",
        problems=[hpo.problem("digits-mlp-table"), hpo.problem("curves", base="hartmann6")],
        strategies={**PARTS, **_among(rivals, BY_EPOCH)},
        seeds=range(SMALL_SEEDS),
        budget=hpo.Budget(evaluations=8),
        parallel=4,
    )


def _among(rivals: Mapping[str, hpo.Strategy], names: Sequence[str]) -> dict[str, hpo.Strategy]:
    return {name: rivals[name] for name in names if name in rivals}


def _installed(names: Sequence[str]) -> dict[str, hpo.Strategy]:
    """Make the rivals that are installed, and say which are not."""
    listed = {own.name: own for own in hpo.rivals()}
    missing = [listed[name] for name in names if listed[name].version is None]
    if missing:
        lines = "".join(f"\n  {own.name}: {own.install}" for own in missing)
        warnings.warn(f"left out, since they are not installed:{lines}", stacklevel=1)
    return {name: hpo.rival(name) for name in names if listed[name].version is not None}
