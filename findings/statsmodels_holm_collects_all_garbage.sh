#!/usr/bin/env bash
# A Holm correction of three p-values takes longer the more other objects the process holds.
#
# statsmodels 0.15.0 on Python 3.11: `multipletests` runs a full garbage collection in each call, so
# that its time is that of walking through everything the program has. Expected: microseconds for three
# numbers, wherever they are corrected. Seen: more than a hundred times as long in a process that holds
# three million small lists, as a long analysis (or an import of a deep-learning library) does, and as
# fast as before where `gc.collect` is made to do nothing. In a loop over problems it is most of the time.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'statsmodels==0.15.0' 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
"$folder/env/bin/python" - <<'PY'
import gc
import time

from statsmodels.stats.multitest import multipletests


def seconds(calls=5):
    multipletests([0.01, 0.02, 0.03], method="holm")
    began = time.process_time()
    for _ in range(calls):
        multipletests([0.01, 0.02, 0.03], method="holm")
    return (time.process_time() - began) / calls


held = [[i] for i in range(3_000_000)]
with_objects = seconds()
collect, gc.collect = gc.collect, lambda *_: 0
without_collecting = seconds()
gc.collect = collect
ratio = with_objects / without_collecting
print(f"a call with {len(held):,} lists alive: {1e3 * with_objects:.2f} ms; "
      f"the same without its collection: {1e3 * without_collecting:.3f} ms; {ratio:.0f} times")
raise SystemExit(0 if ratio > 100 else "multipletests no longer collects garbage")
PY
