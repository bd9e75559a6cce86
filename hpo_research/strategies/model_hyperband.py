"""Hyperband whose new configurations are chosen by a model of all its learning curves."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from hpo_research import habits
from hpo_research.acquisition import Search
from hpo_research.ambient import ordinary
from hpo_research.device import current
from hpo_research.errors import StrategyError
from hpo_research.options import Mistakes, optional, whole
from hpo_research.records import Ask, Run, start
from hpo_research.strategies.halving.brackets import Bracket
from hpo_research.strategies.halving.hyperband import brackets
from hpo_research.strategies.halving.synchronous import ETA, halved
from hpo_research.strategies.models.curve_batch import newcomers
from hpo_research.strategies.models.curve_data import CurveForecast, CurveRun, fitted, ladder
from hpo_research.strategies.models.initial_design import begun, is_early, places_of
from hpo_research.strategies.models.inputs import together
from hpo_research.strategies.models.recommend import foreseen_best

_MODEL, _TRANSFORM = "matern52", "yeo-johnson"


@habits.answering
@dataclass(frozen=True)
class ModelHyperband:
    """Hyperband (Li et al., JMLR 2018) with new configurations chosen by a model.

    The brackets are those of `Hyperband`. What differs from it around `Bayesian`, and from BOHB
    (Falkner, Klein and Hutter, ICML 2018), is what the model knows: a GP over configuration and
    epoch learns from the values of all rungs at once, not from one rung. Each new configuration
    maximises q-EI of the value at the last epoch, running trials and those chosen before being
    pending. None is drawn at random, as every third of BOHB's is: that was tried and gained nothing
    (`benchmarks/DEFAULTS.md`). Promotion is by observed values.

    `initial` trials (None: two a hyperparameter, 4 to 24) come before the model. Failed trials
    count as bad as the worst value. With fewer than η epochs there is one rung: it is Bayesian
    optimisation. `batch` is how many trials are asked for where the experiment leaves it open
    (`parallel=None`). Raises `StrategyError`.
    """

    eta: int = 3
    initial: int | None = None
    batch: int = 4
    starts: int = 16
    with_one_epoch: ClassVar[str] = "one rung there"
    needs_length: ClassVar[bool] = True

    def __post_init__(self) -> None:
        rules = {"eta": ETA, "initial": optional(whole(2)), "batch": whole(), "starts": whole(2)}
        Mistakes.of(self, rules).refuse(StrategyError)

    @property
    def model(self) -> str:
        """The kernel of its model."""
        return _MODEL

    @property
    def transform(self) -> str:
        """What is done to losses before they are modelled."""
        return _TRANSFORM

    def brackets(self, max_epochs: int) -> list[Bracket]:
        """Return the table: for each bracket its rungs as (configurations, epochs)."""
        return brackets(max_epochs, self.eta)

    def ask(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Continue each run's open rung: start or resume its members, or wait for them."""
        tables = [self.brackets(run.max_epochs) for run in runs]
        return halved(runs, slots, tables, self._new)

    @ordinary()
    def recommend(self, runs: Sequence[Run]) -> list[int | None]:
        """Of each run the trial that is best and foreseen to stay so, running ones included."""
        return foreseen_best(runs, _TRANSFORM, _MODEL)

    @ordinary()
    def _new(self, runs: Sequence[Run], slots: Sequence[int]) -> list[Ask]:
        """Return new configurations for each run."""
        asks = [Ask() for _ in runs]
        known: dict[int, CurveRun] = {}
        for i, (run, free) in enumerate(zip(runs, slots, strict=True)):
            places = places_of(run, free)
            if places == 0:
                continue
            one = CurveRun.of(run)
            if is_early(self.initial, run, with_curves=True) or one.seen.values < 2:
                asks[i] = begun(run, places, ladder(run.max_epochs)[0])
            else:
                known[i] = one
        began = time.perf_counter()
        fits = fitted(known, self.transform, self.model, current())
        spent = (time.perf_counter() - began) / max(1, len(known))
        names = {
            i: (one.key, places_of(one.run, slots[i]), len(one.run.running))
            for i, one in known.items()
        }

        def asked(members: Sequence[int]) -> list[Ask]:
            began = time.perf_counter()
            group, thetas = [known[i] for i in members], [fits[i][0] for i in members]
            model = CurveForecast.of(group, thetas, self.transform, self.model, current())
            places = places_of(runs[members[0]], slots[members[0]])
            found = newcomers(model, places, search=Search(self.starts))
            share = (time.perf_counter() - began) / len(members)
            seconds = {"fit": spent, "acquisition": share}
            return [
                Ask(
                    tuple(start(new.config, runs[i].max_epochs, "model") for new in own),
                    fits[i][1],
                    seconds,
                )
                for i, own in zip(members, found, strict=True)
            ]

        for i, ask in together(names, asked).items():
            asks[i] = ask
        return asks
