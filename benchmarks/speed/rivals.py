"""What others do with the same cases: BoTorch, Optuna's GP sampler, Ax and egobox."""

import logging
import math
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from botorch.acquisition.logei import qLogExpectedImprovement
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.optim import optimize_acqf
from botorch.sampling import SobolQMCNormalSampler
from gpytorch.constraints import GreaterThan
from gpytorch.kernels import MaternKernel
from gpytorch.likelihoods import GaussianLikelihood
from gpytorch.mlls import ExactMarginalLogLikelihood
from gpytorch.priors import LogNormalPrior
from torch import Tensor

from benchmarks.speed.cases import LIKE, Case, losses, points
from hpo_research.gp import KERNELS, Data, Priors, evidence
from hpo_research.rng import Stream

KERNEL = KERNELS["matern52"]


@dataclass(frozen=True)
class Effort:
    """How thoroughly BoTorch looks: `optimize_acqf`'s restarts and raw samples, and qLogEI's."""

    restarts: int = 16
    raw: int = 256
    samples: int = 128


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what rivals say of data that are not standardised, and of every trial."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def botorch_model(x: Tensor, y: Tensor) -> SingleTaskGP:
    """Return BoTorch's model with our kernel, priors and bounds. Shapes: (b) n d and (b) n."""
    priors, batch, d = Priors(), x.shape[:-2], x.shape[-1]
    scale = LogNormalPrior(priors.location(d), priors.lengthscale_scale)
    noise = LogNormalPrior(priors.noise_location, priors.noise_scale)
    floor, least = priors.lengthscale_bounds[0], priors.noise_bounds[0]
    kernel = MaternKernel(
        nu=2.5,
        ard_num_dims=d,
        batch_shape=batch,
        lengthscale_prior=scale,
        lengthscale_constraint=GreaterThan(floor, transform=None, initial_value=scale.mode),
    )
    likelihood = GaussianLikelihood(
        noise_prior=noise,
        batch_shape=batch,
        noise_constraint=GreaterThan(least, transform=None, initial_value=noise.mode),
    )
    return SingleTaskGP(
        x, y[..., None], likelihood=likelihood, covar_module=kernel, outcome_transform=None
    )


def botorch_fit(x: Tensor, y: Tensor) -> SingleTaskGP:
    """Fit it by `fit_gpytorch_mll`; a batch of data sets as one batched model."""
    with quiet():
        model = botorch_model(x, y)
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    return model


def evidence_of(models: list[SingleTaskGP], data: Data) -> Tensor:
    """Return the evidence that fitted models reached, priors included, by our own measure."""
    b, d = data.x.shape[0], data.x.shape[-1]
    scales = [model.covar_module.lengthscale.detach().reshape(-1, d) for model in models]
    noises = [model.likelihood.noise.detach().reshape(-1, 1) for model in models]
    means = [model.mean_module.constant.detach().reshape(-1, 1) for model in models]
    theta = torch.cat([torch.cat(scales).log(), torch.cat(noises).log(), torch.cat(means)], dim=1)
    assert theta.shape[0] == b
    return evidence(theta, data, KERNEL, Priors())[0]


def botorch_ask(
    x: Tensor, loss: Tensor, q: int, *, effort: Effort, sequential: bool = False
) -> Tensor:
    """Fit SingleTaskGP at its defaults and choose q points by qLogEI. Shapes: n d and n to q d."""
    with quiet():
        model = SingleTaskGP(x, -loss[:, None])
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        sampler = SobolQMCNormalSampler(torch.Size([effort.samples]))
        acquisition = qLogExpectedImprovement(model, best_f=(-loss).max(), sampler=sampler)
        chosen, _ = optimize_acqf(
            acquisition,
            bounds=torch.stack([torch.zeros_like(x[0]), torch.ones_like(x[0])]),
            q=q,
            num_restarts=effort.restarts,
            raw_samples=effort.raw,
            sequential=sequential,
        )
    return chosen.detach()


def botorch_study(seed: int, evaluations: int, initial: int, *, q: int, effort: Effort) -> float:
    """Run a whole search on Hartmann6: points at random, then asks. Return the best value."""
    x = Stream(seed).at("botorch").uniform(initial, 6, like=LIKE)
    while len(x) < evaluations:
        places = min(q, evaluations - len(x))
        x = torch.cat([x, botorch_ask(x, losses(x), places, effort=effort)])
    return float(losses(x).min())


def optuna_ask(case: Case, run: int = 0) -> Callable[[], object]:
    """Tell Optuna the trials of a run, and return the call that asks for q more."""
    import optuna

    names = {f"x{j}": optuna.distributions.FloatDistribution(0.0, 1.0) for j in range(case.d)}
    with quiet():
        study = optuna.create_study(sampler=optuna.samplers.GPSampler(seed=0))
        x = points(run, case.n, case.d)
        for row, loss in zip(x.tolist(), losses(x).tolist(), strict=True):
            config = dict(zip(names, row, strict=True))
            study.add_trial(
                optuna.trial.create_trial(params=config, distributions=names, value=loss)
            )

    def ask() -> list[float]:
        with quiet():
            asked = [study.ask(names).params for _ in range(case.q)]
        return _finite([value for config in asked for value in config.values()], case)

    return ask


def ax_ask(case: Case, run: int = 0) -> Callable[[], object]:
    """Tell Ax the trials of a run, and return the call that asks for q more.

    Ax begins with a Sobol point whatever it was told: it is the last of the n trials, so that all
    that is timed comes from its model.
    """
    with quiet():
        from ax.api.client import Client
        from ax.api.configs import RangeParameterConfig

        client = Client(random_seed=0)
        client.configure_experiment(
            [
                RangeParameterConfig(name=f"x{j}", bounds=(0.0, 1.0), parameter_type="float")
                for j in range(case.d)
            ]
        )
        client.configure_optimization(objective="-loss")
        x = points(run, case.n, case.d)[1:]
        for row, loss in zip(x.tolist(), losses(x).tolist(), strict=True):
            trial = client.attach_trial({f"x{j}": value for j, value in enumerate(row)})
            client.complete_trial(trial, raw_data={"loss": loss})
        for trial, config in client.get_next_trials(max_trials=1).items():
            loss = losses(torch.tensor([list(config.values())], dtype=torch.float64))
            client.complete_trial(trial, raw_data={"loss": loss.item()})

    def ask() -> list[float]:
        with quiet():
            asked = client.get_next_trials(max_trials=case.q)
        return _finite([value for config in asked.values() for value in config.values()], case)

    return ask


def egobox_ask(case: Case, run: int = 0) -> Callable[[], object]:
    """Return the call that gives egobox the trials of a run, and asks for q more."""
    os.environ["RAYON_NUM_THREADS"] = "1"  # of its own threads, which start when first used
    import egobox

    x = points(run, case.n, case.d)
    known, values = x.numpy(), losses(x)[:, None].numpy()
    batch = egobox.QEiConfig(batch=case.q)
    optimiser = egobox.Egor([[0.0, 1.0]] * case.d, qei_config=batch, seed=0)

    def ask() -> list[float]:
        return _finite(optimiser.suggest(known, values).ravel().tolist(), case)

    return ask


def _finite(values: list[float], case: Case) -> list[float]:
    if len(values) != case.q * case.d or not all(math.isfinite(value) for value in values):
        raise RuntimeError(f"a rival's ask ({case}) gave {values}")
    return values
