#!/bin/sh
# Installs each package of the rivals into an environment of its own: environments.sh FOLDER
#
# Pinned, since they conflict with one another. Syne Tune's conformal searcher needs huggingface_hub,
# which it does not require.
set -eu
folder=${1:?"expected the folder for the environments"}
made() {
    name=$1
    shift
    python3 -m venv "$folder/$name"
    "$folder/$name/bin/python" -m pip install --quiet "$@"
}
made syne-tune syne-tune==0.16.0 huggingface_hub
made dehb DEHB==0.1.2
made smac smac==2.4.1
made neps neural-pipeline-search==0.17.0
