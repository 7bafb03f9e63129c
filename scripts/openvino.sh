#!/bin/sh
# Brings an ONNX Runtime that has the OpenVINO execution provider, for Intel CPUs, into .setup/openvino. Opt-in:
# nothing else needs it. Then, in a configuration:
#
#   [model]
#   runtime = ".setup/openvino/libonnxruntime.so"
#   providers = ["openvino", "cpu"]
#
# The package is pinned by SHA-256 and lands in a temporary folder that is moved into place when it is complete;
# a second run does nothing. Python and pip only carry the files here.
set -eu
cd "$(dirname "$0")/.."
umask 022

VERSION=1.24.1
WHEEL=3007c803634cc69c6d52af1dea7ce729d9bb62b9a11070fd2f959119199007a8
OV=.setup/openvino
# Every library of the package but the Python module and the plugins for GPUs and NPUs.
KEPT='libonnxruntime.so libonnxruntime_providers_openvino.so libonnxruntime_providers_shared.so libopenvino.so.2541 libopenvino_onnx_frontend.so.2541 libopenvino_intel_cpu_plugin.so libtbb.so.12 libtbbmalloc.so'

tmp=''
clean() { if [ -n "$tmp" ]; then rm -rf "$tmp"; fi; }
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { printf 'openvino: %s\n' "$*"; }
die() {
    printf 'openvino: %s\n' "$*" >&2
    exit 1
}

# SHA256SUMS is written last, from the files of the pinned package; a file that is missing or changed shows here.
ready() { [ -f "$OV/SHA256SUMS" ] && (cd "$OV" && sha256sum -c --status SHA256SUMS 2>/dev/null); }

[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || die 'OpenVINO is for Linux on x86-64 here; leave model.providers at "cpu"'
if ready; then
    say "ready: ONNX Runtime $VERSION with OpenVINO in $OV"
    exit 0
fi
python3 -c 'import pip' 2>/dev/null || die 'pip is missing; run: sudo apt-get install python3-pip'
say "fetching ONNX Runtime $VERSION with OpenVINO (84 MB)"
mkdir -p .setup
tmp=$(mktemp -d .setup/tmp.XXXXXX)
printf 'onnxruntime-openvino==%s --hash=sha256:%s\n' "$VERSION" "$WHEEL" >"$tmp/requirements.txt"
# The Python version only chooses the file: the libraries inside are the same ones for all of them.
if ! python3 -m pip download -q --no-cache-dir --retries 2 --timeout 30 --no-deps --require-hashes --only-binary :all: \
    --implementation cp --python-version 3.11 --abi cp311 --platform manylinux_2_28_x86_64 \
    -d "$tmp" -r "$tmp/requirements.txt" >"$tmp/log" 2>&1 </dev/null; then
    if grep -qi 'do not match the hashes' "$tmp/log"; then
        die "the package that the index offers is not the pinned one (wrong SHA-256); nothing was kept. Try another network or index"
    fi
    grep -v '^$' "$tmp/log" | tail -n 3 >&2
    die 'could not fetch it with pip; is the network up? Then run this again'
fi
mkdir "$tmp/new"
python3 - "$tmp" "$VERSION" $KEPT <<'PY' || die 'the package could not be unpacked; is the disk full? Run this again'
import glob, shutil, sys, zipfile

tmp, version, *kept = sys.argv[1:]
with zipfile.ZipFile(glob.glob(tmp + "/*.whl")[0]) as wheel:
    files = [("capi/" + name, name) for name in kept if name != "libonnxruntime.so"]
    files += [("capi/libonnxruntime.so." + version, "libonnxruntime.so")]
    files += [("LICENSE", "LICENSE"), ("ThirdPartyNotices.txt", "ThirdPartyNotices.txt")]
    for inside, name in files:
        with wheel.open("onnxruntime/" + inside) as source, open(tmp + "/new/" + name, "wb") as target:
            shutil.copyfileobj(source, target)
PY
(cd "$tmp/new" && sha256sum -- * >../SHA256SUMS)
mv "$tmp/SHA256SUMS" "$tmp/new/"
rm -rf "$OV"
mv "$tmp/new" "$OV"
say "ready: ONNX Runtime $VERSION with OpenVINO in $OV"
