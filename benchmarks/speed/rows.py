"""The rows of the table of targets: each measures ours and a rival in turns, in this process."""

import importlib.util
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

import hpo_research as hpo
from benchmarks.beside import shown
from benchmarks.speed import rivals
from benchmarks.speed.cases import Case, check, data, losses, points, runs
from benchmarks.speed.clock import Contender, Time, duel
from benchmarks.speed.measured import Limit, Missing, Race
from benchmarks.speed.memory import Alone, alone
from hpo_research.device import used
from hpo_research.gp import fit

Row = Race | Limit | Missing
_CLOSE = 1e-3  # of log evidence: the same
_MOST_GIB, _MOST_SECONDS = 4.0, 60.0


@dataclass(frozen=True)
class Size:
    """How large the cases are and how often each is timed: the table's, or tiny ones to try."""

    case: Case = Case(n=100, d=6, q=4)  # noqa: RUF009 (it is frozen)
    models: int = 64
    runs: int = 32
    looped: int = 4
    apart: int = 3
    seeds: int = 32
    evaluations: int = 60
    own: int = 5
    theirs: int = 2
    many: Case = Case(runs=256, n=200)  # noqa: RUF009
    long: Case = Case(n=2000, d=20, q=1)  # noqa: RUF009
    wide: Case = Case(n=500, d=100)  # noqa: RUF009
    cuda_runs: int = 256
    patience: float = 400.0
    effort: rivals.Effort = rivals.Effort()  # noqa: RUF009


FULL = Size()
QUICK = Size(
    case=Case(n=12, d=2, q=1),
    models=2,
    runs=2,
    looped=1,
    apart=1,
    seeds=1,
    evaluations=13,
    own=1,
    theirs=1,
    many=Case(runs=3, n=16, q=1),
    long=Case(n=32, d=20, q=1),
    wide=Case(n=32, d=30, q=1),
    cuda_runs=4,
    patience=60.0,
    effort=rivals.Effort(2, 8, 8),
)


def _of(size: Size, count: int = 1) -> Case:
    return Case(count, size.case.n, size.case.d, size.case.q)


def _shape(size: Size) -> str:
    return f"n={size.case.n}, d={size.case.d}"


def _race(
    what: str, rival: str, ours: Time, theirs: Time, *, goals: tuple[float, float], remark: str = ""
) -> Race:
    ratio = theirs.processor / ours.processor
    return Race(what, rival, ours.clock, theirs.clock, ratio, *goals, remark)


# --- fits ---


def fit_beside_a_loop(size: Size) -> list[Row]:
    """Many GPs against `fit_gpytorch_mll`, one after another."""
    what = f"fit, {size.models} GPs, {_shape(size)}"
    return [_fits(size, size.models, what, "loop of `fit_gpytorch_mll`", goals=(20, 40))]


def fit_beside_a_batch(size: Size) -> list[Row]:
    """Many GPs against one batched model of BoTorch."""
    what = f"fit, {size.models} GPs, {_shape(size)}"
    return [_fits(size, size.models, what, "BoTorch's own batched fit", goals=(10, 25))]


def fit_of_one(size: Size) -> list[Row]:
    """One GP against `fit_gpytorch_mll`: the mean over eight data sets, fitted one by one."""
    return [_fits(size, 1, f"fit, one GP, {_shape(size)}", "`fit_gpytorch_mll`", goals=(7, 15))]


def _fits(size: Size, models: int, what: str, rival: str, *, goals: tuple[float, float]) -> Race:
    """Time fits of `models` GPs; a single one is timed on several data sets, one at a time."""
    sets = models if models > 1 else min(8, size.models)
    known, group = data(_of(size, sets)), models if models > 1 else 1
    parts = [known.take(slice(i, i + group)) for i in range(0, sets, group)]
    one = known.take(slice(0, 1))
    is_batched = "batched" in rival

    def ours() -> list[float]:
        return [v for part in parts for v in fit(part, [rivals.KERNEL]).log_evidence.tolist()]

    def theirs() -> list:
        if is_batched:
            return [rivals.botorch_fit(known.x, known.y)]
        return [rivals.botorch_fit(x, y) for x, y in zip(known.x, known.y, strict=True)]

    reached: dict[str, list] = {}
    times = duel(
        Contender(lambda: lambda: reached.update(ours=ours()), size.own, units=sets / models),
        Contender(
            lambda: lambda: reached.update(theirs=theirs()),
            size.theirs,
            units=sets / models,
            warm=lambda: rivals.botorch_fit(one.x[0], one.y[0]),
        ),
    )
    gaps = torch.tensor(reached["ours"]) - rivals.evidence_of(reached["theirs"], known)
    close, worst = int((gaps >= -_CLOSE).sum()), float(gaps.min())
    remark = f"evidence within {_CLOSE:g} or better: {close} of {sets}, worst {worst:+.2g}"
    return _race(what, rival, *times, goals=goals, remark=remark)


# --- asks ---


def _botorch(size: Size) -> str:
    looks = f"`optimize_acqf` {size.effort.restarts}×{size.effort.raw}"
    return f"BoTorch SingleTaskGP + qLogEI, {looks}"


def ask_of_one_run(size: Size) -> list[Row]:
    """One run against BoTorch, joint as in the table; the sequential variant is remarked on."""
    known = [points(run, size.case.n, size.case.d) for run in range(size.apart)]

    def theirs(sequential: bool) -> Contender:
        def asks() -> None:
            for x in known:
                rivals.botorch_ask(
                    x, losses(x), size.case.q, effort=size.effort, sequential=sequential
                )

        return Contender(lambda: asks, size.theirs, units=size.apart)

    ours, joint, greedy = duel(_own_alone(size), theirs(False), theirs(True))
    other = f"{shown(greedy.clock)} ({greedy.clock / ours.clock:.1f}×)"
    remark = f"mean of {size.apart} runs asked one by one; rival with sequential=True: {other}"
    return [_race(f"ask, {_of(size)}", _botorch(size), ours, joint, goals=(5, 20), remark=remark)]


def ask_of_many_runs(size: Size) -> list[Row]:
    """Many runs at once, seconds a run, against BoTorch looped over some of the same runs."""
    case = _of(size, size.runs)
    times = duel(_own_ask(case, size.own), _looped(size))
    remark = f"rival looped over {size.looped} of the runs"
    what, rival = f"ask, {case}, per run", f"{_botorch(size)}, looped"
    return [_race(what, rival, *times, goals=(20, 60), remark=remark)]


def ask_on_a_card(size: Size) -> list[Row]:
    """Many runs on a CUDA device, against BoTorch looped on the CPU of that machine."""
    case, rival = _of(size, size.cuda_runs), f"{_botorch(size)}, looped on its CPU"
    rows: list[Row] = []
    for graphs in (False, True):
        what = f"ask on one GPU{', CUDA graphs' if graphs else ''}, {case}, per run"
        if not torch.cuda.is_available():
            rows.append(Missing(what, rival, 200, 1000, "no CUDA device"))
            continue
        with used("cuda:0", graphs=graphs):
            times = duel(_own_ask(case, size.own), _looped(size))
        card = torch.cuda.get_device_name(0)
        remark = f"{card}; rival looped over {size.looped} of the runs"
        rows.append(_race(what, rival, *times, goals=(200, 1000), remark=remark))
    return rows


def _own_ask(case: Case, times: int) -> Contender:
    asked = runs(case)
    check(hpo.Bayesian().ask(asked[:1], [case.q]), case)
    return Contender(
        lambda: lambda: hpo.Bayesian().ask(asked, [case.q] * case.runs), times, units=case.runs
    )


def _own_alone(size: Size) -> Contender:
    """Return ours over some runs, one ask a run."""
    case, asked = _of(size), runs(_of(size, size.apart))
    for run in asked:
        check(hpo.Bayesian().ask([run], [case.q]), case)

    def asks() -> None:
        for run in asked:
            hpo.Bayesian().ask([run], [case.q])

    return Contender(lambda: asks, size.own, units=size.apart)


def _looped(size: Size) -> Contender:
    """BoTorch over some runs, one after another: a loop has no economies of size."""
    known = [points(run, size.case.n, size.case.d) for run in range(size.looped)]

    def asks() -> None:
        for x in known:
            rivals.botorch_ask(x, losses(x), size.case.q, effort=size.effort)

    def warm() -> object:
        return rivals.botorch_ask(known[0], losses(known[0]), size.case.q, effort=size.effort)

    return Contender(lambda: asks, size.theirs, units=size.looped, warm=warm)


def ask_beside_others(size: Size) -> list[Row]:
    """One run against Optuna's GP sampler and Ax at their defaults, told the same trials."""
    return [
        _beside("optuna", rivals.optuna_ask, rival="Optuna GPSampler", size=size, goals=(2, 5)),
        _beside("ax", rivals.ax_ask, rival="Ax", size=size, goals=(5, 20)),
    ]


def _beside(
    package: str,
    prepared: Callable[[Case, int], Callable[[], object]],
    *,
    rival: str,
    size: Size,
    goals: tuple[float, float],
) -> Row:
    case = _of(size)
    if importlib.util.find_spec(package) is None:
        return Missing(f"ask, {case}", rival, *goals, f"{package} is not installed")

    def told() -> Callable[[], object]:
        asks = [prepared(case, run) for run in range(size.apart)]
        return lambda: [ask() for ask in asks]

    theirs = Contender(told, size.theirs + 1, units=size.apart)
    remark = f"mean of {size.apart} runs asked one by one"
    times = duel(_own_alone(size), theirs)
    return _race(f"ask, {case}", rival, *times, goals=goals, remark=remark)


# --- the study ---


def whole_study(size: Size) -> list[Row]:
    """A replicated study, stored, without report and figures, against a plain BoTorch loop."""
    q, initial, measured = 4, 12, min(2, size.seeds)
    evaluations = size.evaluations

    def ours() -> None:
        experiment = hpo.Experiment(
            name="speed",
            problems=[hpo.problem("hartmann6")],
            strategies={"bayesian": hpo.Bayesian(initial=initial)},
            seeds=range(size.seeds),
            budget=hpo.Budget(evaluations=evaluations),
            parallel=q,
        )
        with tempfile.TemporaryDirectory() as folder:
            hpo.run(experiment, out=Path(folder) / "speed", device="cpu")

    def theirs() -> None:
        for seed in range(measured):
            rivals.botorch_study(seed, evaluations, initial, q=q, effort=size.effort)

    one = points(0, initial, 6)
    own, loop = duel(
        Contender(lambda: ours, min(size.own, 3), warm=lambda: _own_ask(_of(size), 1)),
        Contender(
            lambda: theirs,
            size.theirs,
            units=measured / size.seeds,
            warm=lambda: rivals.botorch_ask(one, losses(one), q, effort=size.effort),
        ),
    )
    what = f"whole study, {size.seeds} seeds × {evaluations} evaluations, Hartmann6, q={q}"
    remark = f"rival measured on {measured} seeds and scaled to {size.seeds}; {initial} initial"
    return [_race(what, "the same BoTorch loop", own, loop, goals=(20, 100), remark=remark)]


# --- limits ---


def memory(size: Size) -> list[Row]:
    """Many runs, a long one, and one of many hyperparameters, each in its own process and cold."""
    limits = {
        f"memory of an ask, {size.many}": (size.many, None),
        f"a long run's ask, {size.long}": (size.long, _MOST_SECONDS),
        f"a wide run's ask, {size.wide}": (size.wide, _MOST_SECONDS),
    }
    return [_limit(what, alone(case, size.patience), most) for what, (case, most) in limits.items()]


def _limit(what: str, alone: Alone, most_seconds: float | None) -> Limit:
    remark = "cold, in its own process" + ("" if alone.is_over else "; stopped before its end")
    return Limit(
        what, alone.seconds, alone.gib, _MOST_GIB, most_seconds, alone.is_over, remark=remark
    )


ROWS: dict[str, Callable[[Size], list[Row]]] = {
    "1": fit_beside_a_loop,
    "2": fit_beside_a_batch,
    "3": fit_of_one,
    "4": ask_of_one_run,
    "5": ask_of_many_runs,
    "6": whole_study,
    "7": ask_beside_others,
    "8": ask_on_a_card,
    "9": memory,
}
