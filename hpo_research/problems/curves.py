"""Synthetic learning curves: many epochs, an exact final value, and a chosen agreement with it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import jaxtyping as jt
import torch
from torch import Tensor

from hpo_research.ambient import ordinary
from hpo_research.errors import ProblemError
from hpo_research.options import Mistakes, instance, number, seed, whole
from hpo_research.problems.evaluation import Analytic, in_step, padded, points
from hpo_research.problems.naming import name_of
from hpo_research.problems.protocol import Evaluation
from hpo_research.problems.synthetic import Synthetic
from hpo_research.records import Direction, Report, Segment
from hpo_research.rng import Stream
from hpo_research.space import SearchSpace
from hpo_research.text import name_mistake, quoted

_SAMPLE = 4096  # points of the box from which the scales of a base are taken
_KNOTS = 64  # quantiles that stand for the distribution of a base's values
_WAVES = 16  # cosines in a smooth random function
_PERIODS = 2.0  # how often one of them goes up and down across the box, typically
_RATE = 0.5  # octaves: how far decay rates lie around 1 when early and late are unrelated


@dataclass(frozen=True)
class LearningCurves:
    """Curves that fall by a power law from an early value to exactly the base function's value.

    At epoch e the metric `value` of a configuration x is f(x) + w(x, e) (E(x) − f(x)), where f is
    the `base` (an `Analytic` problem with a known optimum, or the name of a synthetic function)
    and w = (e^−α − R^−α) / (1 − R^−α) with R = `max_epochs`: 1 at the first epoch, exactly 0 at
    the last. So the optimum of the base is the known optimum of the final value, and no earlier
    value is below it.

    The early value is E = max(f, U) + (U − f*) Φ(ρ z + √(1 − ρ²) g), with U about the greatest
    value of f, z the normal score of f over the box and g a smooth random function, near N(0, 1)
    and uncorrelated with z. So ρ = `agreement` is about the rank correlation, over the box, of the
    first epoch with the last. With 1 all curves have α = 1 and rank alike at every epoch; with
    less, α(x) too is a smooth random function, within half an octave × √(1 − ρ²) around 1.

    Every epoch of x costs `seconds` (recorded, for a simulated clock) times a smooth random factor
    between ½ and 2. `seed` draws the smooth functions. `noise` is the standard deviation of noise
    from the trial's own stream; the value without it is reported as `noise_free`, as by `Noisy`.
    A trial has no state. Raises `ProblemError`.
    """

    base: Analytic | str = "branin"
    max_epochs: int = 27
    agreement: float = 0.8
    noise: float = 0.0
    seconds: float = 10.0
    seed: int = 0
    name: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.base, str):
            object.__setattr__(self, "base", Synthetic(self.base))
        _check(self)
        object.__setattr__(self, "name", name_of("LearningCurves", self.name, _name(self)))

    @property
    def function(self) -> Analytic:
        """The base as a problem."""
        assert not isinstance(self.base, str)
        return self.base

    @property
    def space(self) -> SearchSpace:
        """The base's."""
        return self.function.space

    @property
    def metric(self) -> str:
        """`value`."""
        return "value"

    @property
    def direction(self) -> Direction:
        """Minimised."""
        return "minimize"

    @property
    def can_resume(self) -> bool:
        """Trivially: a value depends on the configuration and the epoch only."""
        return True

    @property
    def has_recorded_seconds(self) -> bool:
        """Yes: every report says what its epoch cost."""
        return True

    @property
    def optimum(self) -> float | None:
        """The least final value, that of the base."""
        return self.function.optimum

    @ordinary()
    def curves(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, "n columns"]:
        """Evaluate the curves at points of the box: the value at each epoch, then the seconds."""
        return padded(self._columns, x)

    def evaluate(self, segments: Sequence[Segment], device: str = "cpu") -> Evaluation:
        """Evaluate all curves in one tensor call and replay them."""
        if not segments:
            return
        rows = self.curves(points(self.space, segments, device)).tolist()

        def report(i: int, epoch: int) -> Report:
            *values, seconds = rows[i]
            metrics = self._metrics(values[epoch - 1], segments[i].stream, epoch)
            return Report(
                segments[i].run, segments[i].trial, epoch, metrics, seconds=seconds, state=dict
            )

        yield from in_step(segments, report)

    def _metrics(self, value: float, stream: Stream, epoch: int) -> dict[str, float]:
        if self.noise == 0:
            return {"value": value}
        # Not Noisy's name: a noisy curve inside Noisy must not get the same draws twice.
        z = float(stream.at("curve noise", epoch).generator().standard_normal())
        return {"value": value + self.noise * z, "noise_free": value}

    def _columns(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, "n columns"]:
        f = self.function.values(x)
        rate, cost = (wave.at(x) for wave in self._scales.waves[1:])
        rest = math.sqrt(1 - self.agreement**2)
        alpha = torch.exp2(_RATE * rest * (2 * torch.special.ndtr(rate) - 1))
        epochs = torch.arange(1, self.max_epochs + 1, dtype=x.dtype, device=x.device)
        power = torch.exp(-alpha[:, None] * torch.log(epochs))
        last = power[:, -1:]
        # With one epoch both differences are 0, and so is the weight: the value is final.
        weight = (power - last) / (1 - last).clamp_min(torch.finfo(x.dtype).tiny)
        values = f[:, None] + weight * (self._early(x, f) - f)[:, None]
        seconds = self.seconds * torch.exp2(2 * torch.special.ndtr(cost) - 1)
        return torch.cat([values, seconds[:, None]], dim=1)

    def _early(
        self, x: jt.Float64[Tensor, "n d"], f: jt.Float64[Tensor, " n"]
    ) -> jt.Float64[Tensor, " n"]:
        """Return the value at the first epoch."""
        scales = self._scales
        z = scales.score(f)
        unrelated = (scales.waves[0].at(x) - scales.overlap * z) / math.sqrt(1 - scales.overlap**2)
        score = self.agreement * z + math.sqrt(1 - self.agreement**2) * unrelated
        top = float(scales.knots[-1])
        early: Tensor = torch.special.ndtr(score)
        return f.clamp_min(top) + (top - float(scales.knots[0])) * early

    @cached_property
    def _scales(self) -> "Scales":
        low, high = torch.tensor(self.function.bounds, dtype=torch.float64).unbind(dim=1)
        # The scales belong to the base: the same sample whatever the seed.
        unit = Stream(0).at("curves", "sample").uniform(_SAMPLE, len(low), like=low)
        x = low + (high - low) * unit
        f = self.function.values(x)
        stream = Stream(self.seed).at("curves")
        waves = tuple(Waves.draw(stream.at(name), x) for name in ("early", "rate", "seconds"))
        scales = Scales.of(f, self.function.optimum or 0.0, waves)
        return replace(scales, overlap=float((waves[0].at(x) * scales.score(f)).mean()))


@dataclass(frozen=True, eq=False)
class Waves:
    """A smooth random function over a box, with mean 0 and standard deviation 1 over a sample."""

    low: Tensor
    range: Tensor
    frequencies: Tensor
    phases: Tensor
    mean: float = 0.0
    sd: float = 1.0

    @staticmethod
    def draw(stream: Stream, sample: jt.Float64[Tensor, "n d"]) -> "Waves":
        """Draw cosines of random direction; their root mean square frequency is `_PERIODS`."""
        d = sample.shape[1]
        low, high = sample.amin(dim=0), sample.amax(dim=0)
        scale = 2 * math.pi * _PERIODS / math.sqrt(d)
        frequencies = scale * stream.at("frequencies").normal(d, _WAVES, like=sample)
        phases = 2 * math.pi * stream.at("phases").uniform(_WAVES, like=sample)
        waves = Waves(low, high - low, frequencies, phases)
        raw = waves.at(sample)
        return replace(waves, mean=float(raw.mean()), sd=float(raw.std()))

    def at(self, x: jt.Float64[Tensor, "n d"]) -> jt.Float64[Tensor, " n"]:
        """Evaluate at points of the box."""
        unit = (x - self.low.to(x)) / self.range.to(x)
        angle = self.phases.to(x).expand(len(x), -1)
        for j, frequency in enumerate(self.frequencies.to(x)):
            angle = angle + unit[:, j : j + 1] * frequency
        return (torch.cos(angle).sum(dim=-1) - self.mean) / self.sd


@dataclass(frozen=True, eq=False)
class Scales:
    """The distribution of a base over its box, and the smooth functions that are set beside it.

    `knots` are quantiles of its values from the optimum to the greatest one seen, `scores` the
    standard normal quantiles that belong to them. `waves` are for the early value, the decay rate
    and the seconds; `overlap` is the correlation of the first with the scores.
    """

    knots: Tensor
    scores: Tensor
    waves: tuple[Waves, ...]
    overlap: float = 0.0

    @staticmethod
    def of(f: jt.Float64[Tensor, " n"], optimum: float, waves: tuple[Waves, ...]) -> "Scales":
        """Take the quantiles of a sample of values."""
        levels = (torch.arange(_KNOTS, dtype=f.dtype) + 0.5) / _KNOTS
        inner = torch.quantile(f, levels)
        knots = torch.cat([f.new_tensor([optimum]), inner, f.max()[None]])
        n = len(f)
        ends = torch.special.ndtri(f.new_tensor([0.5 / n, 1 - 0.5 / n]))
        scores = torch.cat([ends[:1], torch.special.ndtri(levels), ends[1:]])
        return Scales(knots, scores, waves)

    def score(self, f: jt.Float64[Tensor, " n"]) -> jt.Float64[Tensor, " n"]:
        """Map values increasingly to standard normal scores, along a line beyond the sample."""
        knots, scores = self.knots.to(f), self.scores.to(f)
        right = torch.searchsorted(knots, f).clamp(1, len(knots) - 1)
        left = right - 1
        slope = (scores[right] - scores[left]) / (knots[right] - knots[left])
        return scores[left] + slope * (f - knots[left])


def _name(problem: LearningCurves) -> str:
    """Return `curves` with the options that differ from the default ones."""
    options = [] if problem.function == Synthetic("branin") else [problem.function.name]
    for field in fields(LearningCurves):
        value = getattr(problem, field.name)
        if field.name not in ("base", "name") and value != field.default:
            options.append(f"{field.name}={float(value):g}")
    return f"curves({','.join(options)})" if options else "curves"


def _check(problem: LearningCurves) -> None:
    base = problem.base
    call = f"LearningCurves({base.name if isinstance(base, Analytic) else quoted(base)})"
    if not isinstance(base, Analytic):
        raise ProblemError(
            f"{call}: base must be a synthetic function, shifted or rotated or not, or its name; "
            "noise and steps are added around the curves"
        )
    if mistake := name_mistake(base.name):
        raise ProblemError(f"{call}: a base's name {mistake}")
    if base.optimum is None:
        raise ProblemError(f"{call}: base must have a known optimum, which sets the curves' scale")
    rules = {"max_epochs": whole(), "seed": seed, "name": instance(str, "a string")}
    rules |= {"agreement": number(least=0, most=1), "noise": number(least=0)}
    rules |= {"seconds": number("number of seconds", above=0)}
    Mistakes.of(problem, rules, call).refuse(ProblemError)
