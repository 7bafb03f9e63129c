"""gridpatrol against the Python pipeline: the same frames, model, threads and thresholds, in turns.

Prints frames for each second of processor time, their ratio, the same without the network (which is the same
library in both), and how well the boxes agree. Run by `make bench`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent


def iou(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    shared = w * h if w > 0 and h > 0 else 0.0
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])
    return shared / (area(a) + area(b) - shared) if shared else 0.0


def agreement(ours, theirs):
    """F1 at IoU 0.7 of one pipeline's boxes against the other's, label for label, and the number of boxes."""
    pairs = total = 0
    for mine, other in zip(ours, theirs, strict=True):
        free = list(other["detections"])
        total += len(mine["detections"]) + len(free)
        for d in mine["detections"]:
            same = [o for o in free if o["label"] == d["label"] and iou(o["box"], d["box"]) >= 0.7]
            if same:
                free.remove(max(same, key=lambda o: iou(o["box"], d["box"])))
                pairs += 1
    return (2 * pairs / total if total else 1.0), total


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", default="target/release/gridpatrol")
    parser.add_argument("--model", default="models/nanodet-g-416")
    parser.add_argument("--input", default="tests/media/vtest.mp4")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        frames, rust_boxes, python_boxes = (Path(folder) / name for name in ("frames", "rust", "python"))
        common = ["--model", args.model, "--threads", str(args.threads), "--seconds", str(args.seconds)]
        rust = [args.program, "bench", *common, "--input", args.input, "--json",
                "--dump-frames", str(frames), "--dump-detections", str(rust_boxes)]
        python = [sys.executable, str(HERE / "pipeline.py"), *common,
                  "--frames", str(frames), "--detections", str(python_boxes)]
        rounds = []
        for n in range(args.rounds):
            print(f"round {n + 1} of {args.rounds}", file=sys.stderr)
            ours = json.loads(subprocess.run(rust, check=True, stdout=subprocess.PIPE).stdout)["models"][0]
            theirs = json.loads(subprocess.run(python, check=True, stdout=subprocess.PIPE).stdout)
            rounds.append((ours, theirs))
        boxes = [[json.loads(line) for line in path.read_text().splitlines()] for path in (rust_boxes, python_boxes)]
    median = lambda of: statistics.median(of(ours, theirs) for ours, theirs in rounds)
    around = lambda whole, network: 1 / whole - 1 / network
    f1, count = agreement(*boxes)
    print(f"{args.model}, {args.threads} thread(s), 1920x1080 I420 to tracked detections, median of {args.rounds} rounds")
    print(f"  gridpatrol   {median(lambda o, t: o['looks_per_cpu_s']):7.1f} frames/CPU-s,"
          f" network alone {median(lambda o, t: o['bare_per_cpu_s']):7.1f}")
    print(f"  Python       {median(lambda o, t: t['looks_per_cpu_s']):7.1f} frames/CPU-s,"
          f" network alone {median(lambda o, t: t['run_per_cpu_s']):7.1f}"
          f"  (onnxruntime {theirs['onnxruntime']}, OpenCV {theirs['opencv']})")
    print(f"  ratio        {median(lambda o, t: o['looks_per_cpu_s'] / t['looks_per_cpu_s']):7.2f}"
          "  whole loop")
    print(f"               {median(lambda o, t: o['bare_per_cpu_s'] / t['looks_per_cpu_s']):7.2f}"
          "  the most there could be: nothing around the network costs anything")
    outside = median(lambda o, t: around(t['looks_per_cpu_s'], t['run_per_cpu_s'])
                     / around(o['looks_per_cpu_s'], o['bare_per_cpu_s']))
    print(f"               {outside:7.1f}  what is around the network")
    print(f"  boxes agree: F1 {f1:.3f} at IoU 0.7 over {count} boxes of both")


if __name__ == "__main__":
    main()
