#!/bin/sh
# Sets up the Python that `make bench` compares with, pinned by hash, in .setup/bench-python. Does nothing the
# second time; a set-up that was interrupted starts afresh.
set -eu
cd "$(dirname "$0")/.."
WANTED=benches/python/requirements.txt
HOME_OF=.setup/bench-python

if cmp -s "$WANTED" "$HOME_OF/requirements.txt" && "$HOME_OF/bin/python" -c 'import cv2, numpy, onnxruntime' 2>/dev/null; then
    exit 0
fi
if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "bench-python: the pinned packages are for x86-64 Linux, this is $(uname -s)-$(uname -m)" >&2
    exit 1
fi
if ! command -v python3.11 >/dev/null 2>&1; then
    echo 'bench-python: python3.11 is missing (the packages are pinned for it); on Debian 12: apt-get install python3 python3-venv' >&2
    exit 1
fi
echo 'bench-python: installing OpenCV, NumPy and onnxruntime (about 100 MB)'
rm -rf "$HOME_OF"
mkdir -p .setup
python3.11 -m venv "$HOME_OF"
"$HOME_OF/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$WANTED"
cp "$WANTED" "$HOME_OF/requirements.txt"
