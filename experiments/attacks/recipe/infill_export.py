"""Writes a trained infill network as ONNX: matrices as integers of 8 bits (feed-forward ones: 4) with scales.

    python infill_export.py --model ../../../models/default --weights infill.pt --out ../infill

Writes infill.onnx and infill.json (what the network was trained for). Prints how far the small weights move the logits.
"""
import argparse
import json
from pathlib import Path

import numpy
import onnx
import torch
import onnx.version_converter
from onnx import helper, numpy_helper
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

BLOCK = 64  # elements of a matrix that share a scale

from infill_network import ROW_LAYERS, Config, InfillNetwork, Llama, RowReader


class Exported(nn.Module):
    """The network with whitening folded into the projections, on one prompt at positions 0, 1, ...: in plain operators."""
    def __init__(self, net: InfillNetwork, model: Llama):
        super().__init__()
        self.net, self.cos, self.sin = net, model.cos, model.sin
        self.rows, self.differences = folded(net.rows), folded(net.differences)

    def read(self, reader, rows, present):
        return F.linear(((rows - reader.mean) * present[..., None]).flatten(2), reader.weight) + (1 - present) @ reader.missing

    def forward(self, ids, rows, rows_present, differences, differences_present):
        c, t = self.net.c, ids.shape[1] + 1
        cos, sin, at = self.cos[:t], self.sin[:t], torch.arange(t)
        later = (at[None, :] > at[:, None]).float()
        read = self.read(self.rows, rows, rows_present) + self.read(self.differences, differences, differences_present)
        x = F.embedding(torch.cat((torch.zeros_like(ids[:, :1]), ids), 1), self.net.embed.weight)
        x = x + torch.cat((torch.zeros_like(read[:, :1]), read), 1)

        def rotate(y):
            half = c.head_dim // 2
            return y * cos + torch.cat((-y[..., half:], y[..., :half]), -1) * sin

        for block, bias in zip(self.net.blocks, self.net.future):
            a, y = block.self_attn, block.input_layernorm(x)
            q = a.q_proj(y).view(1, -1, c.num_attention_heads, c.head_dim).transpose(1, 2)
            k, v = (p(y).view(1, -1, c.num_key_value_heads, c.head_dim).transpose(1, 2) for p in (a.k_proj, a.v_proj))
            group = c.num_attention_heads // c.num_key_value_heads
            k, v = rotate(k).repeat_interleave(group, 1), v.repeat_interleave(group, 1)
            weights = torch.softmax(rotate(q) @ k.transpose(2, 3) / c.head_dim**0.5 + bias[:, None, None] * later, -1)
            x = x + a.o_proj((weights @ v).transpose(1, 2).reshape(1, -1, c.num_attention_heads * c.head_dim))
            y = block.post_attention_layernorm(x)
            gate = block.mlp.gate_proj(y)
            x = x + block.mlp.down_proj(gate * torch.sigmoid(gate) * block.mlp.up_proj(y))
        return (self.net.norm(x[:, :-1]) @ self.net.embed.weight.T)[..., :c.vocab_size]


def folded(reader: RowReader) -> nn.Module:
    """Whitening and projection as one matrix."""
    out, (layers, width) = nn.Module(), reader.mean.shape
    parts = reader.project.weight.view(width, layers, width)
    out.weight = nn.Parameter(torch.cat([parts[:, at] @ reader.whitening[at].T for at in range(layers)], 1))
    out.mean, out.missing = nn.Parameter(reader.mean.clone()), nn.Parameter(reader.missing.clone())
    return out


def smaller(graph: onnx.GraphProto) -> None:
    """Replaces large constants by small integers with a scale for each run of BLOCK elements; the graph widens them when it runs."""
    kept, wideners = [], []
    for tensor in graph.initializer:
        x, name = numpy_helper.to_array(tensor), tensor.name
        if x.dtype != numpy.float32 or x.ndim != 2 or x.shape[1] <= Config.head_dim:
            kept.append(tensor)
            continue
        bits = 4 if Config.intermediate_size in x.shape else 8  # the feed-forward matrices are most of it and bear most
        kind, most = (onnx.TensorProto.INT4, 7) if bits == 4 else (onnx.TensorProto.INT8, 127)
        blocks = x.reshape(x.shape[0], -1, BLOCK)
        scale = (numpy.abs(blocks).max(-1) / most + 1e-12).astype(numpy.float16).astype(numpy.float32)
        small = numpy.round(blocks / scale[..., None]).clip(-most, most).reshape(x.shape).astype(numpy.int8)
        packed = small.flatten() if bits == 8 else (small.flatten()[0::2] & 15) | (small.flatten()[1::2] << 4)
        kept.append(helper.make_tensor(f"{name}_small", kind, x.shape, packed.astype(numpy.int8).tobytes(), raw=True))
        kept.append(numpy_helper.from_array(scale.astype(numpy.float16), f"{name}_scale"))
        wideners.append(helper.make_node("Cast", [f"{name}_scale"], [f"{name}_wide"], to=onnx.TensorProto.FLOAT))
        wideners.append(helper.make_node("DequantizeLinear", [f"{name}_small", f"{name}_wide"], [name], axis=1, block_size=BLOCK))
    del graph.initializer[:]
    graph.initializer.extend(kept)
    nodes = [*wideners, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--model", type=Path, required=True)
    args.add_argument("--weights", type=Path, required=True)
    args.add_argument("--out", type=Path, required=True)
    args.add_argument("--trained", default="", help="a sentence on the training run, kept in infill.json")
    o = args.parse_args()
    c = Config()
    model, net = Llama(c).eval(), InfillNetwork(c).eval()
    net.load_state_dict(torch.load(o.weights))
    exported = Exported(net, model).eval()
    torch.manual_seed(0)
    t, width, layers = 40, c.hidden_size, len(ROW_LAYERS)
    present = torch.randint(0, 2, (1, t, layers)).float()
    example = (torch.randint(0, c.vocab_size + 1, (1, t)), torch.randn(1, t, layers, width), present,
               torch.randn(1, t, layers, width) * 0.1, present)
    names = ["ids", "rows", "rows_present", "differences", "differences_present"]
    o.out.mkdir(parents=True, exist_ok=True)
    file = o.out / "infill.onnx"
    with torch.no_grad():
        torch.onnx.export(exported, example, str(file), input_names=names, output_names=["logits"], opset_version=20, dynamo=False, do_constant_folding=False,
                          dynamic_axes={**{name: {1: "positions"} for name in names}, "logits": {1: "positions"}})
    graph = onnx.load(str(file))
    graph = onnx.version_converter.convert_version(graph, 21)  # 4-bit integers
    smaller(graph.graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, str(file))
    about = {"model": o.model.resolve().name, "rowLayers": list(ROW_LAYERS), "width": width, "vocabulary": c.vocab_size,
             "mask": c.vocab_size, "trained": o.trained}
    (o.out / "infill.json").write_text(json.dumps(about, indent=2) + "\n")
    with torch.no_grad():
        exact = net(*example[:5], model.cos, model.sin)
        plain = exported(*example)
    from onnx.reference import ReferenceEvaluator
    found = ReferenceEvaluator(graph).run(None, {n: e.numpy() for n, e in zip(names, example)})[0]
    print(f"{file.stat().st_size} bytes; folded differs by {(plain - exact).abs().max():.2g}, small weights by "
          f"{numpy.abs(found - exact.numpy()).max():.2g}, of logits up to {exact.abs().max():.3g}")


if __name__ == "__main__":
    main()
