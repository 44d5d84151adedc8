"""Held-out loss of a trained or exported model.

    python evaluate.py --weights ../default/model.safetensors --build build
"""
import argparse
import json
import math
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file

from model import Config, Llama


@torch.no_grad()
def heldout_loss(model: Llama, ids: numpy.ndarray, length: int) -> float:
    """Mean nats per token over back-to-back windows (each token is predicted once, from at most `length` - 1 before it)."""
    total, count = 0.0, 0
    for start in range(0, len(ids) - 1, 16 * length):
        piece = torch.from_numpy(ids[start:start + 16 * length + 1].astype(numpy.int64))
        whole = (len(piece) - 1) // length
        for rows in ([piece[i * length:(i + 1) * length + 1] for i in range(whole)], [piece[whole * length:]]):
            if not rows or len(rows[0]) < 2:
                continue
            batch = torch.stack(rows)
            n = batch[:, 1:].numel()
            total += model(batch[:, :-1], batch[:, 1:]).item() * n
            count += n
    return total / count


def load(path: Path) -> Llama:
    """A model from a safetensors file, in float32."""
    model = Llama(Config())
    model.load_state_dict({n: t.float() for n, t in load_file(path).items()})
    return model.eval()


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--weights", type=Path, default=Path("../default/model.safetensors"))
    args.add_argument("--build", type=Path, default=Path("build"))
    o = args.parse_args()
    model, length = load(o.weights), Config().max_position_embeddings
    ids = numpy.load(o.build / "heldout.npy")
    with open(o.build / "heldout.jsonl") as lines:
        documents = [json.loads(line) for line in lines]
    ends = [*numpy.flatnonzero(ids == 0).tolist(), len(ids)]
    for label, wanted in (("all", lambda s: True), ("sotu", lambda s: s == "sotu"), ("books", lambda s: s != "sotu")):
        chosen = [i for i, d in enumerate(documents) if wanted(d["source"])]
        part = numpy.concatenate([ids[ends[i]:ends[i + 1]] for i in chosen])
        loss = heldout_loss(model, part, length)
        size = sum(len(documents[i]["text"].encode()) for i in chosen)
        bits = loss * (len(part) - 1) / math.log(2) / size
        print(f"{label:6} {len(part) - 1:7} tokens {size:7} bytes  {loss:.4f} nats per token  {bits:.4f} bits per byte")


if __name__ == "__main__":
    main()
