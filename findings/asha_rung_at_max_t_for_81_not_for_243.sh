#!/usr/bin/env bash
# The stopping ASHA of Syne Tune and of Ray Tune has a rung at max_t itself for some powers of the
# reduction factor and none for others, since the number of rungs is a quotient of two logarithms
# in floating point.
#
# syne-tune 0.16.0, ray 2.60.0; grace_period=1, reduction_factor=3. Expected: max_t = 9, 27, 81, 243
# are alike, all with a rung at max_t or all without. Seen in both packages: 9, 27 and 81 have one,
# 243 has none (log 243 / log 3 is 4.999999999999999, so one rung less is counted); of the first five
# powers of 10 as max_t with reduction_factor=10 it is 1000 that lacks it. A comparison whose budgets
# are powers of eta gets another number of rungs at some of them.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for package in 'syne-tune==0.16.0' 'ray[tune]==2.60.0'; do
    python3 -m venv --clear "$folder/env"
    "$folder/env/bin/pip" install --quiet "$package" >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
    "$folder/env/bin/python" - "$package" <<'PY'
import sys

def top(package, eta, most):
    """The highest rung of a scheduler whose trials run for at most so many epochs."""
    if package.startswith("syne"):
        from syne_tune.config_space import uniform
        from syne_tune.optimizer.schedulers.asha import AsynchronousSuccessiveHalving

        made = AsynchronousSuccessiveHalving(
            {"x": uniform(0, 1)}, "loss", time_attr="epoch", max_t=most, grace_period=1,
            reduction_factor=eta, brackets=1, random_seed=0,
        )
        return max(epochs for epochs, _ in made.brackets[0].rungs)
    from ray.tune.schedulers import AsyncHyperBandScheduler

    made = AsyncHyperBandScheduler(
        "epoch", "loss", "min", max_t=most, grace_period=1, reduction_factor=eta, brackets=1
    )
    return max(epochs for epochs, _ in made._brackets[0]._rungs)

package = sys.argv[1]
for eta, powers in ((3, range(2, 7)), (10, range(1, 6))):
    found = {eta**k: top(package, eta, eta**k) for k in powers}
    print(package, "eta", eta, "highest rung by max_t:", found)
    lacking = [most for most, rung in found.items() if rung != most]
    assert lacking == ([243] if eta == 3 else [1000]), lacking
PY
done
echo "seen: a rung at max_t for 81 epochs and none for 243"
