"""Trains networks that tell the tokens before a hidden row from that one row, and writes them as ONNX with 8-bit matrices.

    python preceding_tokens.py --model ../../../models/default --text ../../../models/recipe/build/train.jsonl --out ../preceding-networks --minutes 8

After Rep2Text (arXiv 2511.06571): an adapter maps the row into the model's own embedding space, here one vector for each of the PLACES
positions before it, which the frozen embedding matrix reads out as scores of tokens. It reads the row's direction, and how the row differs
from the one that its own token would have alone in a prompt. One adapter for each of LAYERS, all from the same windows of text; the last
50th of the text is held back. The learning rate follows the processor time spent. Writes MODEL-LAYER.onnx and MODEL-LAYER.json.
"""
import argparse
import json
import math
import time
from pathlib import Path

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

from infill_network import Config, Llama
from infill_train import text_ids

LAYERS = (1, 2, 4)  # whose input rows are read, an adapter each
PLACES = 7          # positions before the row
LENGTH = 64         # tokens of a window
BLOCK = 64          # elements of a matrix that share a scale


def rows_before(model: Llama, ids) -> list[torch.Tensor]:
    """Rows before each of LAYERS: ids [B, N] -> [B, N, d] each."""
    x, rows = model.model.embed_tokens(ids), []
    for layer in range(max(LAYERS)):
        if layer in LAYERS:
            rows.append(x.float())
        x = model.model.layers[layer](x, model.cos[:ids.shape[1]], model.sin[:ids.shape[1]])
    return [*rows, x.float()]


def evidence(rows, alone):
    """What an adapter reads: direction of the row, and its difference from the row of the token alone, in the row's own length: [..., 2 d]."""
    size = rows.norm(dim=-1, keepdim=True) / math.sqrt(rows.shape[-1])
    return torch.cat((rows, rows - alone), -1) / size


class Adapter(nn.Module):
    """Evidence [n, 2 d] -> scores [n, PLACES, vocabulary]."""
    def __init__(self, embedding: torch.Tensor, hidden: int):
        super().__init__()
        width = embedding.shape[1]
        self.first, self.last = nn.Linear(2 * width, hidden), nn.Linear(hidden, PLACES * width)
        self.bias = nn.Parameter(torch.zeros(len(embedding)))
        self.register_buffer("embedding", embedding)
        self.register_buffer("mean", torch.zeros(2 * width))
        self.register_buffer("white", torch.eye(2 * width))

    def fit(self, x: torch.Tensor) -> None:
        """Mean and whitening of evidence [n, 2 d]; directions with hardly any variance are not blown up."""
        values, vectors = torch.linalg.eigh(torch.cov(x.double().T))
        self.mean[:] = x.double().mean(0)
        self.white[:] = vectors / (values + 1e-4 * values.mean()).sqrt()

    def forward(self, x):
        vectors = self.last(F.gelu(self.first((x - self.mean) @ self.white)))
        return F.linear(vectors.unflatten(-1, (PLACES, -1)), self.embedding, self.bias)


def batch(model, alone, ids, chance, windows: int):
    """Evidence of the rows of some windows for each layer, [n, 2 d], and the tokens before them, [n, PLACES]; -1 before the window."""
    starts = chance.integers(0, len(ids) - LENGTH, windows)
    truth = torch.from_numpy(numpy.stack([ids[s:s + LENGTH] for s in starts]))
    with torch.no_grad():
        read = [evidence(r, a[truth])[:, 1:].flatten(0, 1) for r, a in zip(rows_before(model, truth), alone)]
    padded = F.pad(truth, (PLACES, 0), value=-1)
    before = torch.stack([padded[:, PLACES - place:][:, :LENGTH] for place in range(1, PLACES + 1)], -1)
    return read, before[:, 1:].flatten(0, 1)


def found_shares(net: Adapter, x, before) -> list[float]:
    """Share of tokens that the highest score names, for each place."""
    with torch.no_grad():
        best = torch.cat([net(part).argmax(-1) for part in x.split(256)])
    return [(best[:, p] == before[:, p])[before[:, p] >= 0].float().mean().item() for p in range(PLACES)]


def small(x: numpy.ndarray, name: str):
    """A matrix [rows, columns] as 8-bit integers with a scale for each BLOCK of a row, and the nodes that widen it."""
    blocks = x.reshape(x.shape[0], -1, BLOCK)
    scale = (numpy.abs(blocks).max(-1) / 127 + 1e-12).astype(numpy.float16)
    whole = numpy.round(blocks / scale.astype(numpy.float32)[..., None]).clip(-127, 127).astype(numpy.int8).reshape(x.shape)
    nodes = [helper.make_node("Cast", [f"{name}_scale"], [f"{name}_wide"], to=TensorProto.FLOAT),
             helper.make_node("DequantizeLinear", [f"{name}_small", f"{name}_wide"], [name], axis=1, block_size=BLOCK)]
    return [numpy_helper.from_array(whole, f"{name}_small"), numpy_helper.from_array(scale, f"{name}_scale")], nodes


def export(net: Adapter, frequency: torch.Tensor, file: Path) -> onnx.ModelProto:
    """evidence [n, 2 d] -> scores [n, PLACES, vocabulary]: nats that a token gains by the row over how frequent it is in the text."""
    first = (net.first.weight @ net.white.T).detach()
    shift = (net.first.bias - first @ net.mean).detach()
    matrices = [small(x.detach().numpy(), n) for x, n in ((first, "first"), (net.last.weight, "last"), (net.embedding, "tokens"))]
    keep = lambda x, name: numpy_helper.from_array(numpy.asarray(x), name)
    width = net.embedding.shape[1]
    initializers = [i for m, _ in matrices for i in m] + [
        keep(shift.numpy(), "shift"), keep(net.last.bias.detach().numpy(), "last_bias"), keep(net.bias.detach().numpy(), "bias"),
        keep(frequency.log().numpy(), "frequency"), keep(numpy.float32(math.sqrt(0.5)), "root"), keep(numpy.float32(0.5), "half"),
        keep(numpy.float32(1), "one"), keep(numpy.array([-1, PLACES, width]), "by_place"),
    ]
    node = helper.make_node
    nodes = [n for _, m in matrices for n in m] + [
        node("Gemm", ["evidence", "first", "shift"], ["x"], transB=1),
        node("Mul", ["x", "root"], ["x_root"]), node("Erf", ["x_root"], ["erf"]), node("Add", ["erf", "one"], ["erf_one"]),
        node("Mul", ["x", "erf_one"], ["doubled"]), node("Mul", ["doubled", "half"], ["hidden"]),
        node("Gemm", ["hidden", "last", "last_bias"], ["vectors"], transB=1), node("Reshape", ["vectors", "by_place"], ["placed"]),
        node("Transpose", ["tokens"], ["readout"], perm=[1, 0]), node("MatMul", ["placed", "readout"], ["read"]),
        node("Add", ["read", "bias"], ["logits"]), node("LogSoftmax", ["logits"], ["likely"], axis=-1),
        node("Sub", ["likely", "frequency"], ["scores"]),
    ]
    value = lambda name, *shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])
    graph = helper.make_graph(nodes, "preceding-tokens", [value("evidence", 2 * width)], [value("scores", PLACES, len(net.embedding))], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return model


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--text", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--minutes", type=float, default=8, help="of one core")
    args.add_argument("--hidden", type=int, default=512)
    args.add_argument("--windows", type=int, default=6, help="windows of text in a step")
    args.add_argument("--lr", type=float, default=2e-3)
    args.add_argument("--seed", type=int, default=7)
    o = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    chance = numpy.random.default_rng(o.seed)
    began = time.process_time()
    ids = text_ids(o.model, o.text)
    ids, held = ids[:-len(ids) // 50], ids[-len(ids) // 50:]
    c = Config()
    model = Llama(c).eval().requires_grad_(False)
    model.load_state_dict({k: v.float() for k, v in load_file(o.model / "model.safetensors").items()}, strict=False)
    alone = [r[:, 0] for r in rows_before(model, torch.arange(c.vocab_size)[:, None])]
    frequency = torch.from_numpy(numpy.bincount(ids, minlength=c.vocab_size) + 1.0).float()
    frequency /= frequency.sum()
    nets = nn.ModuleList(Adapter(model.model.embed_tokens.weight.detach().clone(), o.hidden) for _ in LAYERS)
    parts = [batch(model, alone, ids, chance, 32)[0] for _ in range(8)]
    for at, net in enumerate(nets):
        net.fit(torch.cat([part[at] for part in parts]))
        net.bias.data.copy_(frequency.log())
        net.last.weight.data.mul_(0.3)
    held_read, held_before = batch(model, alone, held, numpy.random.default_rng(1), 24)
    optimizer = torch.optim.AdamW(nets.parameters(), lr=o.lr, betas=(0.9, 0.98), weight_decay=0.02)
    average = {n: p.detach().clone() for n, p in nets.named_parameters()}
    step, losses, last = 0, [], 0.0
    while (spent := (time.process_time() - began) / 60) < o.minutes:
        for group in optimizer.param_groups:
            group["lr"] = o.lr * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * spent / o.minutes)))
        read, before = batch(model, alone, ids, chance, o.windows)
        loss = 0
        with torch.autocast("cpu", torch.bfloat16):
            each = [F.cross_entropy(net(x).flatten(0, 1).float(), before.flatten(), ignore_index=-1) for net, x in zip(nets, read)]
        optimizer.zero_grad()
        sum(each).backward()
        optimizer.step()
        step += 1
        losses.append([l.item() for l in each])
        with torch.no_grad():
            for n, p in nets.named_parameters():
                average[n].lerp_(p, 1 - min(0.99, step / (step + 10)))
        if spent - last > 0.5:
            last = spent
            mean = numpy.mean(losses[-50:], 0).round(3)
            print(f"{spent:.1f} min, step {step}: loss {mean}, held back by place, layer {LAYERS[0]}: "
                  f"{numpy.round(found_shares(nets[0], held_read[0], held_before), 3)}", flush=True)
    nets.load_state_dict(average, strict=False)
    o.out.mkdir(parents=True, exist_ok=True)
    from onnx.reference import ReferenceEvaluator
    for net, layer, x in zip(nets, LAYERS, held_read):
        shares = found_shares(net, x, held_before)
        file = o.out / f"{o.model.resolve().name}-{layer}.onnx"
        graph = export(net, frequency, file)
        trained = (f"{step * o.windows * (LENGTH - 1)} rows of public text in {o.minutes:g} minutes of one core (three layers together); of "
                   f"{len(held_before)} rows held back, tokens named 1 to {PLACES} before: {', '.join(f'{s:.3f}' for s in shares)}")
        about = {"model": o.model.resolve().name, "layer": layer, "width": c.hidden_size, "places": PLACES, "vocabulary": c.vocab_size,
                 "trained": trained}
        file.with_suffix(".json").write_text(json.dumps(about, indent=2) + "\n")
        exact = (F.log_softmax(net(x[:32]), -1) - frequency.log()).detach().numpy()
        found = ReferenceEvaluator(graph).run(None, {"evidence": x[:32].numpy()})[0]
        print(f"layer {layer}: {trained}; {file.stat().st_size} bytes, small weights move scores by {numpy.abs(found - exact).max():.2g} "
              f"of up to {numpy.abs(exact).max():.3g}")


if __name__ == "__main__":
    main()
