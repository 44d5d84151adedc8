"""Trains a network that tells a token from one hidden row, and writes it as ONNX with matrices of 8-bit integers.

    python row_mlp.py --rows rows-7.safetensors --out ../row-networks --minutes 2

Rows come from row-export.ts. One hidden layer of GELU on whitened rows; every step sees rows of text and, as --vocabulary of it, rows of
all tokens after fixed texts, without which tokens that never occur in the text could not be named. The last twentieth of the windows is
held back: the weights that do best there, of one average a pass over the text, are kept. The learning rate follows the processor time spent.
Writes MODEL-LAYER.onnx and MODEL-LAYER.json.
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
from safetensors import safe_open
from torch import nn
from torch.nn import functional as F

BLOCK = 64  # elements of a matrix that share a scale


class RowMlp(nn.Module):
    def __init__(self, width: int, hidden: int, vocabulary: int, dropout: float):
        super().__init__()
        self.first, self.last = nn.Linear(width, hidden), nn.Linear(hidden, vocabulary)
        self.dropout = dropout

    def forward(self, whitened):
        return self.last(F.dropout(F.gelu(self.first(whitened)), self.dropout, self.training))


def whitening(rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [d], and W [d, d] such that (rows - mean) W has covariance 1."""
    mean = rows.double().mean(0)
    centred = rows.double() - mean
    values, vectors = torch.linalg.eigh(centred.T @ centred / len(rows))
    values = values.clamp_min(1e-4 * values.mean())
    return mean.float(), (vectors / values.sqrt()).float()


def share_found(net: RowMlp, rows: torch.Tensor, ids: torch.Tensor) -> float:
    net.eval()
    with torch.no_grad():
        found = sum((net(r).argmax(1) == i).sum().item() for r, i in zip(rows.split(4096), ids.split(4096)))
    net.train()
    return found / len(ids)


def export(net: RowMlp, mean: torch.Tensor, white: torch.Tensor, file: Path) -> onnx.ModelProto:
    """rows [n, d] -> scores [n, vocabulary]; the whitening is folded into the first matrix, which stays float32."""
    first = (net.first.weight @ white.T).detach()
    shift = (net.first.bias - first @ mean).detach()
    last = net.last.weight.detach().numpy()  # [vocabulary, hidden]
    blocks = last.reshape(last.shape[0], -1, BLOCK)
    scale = (numpy.abs(blocks).max(-1) / 127 + 1e-12).astype(numpy.float16)
    small = numpy.round(blocks / scale.astype(numpy.float32)[..., None]).clip(-127, 127).astype(numpy.int8).reshape(last.shape)
    half = lambda x, name: numpy_helper.from_array(x.numpy().astype(numpy.float16), name)
    initializers = [
        half(first.T.contiguous(), "first_half"), numpy_helper.from_array(shift.numpy(), "shift"),
        numpy_helper.from_array(small, "last_small"), numpy_helper.from_array(scale, "last_scale"),
        numpy_helper.from_array(net.last.bias.detach().numpy(), "bias"),
        numpy_helper.from_array(numpy.array(math.sqrt(0.5), numpy.float32), "root"),
        numpy_helper.from_array(numpy.array(0.5, numpy.float32), "half"), numpy_helper.from_array(numpy.array(1, numpy.float32), "one"),
    ]
    node = helper.make_node
    nodes = [
        node("Cast", ["first_half"], ["first"], to=TensorProto.FLOAT), node("Cast", ["last_scale"], ["last_wide"], to=TensorProto.FLOAT),
        node("DequantizeLinear", ["last_small", "last_wide"], ["last"], axis=1, block_size=BLOCK),
        node("MatMul", ["rows", "first"], ["projected"]), node("Add", ["projected", "shift"], ["x"]),
        node("Mul", ["x", "root"], ["x_root"]), node("Erf", ["x_root"], ["erf"]), node("Add", ["erf", "one"], ["erf_one"]),
        node("Mul", ["x", "erf_one"], ["doubled"]), node("Mul", ["doubled", "half"], ["hidden"]),
        node("Gemm", ["hidden", "last", "bias"], ["scores"], transB=1),
    ]
    value = lambda name, columns: helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", columns])
    graph = helper.make_graph(nodes, "row-mlp", [value("rows", first.shape[1])], [value("scores", last.shape[0])], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(file))
    return model


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--rows", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--minutes", type=float, default=2)
    args.add_argument("--hidden", type=int, default=512)
    args.add_argument("--batch", type=int, default=512)
    args.add_argument("--vocabulary", type=float, default=0.125, help="share of a step's rows that are of the vocabulary after fixed texts")
    args.add_argument("--dropout", type=float, default=0.1)
    args.add_argument("--lr", type=float, default=2e-3)
    args.add_argument("--decay", type=float, default=0.02)
    args.add_argument("--seed", type=int, default=7)
    o = args.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(o.seed)
    began = time.process_time()
    with safe_open(o.rows, "pt") as file:
        about = file.metadata()
        text, fixed = ((file.get_tensor(f"{name}.rows"), file.get_tensor(f"{name}.ids").long()) for name in ("text", "vocabulary"))
    held = len(text[1]) // 20
    mean, white = whitening(text[0][:-held])
    prepared = lambda rows: (rows - mean) @ white
    held_rows, held_ids = prepared(text[0][-held:]), text[1][-held:]
    text = prepared(text[0][:-held]), text[1][:-held]
    fixed = prepared(fixed[0]), fixed[1]
    net = RowMlp(text[0].shape[1], o.hidden, int(fixed[1].max()) + 1, o.dropout)
    optimizer = torch.optim.AdamW(net.parameters(), lr=o.lr, betas=(0.9, 0.98), weight_decay=o.decay)
    mixed = int(o.batch * o.vocabulary)
    average = {n: p.detach().clone() for n, p in net.named_parameters()}
    judged = RowMlp(text[0].shape[1], o.hidden, int(fixed[1].max()) + 1, o.dropout)
    best, step, passes, order, losses = (-1.0, None, 0), 0, 0, torch.randperm(len(text[1])), []
    at = 0
    while (spent := (time.process_time() - began) / 60) < o.minutes:
        fraction = spent / o.minutes
        for group in optimizer.param_groups:
            group["lr"] = o.lr * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * fraction)))
        some, other = order[at:at + o.batch - mixed], torch.randint(len(fixed[1]), (mixed,))
        rows, ids = torch.cat((text[0][some], fixed[0][other])), torch.cat((text[1][some], fixed[1][other]))
        loss = F.cross_entropy(net(rows), ids)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        step += 1
        losses.append(loss.item())
        with torch.no_grad():
            for n, p in net.named_parameters():
                average[n].lerp_(p, 1 - min(0.995, step / (step + 10)))
        at += o.batch - mixed
        if at + o.batch - mixed > len(order):
            at, passes, order = 0, passes + 1, torch.randperm(len(text[1]))
            judged.load_state_dict(average)
            found = share_found(judged, held_rows, held_ids)
            print(f"{spent:.1f} min, pass {passes}: loss {numpy.mean(losses[-300:]):.4f}, {found:.4f} of held-back rows", flush=True)
            if found >= best[0]:
                best = found, {n: p.clone() for n, p in average.items()}, passes
    judged.load_state_dict(average)
    if (found := share_found(judged, held_rows, held_ids)) >= best[0]:
        best = found, average, passes + at / len(order)
    judged.load_state_dict(best[1])
    judged.eval()
    o.out.mkdir(parents=True, exist_ok=True)
    file = o.out / f"{about['model']}-{about['layer']}.onnx"
    model = export(judged, mean, white, file)
    trained = (f"{len(text[1])} rows of public text and {len(fixed[1])} of the vocabulary after fixed texts, {best[2]:.1f} passes in "
               f"{o.minutes:g} minutes of one core; {best[0]:.4f} of {held} rows held back named")
    description = {"model": about["model"], "layer": int(about["layer"]), "width": text[0].shape[1],
                   "vocabulary": len(judged.last.bias), "trained": trained}
    file.with_suffix(".json").write_text(json.dumps(description, indent=2) + "\n")
    from onnx.reference import ReferenceEvaluator
    with safe_open(o.rows, "pt") as rows_file:
        sample = rows_file.get_slice("text.rows")[:64]
    exact = judged(prepared(sample)).detach().numpy()
    found = ReferenceEvaluator(model).run(None, {"rows": sample.numpy()})[0]
    print(f"{trained}; {file.stat().st_size} bytes, small weights move scores by {numpy.abs(found - exact).max():.2g} of up to {numpy.abs(exact).max():.3g}")


if __name__ == "__main__":
    main()
