#!/usr/bin/env python3
"""Makes the stored reference that tests/detect.rs compares the Rust path with.

Runs the committed model on the clip the way a Python program would: OpenCV decodes and letterboxes, Python
ONNX Runtime infers, a plain greedy suppression follows. Nothing here shares code with the program.

    python3 -m venv v && v/bin/pip install onnxruntime==1.32.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
    v/bin/python tests/data/make_reference.py          # run in the project's folder

Writes tests/data/vtest_reference.json:
  clip, model     sha256 of the files the figures are for
  frames          pictures in the clip
  ap50            person AP50 on the labelled frames, scores from 0.05
  at_0.45         [found, labelled, reported]: labelled persons that are found at the operating threshold
  raw             for a few frames, the best proposals as the network gives them, before suppression:
                  [proposal, class, score, x1, y1, x2, y2], box in pixels of the 416x416 input
  tile            the same for tests/data/tile.png, a grey 208x208 cut-out of frame 30, each pixel doubled both
                  ways: an input that is the same number for number in any language
With --tile it cuts that picture out first.
"""
import hashlib
import json
import sys

import cv2
import numpy as np
import onnxruntime as ort

CLIP = "tests/media/vtest.mp4"
MODEL = "models/nanodet-g-416/nanodet_g_416_int8.onnx"
LABELS = "tests/data/vtest_person_labels.json"
TILE = "tests/data/tile.png"
OUT = "tests/data/vtest_reference.json"
SIDE, PAD = 416, 114
FLOOR, OPERATING, NMS_IOU = 0.05, 0.45, 0.6
RAW_FRAMES, RAW_BEST = (30, 360, 690), 25


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def iou(a, b):
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    shared = width * height
    areas = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return shared / (areas - shared + 1e-9)


def letterbox(picture):
    height, width = picture.shape[:2]
    ratio = min(SIDE / width, SIDE / height)
    w, h = round(width * ratio), round(height * ratio)
    left, top = (SIDE - w) // 2, (SIDE - h) // 2
    canvas = np.full((SIDE, SIDE, 3), PAD, np.uint8)
    canvas[top : top + h, left : left + w] = cv2.resize(picture, (w, h), interpolation=cv2.INTER_LINEAR)
    tensor = np.ascontiguousarray(canvas.transpose(2, 0, 1)[None].astype(np.float32))
    return tensor, (left, top, w / width, h / height)


def persons(boxes, scores, mapping, size):
    left, top, sx, sy = mapping
    keep = scores[:, 0] > FLOOR
    boxes = (boxes[keep] - [left, top, left, top]) / [sx, sy, sx, sy]
    boxes = np.clip(boxes, 0, [*size, *size])
    scores = scores[keep, 0]
    kept = []
    for at in np.argsort(-scores, kind="stable"):
        if all(iou(boxes[at], boxes[other]) <= NMS_IOU for other in kept):
            kept.append(at)
    return [(float(scores[at]), boxes[at]) for at in kept]


def average_precision(found, labels):
    """Area under the precision envelope; a person marked `ignore` counts neither way once found."""
    used, outcome = set(), []
    for score, frame, box in sorted(found, key=lambda f: -f[0]):
        free = [(iou(box, p["box"]), k) for k, p in enumerate(labels[frame]) if (frame, k) not in used]
        best, at = max(free, default=(0.0, None))
        if best >= 0.5:
            used.add((frame, at))
            if not labels[frame][at]["ignore"]:
                outcome.append((score, 1))
        else:
            outcome.append((score, 0))
    total = sum(not person["ignore"] for people in labels.values() for person in people)
    hits = np.array([hit for _, hit in outcome])
    recall = np.cumsum(hits) / total
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    ap = float(np.sum(np.diff(np.concatenate([[0.0], recall])) * envelope))
    operating = np.array([score for score, _ in outcome]) >= OPERATING
    return ap, [int(hits[operating].sum()), total, int(operating.sum())]


def best_proposals(boxes, scores):
    rows = []
    flat = np.argsort(-scores[0], axis=None, kind="stable")[:RAW_BEST]
    for proposal, label in zip(*np.unravel_index(flat, scores[0].shape)):
        box = [round(float(v), 3) for v in boxes[0, proposal]]
        rows.append([int(proposal), int(label), round(float(scores[0, proposal, label]), 5), *box])
    return rows


def main():
    with open(LABELS) as file:
        labels = {int(frame): people for frame, people in json.load(file)["frames"].items()}
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])
    clip = cv2.VideoCapture(CLIP)
    found, raw, frame = [], {}, 0
    while True:
        ok, picture = clip.read()
        if not ok:
            break
        if frame in labels:
            tensor, mapping = letterbox(picture)
            boxes, scores = session.run(["boxes", "scores"], {"images": tensor})
            size = picture.shape[1], picture.shape[0]
            found += [(score, frame, box) for score, box in persons(boxes[0], scores[0], mapping, size)]
            if frame in RAW_FRAMES:
                raw[frame] = best_proposals(boxes, scores)
                if frame == 30 and "--tile" in sys.argv:
                    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
                    cv2.imwrite(TILE, grey[172:380, 330:538])
        frame += 1
    grey = cv2.imread(TILE, cv2.IMREAD_GRAYSCALE).repeat(2, axis=0).repeat(2, axis=1)
    tensor = np.broadcast_to(grey.astype(np.float32), (1, 3, SIDE, SIDE))
    tile = best_proposals(*session.run(["boxes", "scores"], {"images": np.ascontiguousarray(tensor)}))
    ap, operating = average_precision(found, labels)
    reference = {
        "clip": sha256(CLIP),
        "model": sha256(MODEL),
        "runtime": ort.__version__,
        "frames": frame,
        "ap50": round(ap, 5),
        "at_0.45": operating,
    }
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in reference.items()]
    table = lambda rows, pad: "[\n" + ",\n".join(f"{pad}  {json.dumps(row)}" for row in rows) + f"\n{pad}]"
    frames = [f'    "{at}": {table(rows, "    ")}' for at, rows in raw.items()]
    lines.append('  "raw": {\n' + ",\n".join(frames) + "\n  }")
    lines.append(f'  "tile": {table(tile, "  ")}')
    with open(OUT, "w") as file:
        file.write("{\n" + ",\n".join(lines) + "\n}\n")
    print(f"{OUT}: AP50 {ap:.4f}, at {OPERATING} found {operating[0]} of {operating[1]} with {operating[2]} boxes")


main()
