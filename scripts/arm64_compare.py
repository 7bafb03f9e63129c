#!/usr/bin/env python3
"""Compares what `gridpatrol detect PICTURE --json` says on two machines: arm64_compare.py NATIVE OTHER THRESHOLD.

NATIVE and OTHER are files that hold that output for the same picture, THRESHOLD is the model's score threshold.
Boxes are fractions of the picture, 0-1. A box is paired with the unpaired box of the same label that it overlaps
best; a pair must overlap by half or more to be the same thing. Prints how many boxes were paired and the largest
differences. Exit code 0: the same; 1: a label, a coordinate or a score is out of bounds; 2: wrong usage.
"""
import json
import sys

# What may differ. The runtimes of two CPUs add the same numbers up in another order, and the model's INT8 steps
# turn that into a step more or less of the output.
BOX_BOUND = 0.01
SCORE_BOUND = 0.02
SAME_THING_IOU = 0.5


def iou(a, b):
    """Intersection over union of two boxes [left, top, right, bottom]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def pair(native, other):
    """Pairs boxes, those that overlap best first. Returns (pairs, only in native, only in other)."""
    overlaps = [
        (iou(a["box"], b["box"]), i, j)
        for i, a in enumerate(native)
        for j, b in enumerate(other)
        if a["label"] == b["label"]
    ]
    pairs, left, right = [], set(range(len(native))), set(range(len(other)))
    for overlap, i, j in sorted(overlaps, reverse=True):
        if overlap >= SAME_THING_IOU and i in left and j in right:
            pairs.append((native[i], other[j]))
            left.remove(i)
            right.remove(j)
    return pairs, [native[i] for i in sorted(left)], [other[j] for j in sorted(right)]


def compare(native, other, threshold):
    """Prints what was compared. Returns what is out of bounds, a line each."""
    pairs, only_native, only_other = pair(native, other)
    faults = []
    if not pairs:
        faults.append("no box is on both sides: nothing was compared")
    worst_box = worst_score = 0.0
    for a, b in pairs:
        box = max(abs(p - q) for p, q in zip(a["box"], b["box"], strict=True))
        score = abs(a["score"] - b["score"])
        worst_box, worst_score = max(worst_box, box), max(worst_score, score)
        if not box <= BOX_BOUND:
            faults.append(f"{a['label']} {a['score']:.3f}: a coordinate differs by {box:.6f}")
        if not score <= SCORE_BOUND:
            faults.append(f"{a['label']} {a['score']:.3f}: the score differs by {score:.6f}")
    print(
        f"  {len(pairs)} boxes on both sides; largest difference: {worst_box:.6f} in a coordinate "
        f"(at most {BOX_BOUND}), {worst_score:.6f} in a score (at most {SCORE_BOUND})"
    )
    for side, boxes in (("x86-64", only_native), ("arm64", only_other)):
        for box in boxes:
            what = f"{box['label']} {box['score']:.4f} is on the {side} side only"
            if box["score"] <= threshold + SCORE_BOUND:
                print(f"  {what}: within {SCORE_BOUND} of the threshold {threshold}, let pass")
            else:
                faults.append(what)
    return faults


def main():
    if len(sys.argv) != 4:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        with open(sys.argv[1]) as native, open(sys.argv[2]) as other:
            pictures = json.load(native), json.load(other)
        lists = [picture["detections"] for picture in pictures]
        threshold = float(sys.argv[3])
    except (OSError, ValueError, KeyError) as error:
        print(f"arm64_compare: not the output of one `detect --json` each: {error!r}", file=sys.stderr)
        return 2
    faults = compare(*lists, threshold)
    for fault in faults:
        print(f"arm64_compare: {fault}", file=sys.stderr)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
