#!/usr/bin/env bash
# Fitting a support-vector regressor draws from NumPy's global random stream, though nothing is random.
#
# scikit-learn 1.9.1: `SVR` has no `random_state`, and its solution does not depend on a seed. Expected:
# a fit leaves `numpy.random`'s global state alone, so that a search that draws its configurations there
# gets the same ones whatever model it trains in between. Seen: every fit of SVR, and of an SVC without
# probabilities, takes one draw; the model is the same for any seed, and what is drawn next is another.
# Setting the attribute `random_state` on the SVR, which its constructor refuses, ends that.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'scikit-learn==1.9.1' 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
"$folder/env/bin/python" - <<'PY'
import numpy as np
from sklearn.datasets import load_diabetes, load_wine
from sklearn.svm import SVC, SVR


def next_after(model, x, y, seed=0):
    """Return what the global stream gives after a fit, and the predictions."""
    np.random.seed(seed)
    model.fit(x, y)
    return np.random.random(), model.predict(x)


np.random.seed(0)
untouched = np.random.random()
moved = {}
for model, data in ((SVR(), load_diabetes), (SVC(), load_wine)):
    x, y = data(return_X_y=True)
    drawn, predicted = next_after(model, x, y)
    _, again = next_after(type(model)(), x, y, seed=1)
    moved[type(model).__name__] = drawn != untouched and np.array_equal(predicted, again)
try:
    SVR(random_state=0)
    refused = False
except TypeError:
    refused = True
own = SVR()
own.random_state = 0
still = next_after(own, *load_diabetes(return_X_y=True))[0] == untouched
print(f"the global stream moved, the model the same for two seeds: {moved}")
print(f"SVR(random_state=0) is refused: {refused}; with the attribute set, the stream stays: {still}")
raise SystemExit(0 if all(moved.values()) and refused and still else "a fit leaves the stream alone now")
PY
