#!/usr/bin/env bash
# Points that are pending change nothing in a proximal acquisition function, which accepts them.
#
# botorch 0.18.1. `ProximalAcquisitionFunction.__init__` refuses a base function that has pending
# points ("requires `X_pending` to be None"). Expected of `set_X_pending` afterwards: it is refused too,
# or its points are pending, as in the base function. Seen: it is accepted, `X_pending` holds the
# points, and every value stays what it was, to the bit; so a loop that tells an acquisition function
# what is running proposes what is running. Of the base function, log improvement, all values change.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'botorch==0.18.1' 'gpytorch==1.15.2' 'torch==2.13.0' 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
"$folder/env/bin/python" - <<'PY'
import botorch
import torch
from botorch.acquisition import ProximalAcquisitionFunction, qLogExpectedImprovement
from botorch.models import SingleTaskGP

torch.manual_seed(0)
X = torch.rand(8, 2, dtype=torch.float64)
Y = torch.sin(5 * X[:, :1]) + X[:, 1:]
model = SingleTaskGP(X, Y).eval()
asked = torch.rand(5, 1, 2, dtype=torch.float64)


def changed(function):
    """How many of five values change when those five points are pending."""
    with torch.no_grad():
        before = function(asked)
        function.set_X_pending(asked[:, 0])
        return int((function(asked) != before).sum()), len(function.X_pending)


def improvement():
    return qLogExpectedImprovement(model, Y.max())


weights = torch.ones(2, dtype=torch.float64)
seen = changed(improvement()), changed(ProximalAcquisitionFunction(improvement(), weights, beta=1.0))
for name, (values, points) in zip(("log improvement", "proximal"), seen):
    print(f"botorch {botorch.__version__}, {name}: {points} points are pending, {values} of 5 values change")
assert seen == ((5, 5), (0, 5)), "botorch no longer does this"
PY
echo "seen: set_X_pending of a proximal acquisition function is accepted and does nothing"
