#!/usr/bin/env bash
# A thread of a tuner's pool whose first look at torch falls into somebody else's block of one thread
# computes on one thread for the rest of its life.
#
# torch 2.13.0 (CPU, OpenMP). `torch.set_num_threads` reads as a setting of the process. Seen: a thread
# takes the count that was set last, by any thread, at its own first call, and keeps it. The main
# thread limits itself to 1 and restores 2, as every "limit the threads here" block does; a worker
# thread that first asked in between says 1 for good, one that first asked before says 2 for good,
# and neither hears of later calls in other threads.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'torch==2.13.0' 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
env -u OMP_NUM_THREADS -u MKL_NUM_THREADS "$folder/env/bin/python" - <<'PY'
from concurrent.futures import ThreadPoolExecutor

import torch

with ThreadPoolExecutor(1) as early, ThreadPoolExecutor(1) as late:

    def counts():
        pools = (early, late)
        return [torch.get_num_threads(), *(pool.submit(torch.get_num_threads).result() for pool in pools)]

    torch.set_num_threads(2)
    early.submit(torch.get_num_threads).result()
    torch.set_num_threads(1)
    inside = counts()
    torch.set_num_threads(2)
    after = counts()
print(torch.__version__, "main, early, late: inside", inside, "after", after)
assert inside == [1, 2, 1] and after == [2, 2, 1], "torch no longer does this"
PY
echo "seen: a thread keeps the count that was set when it first asked"
