#!/bin/sh
# Quantises NanoDet-g from its FP32 weights with `gridpatrol calibrate int8` and holds the result to what is promised:
# on the labelled frames of the clip AP50 loses at most 0.02, and the network runs at least 1.8 times as fast. Then sees
# that a model which loses more than a bound is not kept. FP32 weights come from models/rebuild/rebuild.sh (npm,
# python3-venv, opencv-doc) or from the folder that FP32 names.
set -eu
cd "$(dirname "$0")/.."
program=${GRIDPATROL:-target/release/gridpatrol}
work=.setup/calibrate-check
fail() {
    echo "calibrate-check: $1" >&2
    exit 1
}

fp32=${FP32:-$work/rebuilt/nanodet-g-416-fp32}
if [ ! -f "$fp32/model.toml" ]; then
    models/rebuild/rebuild.sh "$work/rebuilt"
    rm -rf "$work/rebuilt/scratch"
fi
rm -rf "$work/good" "$work/good-refused"
mkdir -p "$work"
clip='--from tests/media/vtest.mp4 --labels tests/data/vtest_person_labels.json'

# One processor, so that the two networks meet the same cache and neighbours.
pin=''
if command -v taskset >/dev/null; then pin='taskset -c 1'; fi
$pin "$program" calibrate int8 --model "$fp32" $clip --out "$work/good" --json >"$work/good.json" ||
    fail 'the quantised model was refused'
"$program" models verify "$work/good"
python3 - "$work/good.json" <<'PY' || fail 'the quantised model is not as good as promised'
import json, sys

judgement = json.load(open(sys.argv[1]))["judgement"]
ap, cost = judgement["average_precision"], judgement["cost"]
print(f"box F1 {judgement['f1']:.4f}")
print(f"AP50 {ap['mean']['reference']:.4f} to {ap['mean']['quantised']:.4f}: {ap['loss']:.4f} lost, at most 0.02")
print(f"{cost['reference_ms']:.2f} ms to {cost['quantised_ms']:.2f} ms: {cost['speed_up']:.2f} times, at least 1.8")
sys.exit(ap["loss"] > 0.02 or cost["speed_up"] < 1.8)
PY

# The same weights, fed pictures twenty times too dark, must be refused.
rm -rf "$work/dark"
cp -r "$work/good" "$work/dark"
sed -i 's/^scale = .*/scale = 0.05/' "$work/dark/model.toml"
code=0
"$program" calibrate int8 --model "$fp32" $clip --judge "$work/dark" >/dev/null || code=$?
[ "$code" = 1 ] || fail "a model that loses more than the bound: expected exit code 1, got $code"
echo 'calibrate-check: a model that loses too much is refused'
