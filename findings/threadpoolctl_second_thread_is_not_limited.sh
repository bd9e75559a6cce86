#!/usr/bin/env bash
# Two studies tuned in two threads, each inside `with threadpool_limits(limits=...)`: the limit of the
# thread that comes second does nothing, and nothing says so.
#
# threadpoolctl 3.8.0 with the OpenBLAS of numpy 2.4.6 (pthreads): while one thread is inside
# `threadpool_limits(limits=2)`, another that enters `threadpool_limits(limits=1)` computes with 2
# threads. There is no error, no warning, and `threadpool_limits` returns as ever. Expected, and seen
# with threadpoolctl 3.6.0: the count is a matter of the process, and who sets last sets it: 1.
# Code that counted on one thread for bits that repeat has two after the upgrade.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
seen() {
    python3 -m venv "$folder/$1"
    "$folder/$1/bin/pip" install --quiet "threadpoolctl==$1" 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
    env -u OPENBLAS_NUM_THREADS -u OMP_NUM_THREADS "$folder/$1/bin/python" - <<'PY'
import threading
import warnings

import numpy
import threadpoolctl

warnings.simplefilter("error")
inside = []


def blas():
    pools = threadpoolctl.threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["internal_api"] == "openblas"]


def second():
    with threadpoolctl.threadpool_limits(limits=1):
        inside.extend(blas())


with threadpoolctl.threadpool_limits(limits=2):
    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
print("threadpoolctl", threadpoolctl.__version__, "numpy", numpy.__version__, "threads:", inside)
PY
}
old=$(seen 3.6.0)
new=$(seen 3.8.0)
printf '%s\n%s\n' "$old" "$new"
[[ "$old" == *"threads: [1]" && "$new" == *"threads: [2]" ]] || { echo "threadpoolctl no longer does this"; exit 1; }
echo "seen: a limit of 1 that a second thread asks for leaves 2 threads"
