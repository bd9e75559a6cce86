#!/usr/bin/env bash
# What `pip install 'google-vizier[jax]'` installs cannot import Vizier's default designer.
#
# google-vizier 0.1.24 on Python 3.11 with jax 0.10.2: its extra holds equinox at 0.11.7 and leaves jax
# open, and that equinox reads `jax.core.Primitive`, which jax no longer has. Expected: the designer of
# the default algorithm, `VizierGPUCBPEBandit`, is imported. Seen: AttributeError, before any search.
# This script fails once that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/env"
"$folder/env/bin/pip" install --quiet 'google-vizier[jax]==0.1.24' 'jax==0.10.2' >"$folder/log" 2>&1 || { cat "$folder/log"; exit 2; }
if "$folder/env/bin/python" -c 'from vizier._src.algorithms.designers.gp_ucb_pe import VizierGPUCBPEBandit' 2>"$folder/log"; then
    echo "the designer is imported: mended"
    exit 1
fi
grep -q "module 'jax.core' has no attribute 'Primitive'" "$folder/log" || { cat "$folder/log"; exit 1; }
echo "seen: module 'jax.core' has no attribute 'Primitive'"
