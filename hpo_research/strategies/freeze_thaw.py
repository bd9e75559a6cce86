"""Freeze-thaw Bayesian optimisation: a model of learning curves decides which trials go on."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from hpo_research import habits
from hpo_research.acquisition import Search, log_ei, log_knowledge_gradient
from hpo_research.ambient import ordinary
from hpo_research.device import current
from hpo_research.errors import StrategyError
from hpo_research.gp import KERNELS, TRANSFORMS
from hpo_research.gp.posterior import LEAST_VARIANCE
from hpo_research.options import Mistakes, one_of, optional, whole
from hpo_research.records import Ask, Proposal, Run, Trial, resume, start
from hpo_research.strategies.models.curve_batch import newcomers
from hpo_research.strategies.models.curve_data import (
    CurveForecast,
    CurveRun,
    Key,
    Notes,
    fitted,
    ladder,
)
from hpo_research.strategies.models.greedy_batch import Pick
from hpo_research.strategies.models.initial_design import begun, is_early, places_of
from hpo_research.strategies.models.inputs import together
from hpo_research.strategies.models.recommend import foreseen_best

GREEDY, CURIOUS = "greedy", "curious"
_BUCKET = 16


@habits.answering
@dataclass(frozen=True)
class FreezeThaw:
    """Start, pause and resume trials by a GP over configuration and epoch.

    After Swersky, Snoek and Adams (arXiv:1406.3896), with the covariance of `CurveHyperparameters`:
    all curves of a run teach what any of them will come to. New trials are trained for one epoch;
    a paused one goes on to the next of about 1.4 times as many epochs. Every `greedy`-th proposal
    resumes the paused trial of the largest expected improvement at the last epoch. The others go
    where the next epochs teach most: to the trial, paused or new, by which the best predicted final
    value of all is expected to improve most (the knowledge gradient of Frazier, Powell and Dayanik,
    SIAM J. Control and Optimization 2008, where only the chosen trial's own prediction moves): the
    one predicted to end best has the second best for a rival, all others have the best. What is
    compared is not divided by epochs. New configurations maximise q-EI of the final value.

    Asks that come before `initial` trials (None: two a hyperparameter, 4 to 24) or before two
    values are filled by a scrambled Sobol sequence, shared with every strategy of the seed that
    begins so. Trials of earlier runs (`Run.prior`) are curves too, as in `Bayesian`. Losses are
    modelled under `transform`. A failed trial counts as bad as the worst. The hyperparameters are
    fitted again when there are a fifth, and at least four, more observations; until then they come
    from the notes of earlier asks. Nothing is stopped: what is not promising stays paused. In a
    finite space no configuration is started twice, and all are trained to the end at last. `batch`
    is how many trials are asked for where the experiment leaves it open (`parallel=None`). With one
    epoch there is nothing to pause: it is Bayesian optimisation. Raises `StrategyError`.
    """

    initial: int | None = None
    greedy: int = 4
    batch: int = 4
    model: str = "matern52"
    transform: str = "yeo-johnson"
    starts: int = 16
    with_one_epoch: ClassVar[str] = "nothing to pause there"
    needs_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        rules = {"initial": optional(whole(2)), "greedy": whole(), "batch": whole()}
        rules |= {"model": one_of(KERNELS), "transform": one_of(TRANSFORMS), "starts": whole(2)}
        Mistakes.of(self, rules).refuse(StrategyError)

    @ordinary()
    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Fill every slot: start and resume the trials that are worth it."""
        asks = [Ask() for _ in runs]
        known: dict[int, CurveRun] = {}
        for i, (run, free) in enumerate(zip(runs, slots, strict=True)):
            places = places_of(run, free)
            if free <= 0 or (places == 0 and not _paused(run)):
                continue
            one = CurveRun.of(run)
            if places > 0 and (
                is_early(self.initial, run, with_curves=True) or one.seen.values < 2
            ):
                asks[i] = begun(run, places, ladder(run.max_epochs)[0])
            elif one.seen.values < 2:
                asks[i] = Ask(tuple(_resumed(run, trial) for trial in _paused(run)[:free]))
            else:
                known[i] = one
        began = time.perf_counter()
        fits = fitted(known, self.transform, self.model, current())
        spent = (time.perf_counter() - began) / max(1, len(known))
        names = {i: (one.key, *_shape(one.run, slots[i])) for i, one in known.items()}

        def asked(members: Sequence[int]) -> list[Ask]:
            own = [fits[i] for i in members]
            return self._asked([known[i] for i in members], own, slots[members[0]])

        for i, ask in together(names, asked).items():
            asks[i] = replace(ask, seconds={"fit": spent, **ask.seconds})
        return asks

    @ordinary()
    def recommend(self, runs: Sequence[Run]) -> list[int | None]:
        """Of each run the trial that is best and foreseen to stay so, running ones included."""
        return foreseen_best(runs, self.transform, self.model)

    def _asked(
        self,
        members: Sequence[CurveRun],
        fits: Sequence[tuple[tuple[float, ...], Notes]],
        free: int,
    ) -> list[Ask]:
        began = time.perf_counter()
        thetas = [theta for theta, _ in fits]
        model = CurveForecast.of(members, thetas, self.transform, self.model, current())
        places = places_of(members[0].run, free)
        new = newcomers(model, places, search=Search(self.starts))
        field = _Field.of(model, new)
        # Read of all runs at once: each copy from a GPU waits for it.
        scores = {why: score.cpu() for why, score in _scores(model, field).items()}
        is_there = field.is_there.cpu()
        chosen = [
            _chosen(one.run, is_there[i], {k: v[i] for k, v in scores.items()}, self.greedy)
            for i, one in enumerate(members)
        ]
        share = (time.perf_counter() - began) / len(members)
        asks = []
        for i, (one, (_, notes)) in enumerate(zip(members, fits, strict=True)):
            rows = chosen[i][:free]
            work = tuple(field.proposal(one.run, new[i], row) for row, _ in rows)
            notes = {
                **notes,
                "acquisition": [float(scores[why][i, row]) for row, why in rows],
                "winner": " ".join(why for _, why in rows),
            }
            asks.append(Ask(work, notes, {"acquisition": share}))
        return asks


def _paused(run: Run) -> list[Trial]:
    return [trial for trial in run.trials if trial.status == "paused"]


def _shape(run: Run, free: int) -> Key:
    return free, places_of(run, free), len(run.running), _width(run)


def _width(run: Run) -> int:
    return max(1, -(-len(_paused(run)) // _BUCKET)) * _BUCKET


def _next(run: Run, until: int) -> int:
    return next(rung for rung in ladder(run.max_epochs) if rung > until)


def _resumed(run: Run, trial: Trial) -> Proposal:
    return resume(trial.id, _next(run, trial.until))


@dataclass(frozen=True)
class _Field:
    """What may be trained: the paused trials of each run, padded to `width`, then new ones.

    After them stand the running trials, which are compared with and not chosen: `is_there` says
    what may be trained, `is_rival` what is compared with. `trial` is negative for new ones, each
    with a number of its own; `until` is the epoch each would be trained to.
    """

    width: int
    x: Float[Tensor, "b q d"]
    trial: Int[Tensor, "b q"]
    until: Float[Tensor, "b q"]
    is_there: Bool[Tensor, "b q"]
    is_rival: Bool[Tensor, "b q"]

    @classmethod
    def of(cls, model: CurveForecast, new: Sequence[Sequence[Pick]]) -> "_Field":
        runs = [one.run for one in model.members]
        width = _width(runs[0])
        first = width + len(new[0])
        rows = first + len(runs[0].running)
        rows += rows % 2  # products of odd sizes are padded each time
        x = torch.full((len(runs), rows, model.posterior.x.shape[-1]), 0.5, dtype=torch.float64)
        trial = (-1 - torch.arange(rows, dtype=torch.int64)).repeat(len(runs), 1)
        until = torch.full((len(runs), rows), ladder(model.max_epochs)[0], dtype=torch.float64)
        is_there = torch.zeros(len(runs), rows, dtype=torch.bool)
        for i, one in enumerate(model.members):
            paused = _paused(one.run)
            k = len(paused)
            x[i, :k] = one.points.x[0, [t.id for t in paused]]
            trial[i, :k] = torch.tensor([t.id for t in paused], dtype=torch.int64)
            nexts = [float(_next(one.run, t.until)) for t in paused]
            until[i, :k] = torch.tensor(nexts, dtype=torch.float64)
            is_there[i, :k] = True
            for j, running in enumerate(one.run.running, first):
                x[i, j] = one.points.x[0, running.id]
                trial[i, j] = running.id
        if new[0]:
            rows_of_new = torch.stack([torch.stack([pick.x for pick in own]) for own in new])
            x[:, width:first], is_there[:, width:first] = rows_of_new.cpu(), True
        is_rival = is_there.clone()
        is_rival[:, first : first + len(runs[0].running)] = True
        there = (tensor.to(model.device) for tensor in (x, trial, until, is_there, is_rival))
        return cls(width, *there)

    def proposal(self, run: Run, new: Sequence[Pick], row: int) -> Proposal:
        """Return what it is to train a row further."""
        if row < self.width:
            return _resumed(run, _paused(run)[row])
        return start(new[row - self.width].config, ladder(run.max_epochs)[0], "model")


def _scores(model: CurveForecast, field: _Field) -> dict[str, Float[Tensor, "b q"]]:
    """Return of each row the logarithms of what it is worth to train it.

    Greedy: the expected improvement, at the last epoch, on the least loss foreseen there; not on
    the least loss of any epoch, since a curve that turned up late may have been lower than anything
    can be expected to end. Curious: what the least loss foreseen is expected to fall by after the
    epochs, where a trial's own prediction moves by a normal of variance c²/s², c being its
    covariance with the next value and s² the variance of that, noise included.
    """
    last = model.epochs(model.max_epochs, field.trial)
    seen = model.posterior.foretell(field.x, field.trial, last, field.until)
    noise = model.posterior.hyperparameters["noise"][:, None]
    moves = (seen.covariance * seen.covariance / (seen.other + noise)).clamp(min=LEAST_VARIANCE)
    return {
        GREEDY: log_ei(seen.mean, seen.variance, model.end[:, None].expand_as(seen.mean)),
        CURIOUS: log_knowledge_gradient(seen.mean, moves, _rivals(model, field, seen.mean)),
    }


def _rivals(
    model: CurveForecast, field: _Field, mean: Float[Tensor, "b q"]
) -> Float[Tensor, "b q"]:
    """Return the least final loss predicted for any other trial, known or new, of each row."""
    there = torch.where(field.is_rival, mean, torch.full_like(mean, torch.inf))
    ends = torch.cat([model.ends, there], dim=1)
    owners = torch.cat([model.trials, field.trial], dim=1)
    least, place = ends.min(dim=1, keepdim=True)
    owner = owners.gather(1, place)
    second = ends.masked_fill(owners == owner, torch.inf).amin(dim=1, keepdim=True)
    return torch.where(field.trial == owner, second, least)


def _chosen(
    run: Run, is_there: Tensor, scores: dict[str, Tensor], greedy: int
) -> list[tuple[int, str]]:
    """Return rows from the first to be trained on, and by which score; all rows that are there."""
    made = sum(len(ask.proposals) for ask in run.asks)
    orders = {
        why: score.argsort(descending=True, stable=True).tolist() for why, score in scores.items()
    }
    left = set(is_there.nonzero()[:, 0].tolist())
    paused = set(range(len(_paused(run))))
    rows: list[tuple[int, str]] = []
    while left:
        is_greedy = (made + len(rows)) % greedy == 0 and bool(left & paused)
        why = GREEDY if is_greedy else CURIOUS
        among = left & paused if is_greedy else left
        row = next(row for row in orders[why] if row in among)
        left.remove(row)
        rows.append((row, why))
    return rows
