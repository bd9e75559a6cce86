#!/usr/bin/env bash
# Two of BoTorch's exact GPs cannot fantasise once they are fitted as the documentation fits them.
#
# botorch 0.18.1. `fit_gpytorch_mll(ExactMarginalLogLikelihood(...))`, one prediction, then
# `model.fantasize(X, sampler)`, which knowledge gradient, max-value entropy with pending points and
# the integrated variance call. Expected, and seen with `SingleTaskGP`: a model of 4 fantasies. Seen
# with `OrthogonalAdditiveGP` and `RobustRelevancePursuitSingleTaskGP`, both subclasses of it:
# "RuntimeError: Only Tensors created explicitly by the user (graph leaves) support the deepcopy
# protocol": a kernel or a likelihood keeps a tensor of its last evaluation with its graph, and
# fantasies copy the model.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'botorch==0.18.1' 'gpytorch==1.15.2' 'torch==2.13.0' 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
"$folder/env/bin/python" - <<'PY'
import botorch
import torch
from botorch.fit import fit_gpytorch_mll
from botorch.models import SingleTaskGP
from botorch.models.additive_gp import OrthogonalAdditiveGP
from botorch.models.robust_relevance_pursuit_model import RobustRelevancePursuitSingleTaskGP
from botorch.sampling.normal import SobolQMCNormalSampler
from gpytorch.mlls import ExactMarginalLogLikelihood

torch.manual_seed(0)
X = torch.rand(12, 2, dtype=torch.float64)
Y = torch.sin(5 * X[:, :1]) + X[:, 1:]


def fantasised(kind):
    """What comes of fantasies of a fitted model: their batch, or the error."""
    model = kind(X, Y)
    fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
    model.posterior(X[:1])
    try:
        return tuple(model.fantasize(X[:2], SobolQMCNormalSampler(torch.Size([4]), seed=0)).batch_shape)
    except RuntimeError as error:
        return str(error)[:46]


kinds = (SingleTaskGP, OrthogonalAdditiveGP, RobustRelevancePursuitSingleTaskGP)
seen = [fantasised(kind) for kind in kinds]
for kind, outcome in zip(kinds, seen):
    print(f"botorch {botorch.__version__}, {kind.__name__}: {outcome}")
refused = "Only Tensors created explicitly by the user (g"
assert seen == [(4,), refused, refused], "botorch no longer does this"
PY
echo "seen: OrthogonalAdditiveGP and RobustRelevancePursuitSingleTaskGP cannot fantasise once fitted"
