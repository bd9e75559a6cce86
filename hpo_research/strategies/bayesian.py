"""Bayesian optimisation: a Gaussian process, and batches chosen by q-EI."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch

from hpo_research.acquisition import (
    CRITERIA,
    Criterion,
    GPSurface,
    Search,
    confidence_bound,
)
from hpo_research.device import current
from hpo_research.errors import StrategyError
from hpo_research.gp import KERNELS, TRANSFORMS, Data, condition, fit
from hpo_research.gp.quasi import normal_set
from hpo_research.records import Ask, Note, Run, start
from hpo_research.strategies.batches import Batch, Known, Modelled, batch, key
from hpo_research.strategies.encoding import Encoding
from hpo_research.strategies.picks import picks
from hpo_research.strategies.random import Random
from hpo_research.strategies.tried import tried

Notes = dict[str, Note]
_LEAST_INITIAL, _MOST_INITIAL = 4, 24


@dataclass(frozen=True)
class Bayesian:
    """Bayesian optimisation with a Gaussian process and q-EI (Jones et al. 1998; Ginsbourger 2010).

    The first `initial` trials are a scrambled Sobol sequence (None: two a hyperparameter, 4 to
    24), shared with every strategy of the seed that begins so. Then each ask fits a GP with kernel
    `model` to the losses under `transform`, and chooses its batch one point at a time: running
    trials and points chosen before are conditioned on in `samples` fixed quasi-random samples, and
    the next point is where the acquisition function, exact given each sample, is largest.

    Failed trials count as bad as the worst value so far. A finite space is never tried twice; up
    to 100,000 configurations are scored whole. `acquisition`: `"qlogei"`, `"qei"` or `"ucb"`
    (with `beta`). `batch` is how many trials are asked for where the experiment leaves it open
    (`parallel=None`). Raises `StrategyError`.
    """

    acquisition: str = "qlogei"
    model: str = "matern52"
    transform: str = "yeo-johnson"
    initial: int | None = None
    batch: int = 4
    samples: int = 64
    starts: int = 16
    beta: float = 4.0

    def __post_init__(self) -> None:
        mistakes = [
            *_unknown("acquisition", self.acquisition, [*CRITERIA, "ucb"]),
            *_unknown("model", self.model, KERNELS),
            *_unknown("transform", self.transform, TRANSFORMS),
            *_too_small("batch", self.batch, 1),
            *_too_small("samples", self.samples, 2),
            *_too_small("starts", self.starts, 2),
        ]
        if self.initial is not None:
            mistakes += _too_small("initial", self.initial, 2)
        if not isinstance(self.beta, int | float) or not self.beta >= 0:
            mistakes.append(f"beta={self.beta!r}): beta must be a number from 0 on")
        if mistakes:
            raise StrategyError("\n".join(f"Bayesian({mistake}" for mistake in mistakes))

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Fill every slot: by the initial design, then by the model."""
        asks = [Ask() for _ in runs]
        groups: dict[tuple[object, ...], list[int]] = {}
        encodings: dict[tuple[object, ...], Encoding] = {}
        known: dict[int, Known] = {}
        for i, (run, free) in enumerate(zip(runs, slots, strict=True)):
            free = _places(run, free)
            if free == 0:
                continue
            known[i] = Known.of(run)
            if len(run.trials) < self._initial(run) or known[i].values < 2:
                asks[i] = Random("sobol").ask([run], [free])[0]
                continue
            encoding = Encoding(run.space)
            name = key(run, known[i], free, encoding)
            groups.setdefault(name, []).append(i)
            encodings.setdefault(name, encoding)
        for name, members in groups.items():
            chosen = self._asked(
                batch(
                    [runs[i] for i in members],
                    [known[i] for i in members],
                    encodings[name],
                    slots=_places(runs[members[0]], slots[members[0]]),
                    device=current(),
                )
            )
            for i, ask in zip(members, chosen, strict=True):
                asks[i] = ask
        return asks

    def _initial(self, run: Run) -> int:
        if self.initial is not None:
            return self.initial
        return min(max(2 * run.space.dimension, _LEAST_INITIAL), _MOST_INITIAL)

    def _asked(self, batch: Batch) -> list[Ask]:
        began = time.perf_counter()
        model = self.surface(batch)
        fitted = time.perf_counter()
        chosen = picks(model, batch, Search(starts=self.starts))
        share = 1 / len(batch.runs)
        seconds = {
            "fit": (fitted - began) * share,
            "acquisition": (time.perf_counter() - fitted) * share,
        }
        return [
            Ask(
                tuple(start(pick.config, run.max_epochs, self.acquisition) for pick in own),
                {
                    **note,
                    "acquisition": [pick.value for pick in own],
                    "winner": " ".join(pick.winner for pick in own),
                },
                seconds,
            )
            for run, own, note in zip(batch.runs, chosen, model.notes, strict=True)
        ]

    def surface(self, batch: Batch) -> Modelled:
        """Fit the batch's models, and return their acquisition functions."""
        data = batch.data
        transformed = TRANSFORMS[self.transform](data.y, data.mask)
        data = Data.of(data.x, transformed.y, data.mask, data.owner)
        kernel = KERNELS[self.model]
        fitted = fit(data, kernel)
        places = batch.pending.x.shape[1] + batch.slots
        hyper = fitted.hyperparameters
        posterior = condition(data, kernel, hyper, samples=self.samples, places=places)
        least = torch.where(data.mask, data.y, torch.full_like(data.y, torch.inf)).amin(dim=1)
        samples = normal_set(self.samples, places).to(data.x)
        surface = GPSurface(
            posterior,
            self._criterion(),
            least[:, None].repeat(1, self.samples),
            samples.expand(len(batch.runs), -1, -1),
        )
        for k in range(batch.pending.x.shape[1]):
            surface = surface.pending(batch.pending.x[:, k])
        notes: list[Notes] = [
            {
                "trials": float(len(known.configs)),
                "failed": float(known.failures),
                "pending": float(len(known.pending)),
                "lengthscale": hyper.lengthscale[i].tolist(),
                "noise": float(hyper.noise[i]),
                "mean": float(hyper.mean[i]),
                "log_evidence": float(fitted.log_evidence[i]),
                "fit_start": float(fitted.start[i]),
                "power": float(transformed.power[i]),
            }
            for i, known in enumerate(batch.known)
        ]
        return Modelled(surface, hyper.lengthscale, notes)

    def _criterion(self) -> Criterion:
        return (
            confidence_bound(self.beta) if self.acquisition == "ucb" else CRITERIA[self.acquisition]
        )


def _places(run: Run, slots: int) -> int:
    """Return how many of the slots there are untried configurations for."""
    return slots if run.space.size is None else min(slots, run.space.size - len(tried(run)))


def _unknown(name: str, value: object, legal: Iterable[str]) -> list[str]:
    if value in list(legal):
        return []
    return [f"{name}={value!r}): expected one of {', '.join(legal)}"]


def _too_small(name: str, value: object, least: int) -> list[str]:
    if isinstance(value, int) and not isinstance(value, bool) and value >= least:
        return []
    return [f"{name}={value!r}): {name} must be a whole number from {least} on"]
