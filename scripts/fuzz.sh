#!/bin/sh
# Feeds every reader of foreign input with libFuzzer, coverage-guided, for FUZZ_SECONDS each (120), or those named as
# arguments: fuzz.sh mp4 config. Ends with an error if one panics, takes more than 10 s or more than 2 GB.
#
# cargo-fuzz asks for a nightly compiler. All that is needed of it is the pass that counts coverage, which the stable
# compiler has and lets crates use under RUSTC_BOOTSTRAP. Without a sanitizer, a read out of bounds in a library that
# is not checked by Rust may go unseen.
set -eu
cd "$(dirname "$0")/.."
SECONDS_EACH=${FUZZ_SECONDS:-120}
TARGET=$(rustc -vV | sed -n 's/^host: //p')
NEW=.setup/fuzz

if ! command -v c++ >/dev/null 2>&1; then
    echo 'fuzz: a C++ compiler is missing, libFuzzer is written in it; on Debian: apt-get install g++' >&2
    exit 1
fi
# The same versions as the program's; what libFuzzer needs is added to the copy.
cp Cargo.lock fuzz/Cargo.lock
coverage='-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares'
RUSTC_BOOTSTRAP=1 RUSTFLAGS="--cfg fuzzing $(echo $coverage)" \
    cargo build --manifest-path fuzz/Cargo.toml --release --target "$TARGET"

if [ $# -eq 0 ]; then
    set -- $(sed -n 's/^name = "\([a-z0-9_]*\)"$/\1/p' fuzz/Cargo.toml)
fi
failed=''
for name in "$@"; do
    mkdir -p "$NEW/$name" "$NEW/found"
    log=$NEW/$name.log
    # New inputs go to the first folder; the committed ones are read and stay as they are.
    if "fuzz/target/$TARGET/release/$name" "$NEW/$name" "fuzz/corpus/$name" -max_total_time="$SECONDS_EACH" \
        -timeout=10 -rss_limit_mb=2048 -max_len=65536 -artifact_prefix="$NEW/found/$name-" >"$log" 2>&1; then
        runs=$(sed -n 's/^Done \([0-9]*\) runs.*/\1/p' "$log")
        edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
        printf '%-12s %10s inputs, %6s edges, nothing found\n' "$name" "$runs" "$edges"
    else
        printf '%-12s FAILED, see %s\n' "$name" "$log"
        grep -E 'panicked|ERROR|SUMMARY|Test unit written' "$log" || tail -n 5 "$log"
        failed="$failed $name"
    fi
done
[ -z "$failed" ] || { echo "fuzz: inputs that break$failed are in $NEW/found" >&2; exit 1; }
