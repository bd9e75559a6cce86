"""The rows of the table of targets: each measures ours and a rival in turns, in this process."""

import importlib.util
from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.beside import shown
from benchmarks.speed import own, rivals
from benchmarks.speed.cases import Case, data, losses, points
from benchmarks.speed.clock import Contender, Time, duel
from benchmarks.speed.measured import Limit, Missing, Race
from benchmarks.speed.memory import Alone, alone
from benchmarks.speed.own import Beside, Size
from hpo_research.device import used

Row = Race | Limit | Missing
_CLOSE = 1e-3  # of log evidence: the same


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
    return [_fits(size, size.models, what, "loop of `fit_gpytorch_mll`", goals=(25, 75))]


def fit_beside_a_batch(size: Size) -> list[Row]:
    """Many GPs against one batched model of BoTorch."""
    what = f"fit, {size.models} GPs, {_shape(size)}"
    return [_fits(size, size.models, what, "BoTorch's own batched fit", goals=(17, 51))]


def fit_of_one(size: Size) -> list[Row]:
    """One GP against `fit_gpytorch_mll`: the mean over eight data sets, fitted one by one."""
    return [_fits(size, 1, f"fit, one GP, {_shape(size)}", "`fit_gpytorch_mll`", goals=(18, 54))]


def _fits(size: Size, models: int, what: str, rival: str, *, goals: tuple[float, float]) -> Race:
    """Time fits of `models` GPs; a single one is timed on several data sets, one at a time."""
    reached: dict[str, list] = {}
    ours = own.fits(size, models, reached)
    sets = int(ours.units * models)
    known = data(size.of(sets))
    one = known.take(slice(0, 1))
    is_batched = "batched" in rival

    def theirs() -> None:
        reached["theirs"] = (
            [rivals.botorch_fit(known.x, known.y)]
            if is_batched
            else [rivals.botorch_fit(x, y) for x, y in zip(known.x, known.y, strict=True)]
        )

    contender = Contender(
        lambda: theirs,
        size.theirs,
        units=ours.units,
        warm=lambda: rivals.botorch_fit(one.x[0], one.y[0]),
    )
    times = duel(ours, contender)
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

    ours, joint, greedy = duel(own.asks(size), theirs(False), theirs(True))
    other = f"{shown(greedy.clock)} ({greedy.clock / ours.clock:.1f}×)"
    remark = f"mean of {size.apart} runs asked one by one; rival with sequential=True: {other}"
    return [_race(f"ask, {size.of()}", _botorch(size), ours, joint, goals=(18, 45), remark=remark)]


def ask_of_many_runs(size: Size) -> list[Row]:
    """Many runs at once, seconds a run, against BoTorch looped over some of the same runs."""
    case = size.of(size.runs)
    times = duel(own.ask(case, size.own), _looped(size))
    remark = f"rival looped over {size.looped} of the runs"
    what, rival = f"ask, {case}, per run", f"{_botorch(size)}, looped"
    return [_race(what, rival, *times, goals=(41, 100), remark=remark)]


def ask_on_a_card(size: Size) -> list[Row]:
    """Many runs on a CUDA device, against BoTorch looped on the CPU of that machine."""
    case, rival = size.of(size.cuda_runs), f"{_botorch(size)}, looped on its CPU"
    rows: list[Row] = []
    for graphs in (False, True):
        what = f"ask on one GPU{', CUDA graphs' if graphs else ''}, {case}, per run"
        if not torch.cuda.is_available():
            rows.append(Missing(what, rival, 200, 1000, "no CUDA device"))
            continue
        with used("cuda:0", graphs=graphs):
            times = duel(own.ask(case, size.own), _looped(size))
        card = torch.cuda.get_device_name(0)
        remark = f"{card}; rival looped over {size.looped} of the runs"
        rows.append(_race(what, rival, *times, goals=(200, 1000), remark=remark))
    return rows


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
    """One run against Optuna's GP, Ax and egobox at their defaults, told the same trials."""
    return [
        _beside("optuna", rivals.optuna_ask, rival="Optuna GPSampler", size=size, goals=(2, 6)),
        _beside("ax", rivals.ax_ask, rival="Ax", size=size, goals=(28, 84)),
        _beside("egobox", rivals.egobox_ask, rival="egobox", size=size, goals=(3.5, 12)),
    ]


def _beside(
    package: str,
    prepared: Callable[[Case, int], Callable[[], object]],
    *,
    rival: str,
    size: Size,
    goals: tuple[float, float],
) -> Row:
    case = size.of()
    if importlib.util.find_spec(package) is None:
        return Missing(f"ask, {case}", rival, *goals, f"{package} is not installed")

    def told() -> Callable[[], object]:
        asks = [prepared(case, run) for run in range(size.apart)]
        return lambda: [ask() for ask in asks]

    theirs = Contender(told, size.theirs + 1, units=size.apart)
    remark = f"mean of {size.apart} runs asked one by one"
    times = duel(own.asks(size), theirs)
    return _race(f"ask, {case}", rival, *times, goals=goals, remark=remark)


# --- the study ---


def whole_study(size: Size) -> list[Row]:
    """A replicated study, stored, without report and figures, against a plain BoTorch loop."""
    q, initial, measured = 4, own.INITIAL, min(2, size.seeds)
    evaluations = size.evaluations

    def theirs() -> None:
        for seed in range(measured):
            rivals.botorch_study(seed, evaluations, initial, q=q, effort=size.effort)

    one = points(0, initial, 6)
    ours, loop = duel(
        own.study(size),
        Contender(
            lambda: theirs,
            size.theirs,
            units=measured / size.seeds,
            warm=lambda: rivals.botorch_ask(one, losses(one), q, effort=size.effort),
        ),
    )
    what = f"whole study, {size.seeds} seeds × {evaluations} evaluations, Hartmann6, q={q}"
    remark = f"rival measured on {measured} seeds and scaled to {size.seeds}; {initial} initial"
    return [_race(what, "the same BoTorch loop", ours, loop, goals=(108, 200), remark=remark)]


# --- limits ---


def memory(size: Size) -> list[Row]:
    """Many runs, a long one, and one of many hyperparameters, each in its own process and cold."""
    return [
        _limit(what, alone(case, size.patience), gib, seconds)
        for what, (case, gib, seconds) in _limits(size).items()
    ]


def _limits(size: Size) -> dict[str, tuple[Case, tuple[float, float], tuple[float, float]]]:
    """Return of each ask the floors and goals: GiB, then seconds."""
    return {
        f"memory of an ask, {size.many}": (size.many, (1.66, 1.0), (52.8, 17.6)),
        f"a long run's ask, {size.long}": (size.long, (4.0, 4.0), (34.8, 12.0)),
        f"a wide run's ask, {size.wide}": (size.wide, (4.0, 4.0), (60.0, 2.35)),
    }


def _limit(what: str, one: Alone, gib: tuple[float, float], seconds: tuple[float, float]) -> Limit:
    remark = "cold, in its own process" + ("" if one.is_over else "; stopped before its end")
    return Limit(what, one.seconds, one.gib, gib, seconds, one.is_over, remark)


# --- beside the last build ---


def average(size: Size, beside: Beside | None) -> list[Row]:
    """One run by an average over three kernels, against the last build's one kernel."""
    what, rival = f"ask by the average of kernels, {size.of()}", "the last build, one kernel"
    if beside is None:
        return [Missing(what, rival, 0.3, 1, "needs `--beside CHECKOUT` of the last build")]
    times = beside.times(("average", "ask"), size)
    return [_race(what, rival, *times, goals=(0.3, 1), remark="in processes of their own, in turn")]


_SAME = {"1": "64 fits", "2": "64 fits", "3": "fit", "4": "ask", "5": "asks", "6": "study"}


def compared(name: str, rows: list[Row], size: Size, beside: Beside) -> list[Row]:
    """Return rows with what the last build takes for the same, over what this one takes."""
    if name in _SAME:
        ours, theirs = beside.times((_SAME[name], _SAME[name]), size)
        return [replace(row, last=theirs.processor / ours.processor) for row in rows]
    if name == "9":
        cases = [case for case, _, _ in _limits(size).values()]
        return [
            replace(row, last=beside.alone(case, size).seconds / row.seconds)
            for row, case in zip(rows, cases, strict=True)
            if isinstance(row, Limit)
        ]
    return rows


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
AVERAGE = "10"
