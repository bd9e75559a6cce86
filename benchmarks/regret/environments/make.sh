#!/bin/sh
# Make the environment of a rival whose pins conflict with ours: make.sh hebo|smac FOLDER
#
# NAME.txt beside this script pins every package that is installed, and nothing else is:
# HEBO asks for GPy besides, which it imports for models that are not its default. Its torch is
# the build for CPUs, which pip finds with PIP_EXTRA_INDEX_URL set to PyTorch's index of those.
set -eu

name=$1
folder=$2
pins=$(dirname "$0")/$name.txt
python3.11 -m venv "$folder/$name"
"$folder/$name/bin/python" -m pip install --no-deps -r "$pins"
