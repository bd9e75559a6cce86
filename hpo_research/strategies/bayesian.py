"""Bayesian optimisation: a Gaussian process, and batches chosen by q-EI."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from hpo_research import habits
from hpo_research.acquisition import CRITERIA, GPAcquisition, Search
from hpo_research.ambient import ordinary
from hpo_research.device import current
from hpo_research.errors import StrategyError
from hpo_research.gp import TRANSFORMS
from hpo_research.options import Mistakes, number, one_of, optional, whole
from hpo_research.records import Ask, Run, start
from hpo_research.space import Config
from hpo_research.strategies.models import botorch_classes as parts
from hpo_research.strategies.models.botorch import BoTorchModel
from hpo_research.strategies.models.encoding import Encoding
from hpo_research.strategies.models.gp import (
    AVERAGED,
    CHANGES,
    MODELS,
    NOISY,
    THOMPSON,
    GPModel,
    Notes,
)
from hpo_research.strategies.models.greedy_batch import drawn_picks, picks
from hpo_research.strategies.models.initial_design import DESIGNS, begun, is_early, places_of
from hpo_research.strategies.models.inputs import (
    Batch,
    FittedAcquisition,
    RunModel,
    batch,
    key,
    together,
)
from hpo_research.strategies.models.observations import Observations, alike, encoding_of
from hpo_research.strategies.models.recommend import best_believed
from hpo_research.strategies.models.surrogate import Surrogate, fitted_surrogate
from hpo_research.text import is_one_of


@habits.answering
@dataclass(frozen=True)
class Bayesian:
    """Bayesian optimisation with a Gaussian process and q-EI (Jones et al. 1998; Ginsbourger 2010).

    Asks that come before `initial` trials, or while fewer than two trials have a value, are filled
    by the initial `design`: `"middle"`, `SearchSpace.middle` (unless a trial came before it) and
    then a scrambled Sobol sequence, shared with every strategy of the seed that has it
    (`initial=None`: 4 trials); or `"sobol"`, the sequence alone (None: two trials a hyperparameter,
    4 to 24). Every later ask fits a GP with kernel `model` to the losses under `transform`, and
    chooses its batch one point at a time: running trials and points chosen before are conditioned
    on in `samples` fixed quasi-random samples, and the next point is where the acquisition
    function, exact given each sample, is largest.

    Trials of earlier runs of the same task (`Run.prior`) are data too, and counted by `initial`.
    Those of related tasks (`Run.related`) are transformed apart, a task at a time, and nothing is
    to improve on them: each task is a hyperparameter of the model, whose lengthscale, fitted as all
    others, says how alike the two are (the note `task_lengthscale`). One that is found not to be is
    left out until a fit begins anew, every tenth.
    Failed trials count as bad as the worst value so far. No configuration is tried twice; finite
    spaces of up to 100,000 configurations are scored whole. `model` is a kernel, or the one of
    most evidence at each ask: `"by-evidence"`; or the acquisition function is averaged over all
    kernels by their evidence: `"averaged"`. `transform` may be `"by-evidence"` too. `acquisition`:
    `"qlogei"`, `"qei"`, `"ucb"` (with `beta`); where values are noisy `"qlognei"`, the improvement
    on what the function may be at the trials instead of on the least value (Letham et al. 2019;
    Ament et al., arXiv:2310.20708); or for large batches `"thompson"`: each point is the minimum of
    another function drawn from the posterior, all searched at once. `batch` is how many trials are
    asked for where the experiment leaves it open (`parallel=None`). Raises `StrategyError`.

    `model` may also be a class of BoTorch, a `functools.partial` of one, or a function `(train_X,
    train_Y) -> Model`; what it leaves in training mode is fitted (exact GPs by their marginal
    likelihood, variational ones by a bound of it, SAAS by NUTS; NumPyro is needed). It is given the
    unit cube, categories one-hot and scaled, or one column each where it takes `cat_dims`; and the
    transformed losses, negated. `acquisition` may be a class, a partial or a function that makes
    one of BoTorch's acquisition functions. Supplied by name are `model`, `best_f`, `X_baseline`,
    `X_observed`, `X_pending`, a `sampler` of `samples`; `mc_points` spread over the domain, a
    `candidate_set` of where the best value may be, and `optimal_inputs` and `optimal_outputs`,
    where draws of the posterior are best in it; the knowledge gradient has `samples` fantasies.
    Anything else is bound with `functools.partial`. Either may be ours beside the other's. The runs
    are then computed one by one; each batch is still chosen one point at a time, on the same
    domain. What runs with what is listed in `docs/botorch.md`; the rest is refused before a run's
    first trial, when the parts are made and evaluated once.
    """

    acquisition: str | parts.Factory = "qlogei"
    model: str | parts.Factory = "matern52"
    transform: str = "yeo-johnson"
    initial: int | None = None
    design: str = "middle"
    batch: int = 4
    samples: int = 64
    starts: int = 32
    beta: float = 4.0

    def __post_init__(self) -> None:
        rules = {"transform": one_of(CHANGES), "batch": whole(), "samples": whole(2)}
        rules |= {"starts": whole(2), "initial": optional(whole(2)), "design": one_of(DESIGNS)}
        mistakes = Mistakes.of(self, {**rules, "beta": number(least=0, most=1e300)})
        own = [*CRITERIA, NOISY, "ucb", THOMPSON]
        _check_part(mistakes, "acquisition", self.acquisition, own)
        _check_part(mistakes, "model", self.model, MODELS)
        if is_one_of(self.transform, ("by-evidence",)) and not isinstance(self.model, str):
            mistakes.add(
                "(transform='by-evidence'): a model of BoTorch has no evidence to choose by; "
                f"expected one of {', '.join(TRANSFORMS)}"
            )
        is_averaged = is_one_of(self.model, (AVERAGED,))
        if is_averaged and (self.acquisition == THOMPSON or not self._is_ours):
            mistakes.add(
                "(model='averaged'): expected a built-in acquisition function that can be averaged "
                f"({', '.join([*CRITERIA, NOISY, 'ucb'])}), got {parts.name_of(self.acquisition)!r}"
            )
        if callable(self.acquisition):
            pair = parts.name_of(self.model), parts.name_of(self.acquisition)
            for mistake in parts.pair_mistakes(self.acquisition, self.model):
                mistakes.add("(model={}, acquisition={}): {}".format(*pair, mistake))
        mistakes.refuse(StrategyError)

    @ordinary()
    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Fill every slot: by the initial design, then by the model."""
        asks, model = [Ask() for _ in runs], self._model
        names: dict[int, tuple[object, ...]] = {}
        encodings: dict[int, Encoding] = {}
        known: dict[int, Observations] = {}
        for i, (run, free) in enumerate(zip(runs, slots, strict=True)):
            if free > 0:
                model.refuse(run, free)
            places = places_of(run, free)
            if places == 0:
                continue
            known[i] = Observations.of(run)
            if is_early(self.initial, run, self.design) or known[i].values < 2:
                asks[i] = begun(run, places, run.max_epochs, self.design)
                continue
            space = encoding_of(run, known[i]) if self._is_ours else Encoding(run.space)
            encodings[i] = space
            name = key(run, known[i], places, encodings[i])
            names[i] = (i, *name) if model.takes_one_run else name

        def asked(members: Sequence[int]) -> list[Ask]:
            own = batch(
                [runs[i] for i in members],
                [known[i] for i in members],
                [encodings[i] for i in members],
                slots=places_of(runs[members[0]], slots[members[0]]),
                device=current(),
            )
            return self._asked(own)

        for i, ask in together(names, asked).items():
            asks[i] = ask
        return asks

    @ordinary()
    def recommend(self, runs: Sequence[Run]) -> list[int | None]:
        """Of each run the trial with the best posterior mean; None for parts of BoTorch."""
        if not self._is_ours:
            return [None] * len(runs)
        # What a criterion is computed from is the same for all; this one's surface shows it.
        return best_believed(runs, replace(self, acquisition="qlogei").surface)

    @ordinary()
    def believe(self, run: Run, chosen: Sequence[Config] = ()) -> Surrogate | None:
        """Fit the model to a run, to look at; None for parts of BoTorch and drawn functions.

        Raises `StrategyError` for a run with fewer than two values.
        """
        name = self.acquisition
        if not self._is_ours or not isinstance(name, str) or name == THOMPSON:
            return None
        return fitted_surrogate(run, chosen, acquisition=name, model=self.surface)

    @property
    def _is_ours(self) -> bool:
        return isinstance(self.model, str) and isinstance(self.acquisition, str)

    @property
    def _model(self) -> RunModel:
        if isinstance(self.model, str) and isinstance(self.acquisition, str):
            own = self.model, self.transform, self.acquisition
            return GPModel(*own, samples=self.samples, beta=self.beta)
        foreign = self.model, self.acquisition, self.transform
        return BoTorchModel(*foreign, samples=self.samples, beta=self.beta)

    def _asked(self, batch: Batch) -> list[Ask]:
        began = time.perf_counter()
        with self._model.guarded(batch):
            model = self.surface(batch)
            fitted = time.perf_counter()
            search = Search(starts=self.starts)
            if self.acquisition == THOMPSON:
                assert isinstance(model.surface, GPAcquisition)
                chosen = drawn_picks(model.surface.posterior, batch, search)
            else:
                chosen = picks(model, batch, search)
        share = 1 / len(batch.runs)
        seconds = {
            "fit": (fitted - began) * share,
            "acquisition": (time.perf_counter() - fitted) * share,
        }
        origin = parts.name_of(self.acquisition)
        return [
            Ask(
                tuple(start(pick.config, run.max_epochs, origin) for pick in own),
                {
                    **note,
                    "acquisition": [pick.value for pick in own],
                    "winner": " ".join(pick.winner for pick in own),
                },
                seconds,
            )
            for run, own, note in zip(batch.runs, chosen, model.notes, strict=True)
        ]

    @ordinary()
    def surface(self, batch: Batch) -> FittedAcquisition:
        """Fit the batch's models, and return their acquisition functions."""
        modelled = self._model.fit(batch)
        power = modelled.transformed.power.tolist()
        notes: list[Notes] = [
            {
                "trials": float(len(known.configs)),
                "failed": float(known.failures),
                "pending": float(len(known.pending)),
                **({"prior": float(known.earlier)} if known.earlier else {}),
                **modelled.notes[i],
                **(alike(known, modelled.notes[i]) if self._is_ours else {}),
                "power": power[i],
            }
            for i, known in enumerate(batch.known)
        ]
        return replace(modelled, notes=notes)


def _check_part(mistakes: Mistakes, name: str, value: object, legal: Iterable[str]) -> None:
    """Check something that is to be one of our names or a part of BoTorch's."""
    if isinstance(value, str) or not callable(value):
        named = one_of(legal)
        mistakes.check(
            name, value, lambda own: (words := named(own)) and f"{words}, or a class of BoTorch"
        )
        return
    found = parts.model_mistakes(value) if name == "model" else parts.acquisition_mistakes(value)
    for mistake in found:
        mistakes.add(f"({name}={parts.name_of(value)}): {mistake}")
