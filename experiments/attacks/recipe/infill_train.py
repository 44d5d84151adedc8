"""Trains the infill network on public text; one network serves every sharding, with rows and without.

    python infill_train.py --model ../../../models/default --text ../../../models/recipe/build/train.jsonl --out infill.pt --minutes 34

Each window of text is sharded at random (clusters of 1 to 8 tokens, 2 to 16 parts); one part is visible. Of it the network gets ids and
rows, rows alone (layer 0 under SMPC), or ids alone (the prior), rows perhaps from a later layer on only, and some hidden tokens are
given away, because decoding fills the most certain ones first. The learning rate follows the time, so a run fits --minutes.
"""
import argparse
import json
import math
import time
from pathlib import Path

import numpy
import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch.nn import functional as F

from infill_network import ROW_LAYERS, Config, InfillNetwork, Llama, model_rows


def text_ids(model: Path, text: Path) -> numpy.ndarray:
    """All documents in one row of ids, each preceded by <|endoftext|>."""
    tokenizer, ids = Tokenizer.from_file(str(model / "tokenizer.json")), []
    documents = [json.loads(line)["text"] for line in open(text)]
    for encoding in tokenizer.encode_batch(documents):
        ids += [0, *encoding.ids]
    return numpy.array(ids, dtype=numpy.int64)


def visible(chance, length: int) -> numpy.ndarray:
    """The positions of one part of a random sharding, as booleans."""
    c, parts = chance.choice([1, 2, 4, 8]), chance.choice([2, 4, 8, 16], p=[0.35, 0.3, 0.25, 0.1])
    return (numpy.arange(length) // c) % parts == chance.integers(parts)


def batch(model, ids, chance, size: int):
    """One batch: what the network is given, and where it is scored."""
    length = int(chance.choice([64, 96, 128]))
    size = max(1, size // length)
    starts = chance.integers(0, len(ids) - length, size)
    truth = torch.from_numpy(numpy.stack([ids[s:s + length] for s in starts]))
    shard = torch.from_numpy(numpy.stack([visible(chance, length) for _ in starts]))
    kind = chance.choice(3, size, p=[0.6, 0.15, 0.25])  # ids and rows, rows alone, ids alone
    revealed = torch.from_numpy((chance.random((size, length)) < (chance.random((size, 1)) * (chance.random((size, 1)) < 0.5))))
    first = chance.choice(len(ROW_LAYERS), (size, 1), p=[0.7, 0.12, 0.12, 0.06])
    with_ids = torch.from_numpy(kind != 1)[:, None]
    with_rows = torch.from_numpy(kind != 2)[:, None]
    known = shard & with_ids | revealed & ~shard & with_ids
    layers = torch.from_numpy(first <= numpy.arange(len(ROW_LAYERS)))
    rows_present = ((shard & with_rows)[..., None] & layers[:, None]).float()
    differences_present = rows_present * known[..., None]
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        rows = model_rows(model, truth, torch.ones_like(known))
        differences = rows - model_rows(model, torch.where(known, truth, 0), known)
    return length, truth, known, rows, rows_present, differences, differences_present


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--text", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--minutes", type=float, default=34)
    args.add_argument("--batch", type=int, default=1024, help="tokens in a step")
    args.add_argument("--lr", type=float, default=1e-3)
    args.add_argument("--seed", type=int, default=7)
    o = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    chance = numpy.random.default_rng(o.seed)
    began = time.monotonic()
    ids = text_ids(o.model, o.text)
    c = Config()
    model = Llama(c).eval()
    model.load_state_dict({k: v.float() for k, v in load_file(o.model / "model.safetensors").items()}, strict=False)
    net = InfillNetwork(c)
    net.start_from(model)
    found = [[], []]
    for _ in range(16):
        _, _, _, rows, present, differences, known = batch(model, ids, chance, o.batch)
        found[0].append(rows.flatten(0, 1))
        found[1].append(differences[known.bool().all(-1)])
    net.rows.fit(torch.cat(found[0]))
    net.differences.fit(torch.cat(found[1]))
    fresh = [p for n, p in net.named_parameters() if n.startswith(("rows", "differences", "future"))]
    started = [p for n, p in net.named_parameters() if not n.startswith(("rows", "differences", "future"))]
    optimizer = torch.optim.AdamW([{"params": started, "lr": o.lr}, {"params": fresh, "lr": 4 * o.lr}], betas=(0.9, 0.97), weight_decay=0.0)
    base = [o.lr, 4 * o.lr]
    average = {n: p.detach().clone() for n, p in net.named_parameters()}
    step, losses, last = 0, [], 0.0
    while (spent := (time.monotonic() - began) / 60) < o.minutes:
        fraction = spent / o.minutes
        factor = min(1.0, (step + 1) / 30) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fraction)))
        for group, lr in zip(optimizer.param_groups, base):
            group["lr"] = lr * factor
        _, truth, known, rows, present, differences, d_present = batch(model, ids, chance, o.batch)
        with torch.autocast("cpu", torch.bfloat16):
            logits = net(torch.where(known, truth, c.vocab_size), rows, present, differences, d_present,
                         model.cos, model.sin)
        loss = F.cross_entropy(logits[~known].float(), truth[~known])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        step += 1
        decay = min(0.99, step / (step + 10))
        with torch.no_grad():
            for n, p in net.named_parameters():
                average[n].lerp_(p, 1 - decay)
        losses.append(loss.item())
        if spent - last > 0.5:
            print(f"{spent:.1f} min, step {step}: loss {numpy.mean(losses[-50:]):.3f}", flush=True)
            last = spent
            torch.save({**net.state_dict(), **average}, o.out)
    torch.save({**net.state_dict(), **average}, o.out)
    print(f"{step} steps of {o.batch} tokens, loss {numpy.mean(losses[-100:]):.3f}")


if __name__ == "__main__":
    main()
