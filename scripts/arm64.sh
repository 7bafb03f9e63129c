#!/bin/sh
# Builds the program for 64-bit ARM on an x86-64 Debian 12 and proves it there, as far as that can be done
# without the hardware. `make arm64` runs it; it needs the native release program, which that target builds.
#
# What it does
#   1. `setup.sh arm64` brings Debian's cross compilers, qemu and the pinned aarch64 ONNX Runtime.
#   2. Builds the release binary with Debian's own Rust, in target/arm64-build, so that the usual build stays warm.
#   3. Runs the unit tests of the detector's arithmetic (preprocess with its NEON path, heads, NMS) under qemu,
#      in the release profile: what is tested is what ships.
#   4. Runs `gridpatrol detect` on a photo under qemu, on two CPUs, with the aarch64 ONNX Runtime, and compares
#      with what the x86-64 program says on this machine (arm64_compare.py has the bounds).
# What it does not prove: speed (qemu's tells nothing about a board's), cameras, accelerators, and anything that
# qemu gets wrong. Run `make test` on the board for that.
#
# Why the machine's CPU description is hidden in step 4: under qemu-user a program sees /proc and /sys of the
# host, and ONNX Runtime, which looks there for what the CPU can do, crashes on that of another architecture. The
# program therefore runs in a mount namespace of its own in which they show one arm64 core. The mounts end with
# it, however it ends. That needs root, or user namespaces, or sudo without a password.
#
# JOBS=1 limits the compiler's processes. Exit code 0: all of it holds; 1: it does not, or could not be tried.
set -eu
cd "$(dirname "$0")/.."
umask 022

TARGET=aarch64-unknown-linux-gnu
BUILD=target/arm64-build
PROGRAM=$BUILD/$TARGET/release/gridpatrol
NATIVE=target/release/gridpatrol
RUNTIME=.setup/onnxruntime-aarch64/libonnxruntime.so
MODEL=models/nanodet-g-416
PHOTO=tests/data/people.jpg
# With dot product instructions, as on an RK3588 or an Orin; and without, as on a Raspberry Pi 4: ONNX Runtime has
# other INT8 kernels for each.
CPUS='neoverse-n1 cortex-a72'
# The test that holds the NEON path against the scalar one.
NEON_TEST=detect::preprocess::tests::the_fastest_kernel_gives_the_numbers_of_the_scalar_one_bit_for_bit
TESTS='detect::preprocess detect::heads detect::nms'
JOBS=${JOBS:-$(nproc)}

tmp=''
clean() { if [ -n "$tmp" ]; then rm -rf "$tmp"; fi; }
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { printf 'arm64: %s\n' "$*"; }
die() {
    printf 'arm64: %s\n' "$*" >&2
    exit 1
}

# Debian's cargo and rustc, whatever is first on the PATH. Flags meant for the host's CPU must not come along.
cross() {
    env -u RUSTFLAGS -u CARGO_ENCODED_RUSTFLAGS -u CARGO_BUILD_TARGET -u RUSTC_WRAPPER \
        RUSTC=/usr/bin/rustc CARGO_TARGET_DIR="$BUILD" CARGO_INCREMENTAL=0 \
        CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc \
        CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc AR_aarch64_unknown_linux_gnu=aarch64-linux-gnu-ar \
        BINDGEN_EXTRA_CLANG_ARGS_aarch64_unknown_linux_gnu=-I/usr/aarch64-linux-gnu/include \
        /usr/bin/cargo "$@" --release --locked -j "$JOBS" --target "$TARGET"
}

# hidden COMMAND...: runs it in a mount namespace that shows one arm64 core in place of this machine's CPU.
hidden() {
    # shellcheck disable=SC2016,SC2086 # the inner shell expands it; several words
    $namespace /bin/sh -euc '
        mount --bind "$1/cpu" /sys/devices/system/cpu
        mount --bind "$1/cpuinfo" /proc/cpuinfo
        shift
        exec "$@"' sh "$tmp" "$@"
}

describe_cpu() {
    mkdir -p "$tmp/cpu/cpu0"
    for file in possible present online; do echo 0 >"$tmp/cpu/$file"; done
    printf '%s\n' 'processor	: 0' 'BogoMIPS	: 50.00' 'Features	: fp asimd evtstrm aes pmull sha1 sha2 crc32' \
        'CPU implementer	: 0x41' 'CPU architecture: 8' 'CPU variant	: 0x0' 'CPU part	: 0xd08' 'CPU revision	: 3' \
        >"$tmp/cpuinfo"
    for namespace in 'unshare -m' 'unshare -r -m' 'sudo -n unshare -m'; do
        if hidden true 2>/dev/null; then return 0; fi
    done
    die 'could not hide the CPU description from qemu: that needs mounts of our own; run this as root, allow user namespaces, or give a container CAP_SYS_ADMIN'
}

seconds() { date +%s.%N; }
since() { awk -v from="$1" -v to="$(seconds)" 'BEGIN { printf "%.1f", to - from }'; }

build() {
    say "building the release program for $TARGET with $(/usr/bin/rustc --version | cut -d' ' -f1,2)"
    cross build --bin gridpatrol
    cp "$PROGRAM" "$tmp/stripped"
    aarch64-linux-gnu-strip "$tmp/stripped"
    glibc=$(aarch64-linux-gnu-objdump -T "$PROGRAM" | grep -o 'GLIBC_[0-9.]*' | sort -uV | tail -n 1)
    say "$PROGRAM: $(stat -c %s "$PROGRAM") bytes, $(stat -c %s "$tmp/stripped") without its line tables; needs ${glibc:-no glibc} or newer"
}

# The path of the test program is in cargo's messages; a filter that fits no test would pass, so they are counted.
unit_tests() {
    say 'building the unit tests'
    cross test --lib --no-run --message-format=json-render-diagnostics >"$tmp/messages"
    tests=$(python3 - "$tmp/messages" <<'PY'
import json, sys

for line in open(sys.argv[1]):
    message = json.loads(line) if line.startswith("{") else {}
    if message.get("executable") and message["profile"]["test"]:
        print(message["executable"])
PY
    )
    [ -x "$tests" ] || die 'cargo named no test program'
    for cpu in $CPUS; do
        start=$(seconds)
        # shellcheck disable=SC2086 # several names of tests
        if ! qemu-aarch64-static -cpu "$cpu" -L / "$tests" $TESTS >"$tmp/tests" 2>&1; then
            cat "$tmp/tests" >&2
            die "unit tests failed on an emulated $cpu"
        fi
        for name in $TESTS; do
            grep -q "^test $name::.* ok\$" "$tmp/tests" || die "no test of $name ran on an emulated $cpu"
        done
        grep -q "^test $NEON_TEST .* ok\$" "$tmp/tests" || die "the test $NEON_TEST did not run"
        say "$(grep -c '^test .* ok$' "$tmp/tests") unit tests pass on an emulated $cpu, NEON against scalar among them ($(since "$start") s)"
    done
}

detect() {
    threshold=$(python3 -c 'import sys, tomllib; print(tomllib.load(open(sys.argv[1], "rb"))["threshold"]["score"])' "$MODEL/model.toml")
    [ -x "$NATIVE" ] || die "$NATIVE is missing; run: make build"
    start=$(seconds)
    ORT_DYLIB_PATH=.setup/onnxruntime/libonnxruntime.so "$NATIVE" detect "$PHOTO" --model "$MODEL" --json >"$tmp/native"
    say "detect on $PHOTO: x86-64 takes $(since "$start") s"
    for cpu in $CPUS; do
        start=$(seconds)
        hidden env ORT_DYLIB_PATH="$RUNTIME" qemu-aarch64-static -cpu "$cpu" -L / \
            "$PROGRAM" detect "$PHOTO" --model "$MODEL" --json >"$tmp/arm64" ||
            die "detect failed on an emulated $cpu"
        say "detect on $PHOTO: an emulated $cpu takes $(since "$start") s"
        python3 scripts/arm64_compare.py "$tmp/native" "$tmp/arm64" "$threshold" ||
            die "an emulated $cpu does not see what x86-64 sees"
    done
}

scripts/setup.sh arm64
tmp=$(mktemp -d)
describe_cpu
build
unit_tests
detect
say 'the arm64 program sees what the x86-64 program sees; not proven here: speed, cameras and accelerators of a real board'
