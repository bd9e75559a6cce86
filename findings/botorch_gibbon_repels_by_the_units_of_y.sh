#!/usr/bin/env bash
# A batch chosen by GIBBON depends on the units of the objective: in large ones its points coincide.
#
# botorch 0.18.1. `qLowerBoundMaxValueEntropy` keeps the points of a batch apart by a term that is the
# logarithm of a determinant of correlations (Moss et al. 2021), which has no units. Expected: the term
# is the same for Y, 100 Y and Y / 100. Seen, with `SingleTaskGP(X, Y)` as it is made by default (it
# standardises Y): the covariance with pending points is that of standardised values
# (`self.model(X)`), the variances beside it are in the units of Y (`self.model.posterior(X)`). At a
# pending point the term is -13.3 nats for Y, 0.0 for 100 Y (nothing keeps a batch apart) and -4.1 for
# Y / 100, where a point far away is repelled more than the pending one itself.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'botorch==0.18.1' 'gpytorch==1.15.2' 'torch==2.13.0' 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
"$folder/env/bin/python" - <<'PY'
import botorch
import torch
from botorch.acquisition.max_value_entropy_search import qLowerBoundMaxValueEntropy
from botorch.models import SingleTaskGP

torch.manual_seed(0)
X = torch.rand(8, 2, dtype=torch.float64)
Y = torch.sin(5 * X[:, :1]) + X[:, 1:]
candidates = torch.rand(200, 2, dtype=torch.float64)
pending = torch.tensor([[0.5, 0.5]], dtype=torch.float64)
asked = torch.tensor([[[0.5, 0.5]], [[0.9, 0.1]]], dtype=torch.float64)  # the pending point; far off


def repulsion(scale):
    """What a pending point adds to the values of two points, in nats, with Y in other units."""
    model = SingleTaskGP(X, scale * Y)
    model.covar_module.lengthscale = 0.4  # of all units the same model
    model.likelihood.noise = 1e-3
    model.eval()
    gibbon = qLowerBoundMaxValueEntropy(model, candidates)
    with torch.no_grad():
        alone = gibbon(asked)
        gibbon.set_X_pending(pending)
        return [round(float(nats), 1) + 0.0 for nats in gibbon(asked) - alone]


seen = {scale: repulsion(scale) for scale in (1.0, 100.0, 0.01)}
for scale, (there, far) in seen.items():
    print(f"botorch {botorch.__version__}, {scale:g} Y: {there} nats at the pending point, {far} far from it")
assert seen == {1.0: [-13.3, 0.0], 100.0: [0.0, 0.0], 0.01: [-4.1, -7.8]}, "botorch no longer does this"
PY
echo "seen: what keeps the points of a GIBBON batch apart vanishes when Y is multiplied by 100"
