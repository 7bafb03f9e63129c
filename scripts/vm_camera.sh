#!/bin/sh
# Tests USB capture against a real camera driver of the kernel, on a machine that has no camera: boots Debian's
# stock kernel under qemu (without KVM) with the virtual camera `vivid`, runs the program against /dev/video0, stalls
# the camera for 5 s, unplugs it, plugs it in again, and judges what the program said meanwhile. `make camera-vm` runs
# it, after `setup.sh test` has brought qemu and the kernel. It takes about a minute.
#
# Exit code 0: all of it holds, or it could not be tried here, which is then said loudly; 1: it does not hold.
# PROGRAM=... tries another binary than target/debug/gridpatrol. The console's text stays in .setup/camera-vm/console.
set -eu
cd "$(dirname "$0")/.."
umask 022

KERNEL=.setup/camera-vm/kernel
CONSOLE=.setup/camera-vm/console
PROGRAM=${PROGRAM:-target/debug/gridpatrol}
# Seconds until the machine is given up.
PATIENCE=${PATIENCE:-170}

tmp=''
clean() { if [ -n "$tmp" ]; then rm -rf "$tmp"; fi; }
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { printf 'camera-vm: %s\n' "$*"; }
die() {
    printf 'camera-vm: %s\n' "$*" >&2
    exit 1
}
skip() {
    printf '\n****\n**** SKIPPED: USB capture was NOT tested against a camera driver: %s.\n****\n\n' "$*" >&2
    exit 0
}

PATH=$PATH:/usr/sbin:/sbin
[ "$(uname -s)-$(uname -m)" = Linux-x86_64 ] || skip 'that is set up for x86-64 Linux'
for tool in qemu-system-x86_64 busybox cpio depmod modprobe cc; do
    command -v "$tool" >/dev/null 2>&1 || skip "$tool is not installed and could not be (scripts/setup.sh test)"
done
vmlinuz=$(find "$KERNEL/boot" -name 'vmlinuz-*' 2>/dev/null | head -n 1)
[ -n "$vmlinuz" ] || skip 'the kernel could not be fetched (scripts/setup.sh test)'
[ -x "$PROGRAM" ] || die "there is no $PROGRAM; run: cargo build"
version=${vmlinuz##*/vmlinuz-}

tmp=$(mktemp -d)
root=$tmp/root
mkdir -p "$root/bin" "$root/proc" "$root/sys" "$root/dev" "$root/tmp" "$root/modules" "$root/model"

depmod -b "$KERNEL" "$version" 2>/dev/null
modprobe -d "$KERNEL" -S "$version" --show-depends vivid | awk '$1 == "insmod" { print $2 }' >"$tmp/modules"
[ -s "$tmp/modules" ] || die "the kernel $version has no vivid"
while read -r module; do
    name=$(basename "$module" .xz)
    case $module in
        *.xz) xz -dc "$module" >"$root/modules/$name" ;;
        *) cp "$module" "$root/modules/$name" ;;
    esac
    echo "$name" >>"$root/modules/order"
done <"$tmp/modules"

cp "$(command -v busybox)" "$root/bin/busybox"
cp tests/vm/init "$root/init"
cp tests/vm/edge.toml "$root/edge.toml"
cp models/nanodet-g-416/model.toml "$root/model/"
cc -O1 -o "$root/bin/vivid_control" tests/vm/vivid_control.c
cp "$PROGRAM" "$root/bin/gridpatrol"
strip "$root/bin/gridpatrol"
for binary in "$root/bin/gridpatrol" "$root/bin/vivid_control"; do
    ldd "$binary" | grep -o '/[^ ]*' | sort -u | while read -r library; do
        mkdir -p "$root$(dirname "$library")"
        cp -L "$library" "$root$library"
    done
done
# Time zones: the configuration's default one is looked up.
if [ -e /usr/share/zoneinfo/Asia/Shanghai ]; then
    mkdir -p "$root/usr/share/zoneinfo/Asia"
    cp -L /usr/share/zoneinfo/Asia/Shanghai "$root/usr/share/zoneinfo/Asia/"
fi
(cd "$root" && find . | cpio -o -H newc --quiet | gzip -1) >"$tmp/initrd"

say "booting Linux $version with a virtual camera"
mkdir -p "$(dirname "$CONSOLE")"
timeout "$PATIENCE" qemu-system-x86_64 -accel tcg -cpu max -smp 2 -m 1024 -nodefaults -nographic -no-reboot \
    -serial stdio -kernel "$vmlinuz" -initrd "$tmp/initrd" \
    -append 'console=ttyS0 quiet panic=-1 mitigations=off' </dev/null >"$CONSOLE" 2>&1 || true

python3 - "$CONSOLE" <<'PY'
import json, re, sys

console = open(sys.argv[1], errors="replace").read().replace("\r", "")
steps = {name: float(at) for name, at in re.findall(r"^STEP (\w+) at ([\d.]+)$", console, re.M)}
after = lambda tag: [line[len(tag) + 1:] for line in console.split("\n") if line.startswith(tag + " ")]
watch = [json.loads(line) for line in after("WATCH")]
faults = ["the machine waited in vain for " + what for what in after("NEVER")]


def must(holds, what):
    if not holds:
        faults.append(what)


must(re.search(r"^END well at", console, re.M), "the machine did not come to the end of its steps")
cameras = json.loads((after("CAMERAS") or ["[]"])[0])
must(len(cameras) == 1 and cameras[0]["device"] == "/dev/video0", "`cameras` does not list the camera: %s" % cameras)
formats = {mode["format"] for camera in cameras for mode in camera["modes"]}
must({"yuyv", "nv12"} <= formats, "`cameras` does not list YUYV and NV12 modes: %s" % formats)

# Capture: before the stall, after it, after the camera was plugged in again. A second of the watcher lies in one of
# these if it had the connection that belongs there.
frames = lambda n: sum(line["frames"] for line in watch if line["link"]["connections"] == n and line["link"]["phase"] == "live")
for connection, when in [(1, "before the stall"), (2, "after the stall"), (3, "after the replug")]:
    must(frames(connection) >= 3, "too few pictures %s: %d" % (when, frames(connection)))
must(all(line["link"]["size"] in (None, [640, 480]) for line in watch), "a picture has another size than asked for")
reasons = [line["link"]["reason"] or "" for line in watch]
must(any("no picture in time" in reason for reason in reasons), "the stall was not noticed")
lost = [line for line in watch if line["link"]["phase"] == "lost"]
must(any(line["link"]["connections"] == 1 for line in lost), "the stalled camera was not called lost")
must(any(line["link"]["connections"] == 2 for line in lost), "the unplugged camera was not called lost")
must(after("EXIT")[:1] == ["0"], "the watcher did not stop cleanly: %s" % after("EXIT"))
must(after("LEFT")[:1] == ["0"], "a capture process outlived the program")
nv12 = [json.loads(line) for line in after("NV12") if line.startswith("{")]
must(sum(line["frames"] for line in nv12) >= 3, "too few NV12 pictures: %s" % after("NV12"))
must(all(line["link"]["size"] in (None, [640, 360]) for line in nv12), "an NV12 picture has another size than asked for")

if faults:
    print(console[-6000:])
    sys.exit("camera-vm: " + "\ncamera-vm: ".join(faults) + "\ncamera-vm: the console is in " + sys.argv[1])
print("camera-vm: %d pictures before a stall of 5 s, %d after it, %d after the camera was unplugged and back; machine up for %s s"
      % (frames(1), frames(2), frames(3), re.search(r"^END well at ([\d.]+)", console, re.M).group(1)))
PY
