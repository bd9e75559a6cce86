#!/usr/bin/env bash
# The first optimizer of a process imports torch._dynamo, and with it some 800 modules: forked workers
# that inherit `import torch` each do it again, though nothing is compiled.
#
# torch 2.13.0 (CPU). Expected: SGD over one parameter, in eager mode, costs nothing after
# `import torch`, so that a parent that imported torch before it forks spares its workers the imports.
# Seen: the constructor of torch.optim.SGD loads torch._dynamo and more than 500 modules, about two
# seconds of processor time in every worker; where the parent has imported torch._dynamo, none.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'torch==2.13.0' 'numpy==2.4.6' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
for before in torch torch._dynamo; do
    "$folder/env/bin/python" - "$before" <<'PY'
import importlib
import os
import sys
import time

before = sys.argv[1]
importlib.import_module(before)
import torch

reader, writer = os.pipe()
if os.fork() == 0:
    loaded, began = len(sys.modules), time.process_time()
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    found = f"{len(sys.modules) - loaded} {time.process_time() - began:.2f} {'torch._dynamo' in sys.modules}"
    os.write(writer, found.encode())
    os._exit(0)
os.wait()
modules, seconds, is_there = os.read(reader, 100).decode().split()
print(f"parent imported {before}: the worker's first SGD loaded {modules} modules in {seconds} s")
assert is_there == "True"
assert (int(modules) > 500) == (before == "torch"), modules
PY
done
