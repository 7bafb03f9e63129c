"""The detector loop as a competent Python user would write it: OpenCV, NumPy, onnxruntime.

I420 planes in, tracked detections out, on the frames that `gridpatrol bench --dump-frames` wrote, with the same
model, threads, threshold and overlap. Prints one JSON object; --detections writes the boxes for comparing.
"""

import argparse
import json
import time
import tomllib
from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort

WIDTH, HEIGHT = 1920, 1080
# Kinds that detectors confuse on one vehicle are suppressed together, as the program does it.
VEHICLES = ("car", "truck", "bus")


class Detector:
    def __init__(self, folder: Path, threads: int, score: float | None):
        manifest = tomllib.loads((folder / "model.toml").read_text())
        spec, head = manifest["input"], manifest["head"]
        if head["kind"] != "boxes_scores" or spec["resize"] != "letterbox":
            raise SystemExit(f"{folder}: this pipeline reads letterboxed models with boxes and scores only")
        if spec["scale"] != 1.0 or any(spec["mean"]) or spec["std"] != [1.0, 1.0, 1.0]:
            raise SystemExit(f"{folder}: this pipeline feeds plain 0-255 values only")
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.session = ort.InferenceSession(
            str(folder / manifest["file"]), options, providers=["CPUExecutionProvider"]
        )
        self.input, self.outputs = spec["name"], [head["boxes"], head["scores"]]
        self.size, self.pad = (spec["width"], spec["height"]), spec["pad"]
        self.swap = spec["colour"] == "rgb"
        self.score = manifest["threshold"]["score"] if score is None else score
        self.iou = manifest["threshold"]["iou"]
        labels = (folder / manifest["labels"]).read_text().split("\n")
        labels = [label.strip() for label in labels if label.strip()]
        vehicles = [at for at, label in enumerate(labels) if label in VEHICLES]
        self.group = np.arange(len(labels))
        self.group[vehicles] = vehicles[0]
        self.run_s = 0.0

    def look(self, i420: np.ndarray):
        """Boxes [n, 4] in 0-1 of the frame, scores [n], classes [n]."""
        bgr = cv2.cvtColor(i420, cv2.COLOR_YUV2BGR_I420)
        (width, height), (h, w) = self.size, bgr.shape[:2]
        ratio = min(width / w, height / h)
        new_w, new_h = round(w * ratio), round(h * ratio)
        left, top = (width - new_w) // 2, (height - new_h) // 2
        small = cv2.resize(bgr, (new_w, new_h), interpolation=cv2.INTER_LINEAR)
        boxed = cv2.copyMakeBorder(
            small, top, height - new_h - top, left, width - new_w - left, cv2.BORDER_CONSTANT,
            value=(self.pad, self.pad, self.pad),
        )
        blob = cv2.dnn.blobFromImage(boxed, swapRB=self.swap)
        before = time.process_time()
        boxes, scores = self.session.run(self.outputs, {self.input: blob})
        self.run_s += time.process_time() - before
        boxes, scores = boxes[0], scores[0]
        rows, classes = np.nonzero(scores >= self.score)
        if rows.size == 0:
            return np.empty((0, 4)), np.empty(0), np.empty(0, int)
        boxes, scores = boxes[rows], scores[rows, classes]
        # One call for all groups: boxes of different groups are moved apart.
        moved = boxes + (self.group[classes] * 2.0 * max(self.size))[:, None]
        moved[:, 2:] -= moved[:, :2]
        kept = np.asarray(cv2.dnn.NMSBoxes(moved, scores, self.score, self.iou)).reshape(-1)
        boxes, scores, classes = boxes[kept], scores[kept], classes[kept]
        boxes = (boxes - (left, top, left, top)) / (new_w, new_h, new_w, new_h)
        return boxes.clip(0.0, 1.0), scores, classes


class Tracker:
    """Greedy matching by overlap: the simplest that is used in practice."""

    def __init__(self):
        self.boxes, self.numbers, self.missed, self.next = np.empty((0, 4)), [], [], 0

    def look(self, boxes: np.ndarray):
        numbers = [None] * len(boxes)
        taken = set()
        if len(boxes) and len(self.boxes):
            low = np.maximum(self.boxes[:, None, :2], boxes[None, :, :2])
            high = np.minimum(self.boxes[:, None, 2:], boxes[None, :, 2:])
            shared = np.prod(np.clip(high - low, 0, None), axis=2)
            area = lambda b: (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
            overlap = shared / (area(self.boxes)[:, None] + area(boxes)[None] - shared + 1e-9)
            tracks, found = np.nonzero(overlap >= 0.3)
            for at in np.argsort(-overlap[tracks, found]):
                track, detection = tracks[at], found[at]
                if track not in taken and numbers[detection] is None:
                    numbers[detection] = self.numbers[track]
                    taken.add(track)
        kept = [t for t in range(len(self.boxes)) if t not in taken and self.missed[t] < 10]
        missed = [self.missed[t] + 1 for t in kept]
        for at, number in enumerate(numbers):
            if number is None:
                numbers[at], self.next = self.next, self.next + 1
        self.boxes = np.concatenate([boxes, self.boxes[kept]])
        self.numbers = numbers + [self.numbers[t] for t in kept]
        self.missed = [0] * len(boxes) + missed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--frames", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--score", type=float)
    parser.add_argument("--detections", type=Path)
    args = parser.parse_args()

    # OpenCV would use all cores; the comparison is for so many threads.
    cv2.setNumThreads(args.threads)
    frames = np.fromfile(args.frames, np.uint8).reshape(-1, HEIGHT * 3 // 2, WIDTH)
    detector, tracker = Detector(args.model, args.threads, args.score), Tracker()
    for frame in frames:
        tracker.look(detector.look(frame)[0])
    detector.run_s, times, looks = 0.0, [], 0
    began, cpu = time.perf_counter(), time.process_time()
    while looks < 20 or time.perf_counter() - began < args.seconds:
        start = time.perf_counter()
        tracker.look(detector.look(frames[looks % len(frames)])[0])
        times.append(time.perf_counter() - start)
        looks += 1
    # Before anything else runs the network again.
    cpu, run_s = time.process_time() - cpu, detector.run_s
    if args.detections:
        with args.detections.open("w") as out:
            for at, frame in enumerate(frames):
                boxes, scores, classes = detector.look(frame)
                seen = [
                    {"label": int(c), "score": float(s), "box": [float(v) for v in b]}
                    for b, s, c in zip(boxes, scores, classes)
                ]
                print(json.dumps({"frame": at, "detections": seen}), file=out)
    print(json.dumps({
        "looks": looks,
        "p50_ms": float(np.percentile(times, 50) * 1e3),
        "looks_per_cpu_s": looks / cpu,
        "run_per_cpu_s": looks / run_s,
        "onnxruntime": ort.__version__,
        "opencv": cv2.__version__,
    }))


if __name__ == "__main__":
    main()
