"""Trains the model on build/train.npy.

    python train.py --build build --minutes 75

The learning rate follows the larger of two fractions: time used of --minutes, steps done of --steps. So a run fits
its time whatever the machine is doing; to repeat a run step by step, give its number of steps (in build/log.jsonl)
and ample minutes. A checkpoint is saved every --save minutes and at the end: build/checkpoint.safetensors.
"""
import argparse
import copy
import json
import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
import torch
from safetensors.torch import save_file

from evaluate import heldout_loss, load
from model import Config, Llama


def windows(ids: numpy.ndarray, length: int, generator: numpy.random.Generator):
    """Endless windows of length + 1 ids: each epoch cuts the text at a new offset and shuffles the pieces."""
    while True:
        offset = int(generator.integers(length))
        starts = numpy.arange(offset, len(ids) - length - 1, length)
        generator.shuffle(starts)
        for start in starts:
            yield ids[start:start + length + 1]


def optimizers(model: Llama, o) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices; AdamW for the embeddings (no decay) and the norms (no decay)."""
    matrices = [p for n, p in model.named_parameters() if p.ndim > 1 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim == 1 or "embed" in n]
    adamw = dict(betas=(0.9, 0.95), eps=1e-8)
    if o.optimizer == "adamw":
        groups = [{"params": matrices, "weight_decay": o.decay}, {"params": others, "weight_decay": 0.0}]
        return [torch.optim.AdamW(groups, lr=o.lr, **adamw)]
    return [torch.optim.Muon(matrices, lr=o.muon_lr, momentum=0.95, weight_decay=o.decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, lr=o.lr, weight_decay=0.0, **adamw)]


def gradients(run, rows: numpy.ndarray, precision: str):
    """The loss of some windows and the gradients of all parameters."""
    rows = torch.from_numpy(rows.astype(numpy.int64))
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
        loss = run(rows[:, :-1], rows[:, 1:])
    return loss.item(), torch.autograd.grad(loss, list(run.parameters()))


def rate(fraction: float, step: int, warmup: int, floor: float) -> float:
    """Factor on the learning rates: a linear start, then a cosine down to `floor`."""
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
    return min(1.0, (step + 1) / warmup) * (floor + (1 - floor) * cosine)


def save(model: Llama, path: Path) -> None:
    """Writes the float32 weights in one go."""
    part = path.with_suffix(".part")
    save_file({n: p.detach().float().contiguous() for n, p in model.named_parameters()}, part)
    os.replace(part, path)


def options():
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--build", type=Path, default=Path("build"))
    args.add_argument("--minutes", type=float, default=75.0)
    args.add_argument("--steps", type=int, default=10**9)
    args.add_argument("--batch", type=int, default=8192, help="tokens in a step")
    args.add_argument("--short", type=int, default=256, help="tokens in a window at first")
    args.add_argument("--length", type=int, default=512, help="tokens in a window in the last part")
    args.add_argument("--switch", type=float, default=0.7, help="fraction of the run after which that part begins")
    args.add_argument("--optimizer", choices=["muon", "adamw"], default="muon")
    args.add_argument("--lr", type=float, default=3e-3, help="AdamW")
    args.add_argument("--muon-lr", type=float, default=5e-3)
    args.add_argument("--decay", type=float, default=0.1)
    args.add_argument("--warmup", type=int, default=100, help="steps")
    args.add_argument("--floor", type=float, default=0.01, help="last learning rate as a fraction of the peak")
    args.add_argument("--precision", choices=["bf16", "fp32"], default="bf16")
    args.add_argument("--compile", action="store_true", help="use torch.compile (needs a C++ compiler)")
    args.add_argument("--threads", type=int, default=1, help="threads inside an operation")
    args.add_argument("--workers", type=int, default=2, help="parts of a batch that are computed side by side")
    args.add_argument("--ema", type=float, default=0.98, help="weight of the past in the average of the weights")
    args.add_argument("--resume", type=Path, help="weights to start from")
    args.add_argument("--save", type=float, default=5.0, help="minutes between checkpoints")
    args.add_argument("--seed", type=int, default=7)
    return args.parse_args()


def main() -> None:
    o = options()
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    train, heldout = (numpy.load(o.build / f"{name}.npy") for name in ("train", "heldout"))
    model = load(o.resume).train() if o.resume else Llama(Config())
    run = torch.compile(model) if o.compile else model
    steppers = optimizers(model, o)
    peaks = [g["lr"] for s in steppers for g in s.param_groups]
    average = copy.deepcopy(model)  # of the weights of the last 1 / (1 - ema) steps or so: this is what gets saved
    pool = ThreadPoolExecutor(o.workers, initializer=torch.set_num_threads, initargs=(o.threads,))
    generator, length, batches = numpy.random.default_rng(o.seed), 0, None
    print(f"{sum(p.numel() for p in model.parameters())} parameters, {vars(o)}", flush=True)
    begin, saved, step, mean = time.monotonic(), 0.0, 0, None
    with open(o.build / "log.jsonl", "w") as log:
        while True:
            used = (time.monotonic() - begin) / 60
            fraction = max(used / o.minutes, step / o.steps)
            last = fraction >= 1
            if last or used - saved >= o.save:
                saved = used
                save(average, o.build / "checkpoint.safetensors")
                loss = heldout_loss(average, heldout if last else heldout[:40000], o.length)
                line = {"step": step, "tokens": step * o.batch, "minutes": round(used, 2),
                        "train": mean and round(mean, 4), "heldout": round(loss, 4), "final": last}
                print(json.dumps(line), flush=True)
                print(json.dumps(line), file=log, flush=True)
            if last:
                break
            factor = rate(fraction, step, o.warmup, o.floor)
            for group, peak in zip((g for s in steppers for g in s.param_groups), peaks):
                group["lr"] = peak * factor
            wanted = o.length if fraction >= o.switch else o.short
            if wanted != length:
                length, batches = wanted, windows(train, wanted, generator)
            rows = numpy.stack([next(batches) for _ in range(o.batch // length)])
            parts = list(pool.map(lambda piece: gradients(run, piece, o.precision), numpy.array_split(rows, o.workers)))
            for p, *grads in zip(model.parameters(), *(grads for _, grads in parts)):
                p.grad = sum(grads) / o.workers
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            for stepper in steppers:
                stepper.step()
                stepper.zero_grad(set_to_none=True)
            loss = sum(part[0] for part in parts) / o.workers
            mean = loss if mean is None else 0.98 * mean + 0.02 * loss
            step += 1
            keep = min(o.ema, step / (step + 10))
            for a, p in zip(average.parameters(), model.parameters()):
                a.data.lerp_(p.data, 1 - keep)
            if step % 50 == 0:
                print(f"step {step} loss {mean:.3f} tokens/s {step * o.batch / (time.monotonic() - begin):.0f}",
                      flush=True)


if __name__ == "__main__":
    main()
