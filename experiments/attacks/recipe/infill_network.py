"""The infill network: the default model's own blocks, made bidirectional, that read visible tokens and the rows of their positions."""
import sys
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "models" / "recipe"))
from model import Block, Config, Llama, Norm  # noqa: E402

ROW_LAYERS = (1, 2, 4, 8)     # layers whose input rows are read (8: after the last layer, before the final norm)
FUTURE_BIAS = -3.0          # what attention to later positions starts with: next to nothing, as the model knows none


def model_rows(model: Llama, ids, known):
    """Rows before each of ROW_LAYERS where attention sees known positions alone: ids, known [B, N] -> [B, N, len(ROW_LAYERS), d].

    With all positions known these are the true rows; with the visible ones, the rows as if nothing else were in the prompt. The
    difference at a visible position is what the hidden tokens contributed.
    """
    t, c = ids.shape[1], model.config
    causal = torch.ones(t, t, dtype=torch.bool).tril()
    seen = (causal & known[:, None, :]) | torch.eye(t, dtype=torch.bool)
    x, rows = model.model.embed_tokens(ids), []
    for layer in range(c.num_hidden_layers + 1):
        if layer in ROW_LAYERS:
            rows.append(x.float())
        if layer < c.num_hidden_layers:
            block = model.model.layers[layer]
            x = x + attention(block.self_attn, block.input_layernorm(x), model.cos[:t], model.sin[:t], seen[:, None])
            x = x + block.mlp(block.post_attention_layernorm(x))
    return torch.stack(rows, 2)


def attention(a, x, cos, sin, mask):
    """A block's attention with a mask that broadcasts to [B, heads, N, N]: booleans, or what is added to the logits."""
    b, t, _ = x.shape
    q, k, v = (p(x).view(b, t, -1, a.c.head_dim).transpose(1, 2) for p in (a.q_proj, a.k_proj, a.v_proj))

    def rotate(y):
        first, second = y.chunk(2, -1)
        return (y * cos + torch.cat((-second, first), -1) * sin).to(v.dtype)

    group = a.c.num_attention_heads // a.c.num_key_value_heads
    k, v = rotate(k).repeat_interleave(group, 1), v.repeat_interleave(group, 1)
    mask = mask if mask.dtype == torch.bool else mask.to(v.dtype)
    y = F.scaled_dot_product_attention(rotate(q), k, v, attn_mask=mask)
    return a.o_proj(y.transpose(1, 2).reshape(b, t, -1))


class RowReader(nn.Module):
    """Whitened rows of the layers that are there, projected and summed; `present` [B, N, layers] is 0 where a row is missing."""
    def __init__(self, width: int):
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(ROW_LAYERS), width))
        self.register_buffer("whitening", torch.eye(width).repeat(len(ROW_LAYERS), 1, 1))
        self.project = nn.Linear(len(ROW_LAYERS) * width, width, bias=False)
        self.missing = nn.Parameter(torch.zeros(len(ROW_LAYERS), width))
        nn.init.normal_(self.project.weight, std=0.02 / len(ROW_LAYERS))

    def fit(self, rows):
        """Mean and PCA whitening of rows [n, layers, width]; directions with hardly any variance are not blown up."""
        for layer in range(rows.shape[1]):
            x = rows[:, layer].double()
            values, vectors = torch.linalg.eigh(torch.cov(x.T))
            scale = (values + 1e-3 * values.mean()).rsqrt()
            self.mean[layer] = x.mean(0)
            self.whitening[layer] = vectors * scale

    def forward(self, rows, present):
        white = torch.einsum("bnld,lde->bnle", rows - self.mean, self.whitening) * present[..., None]
        return self.project(white.flatten(2)) + (1 - present) @ self.missing


class InfillNetwork(nn.Module):
    """The model's blocks with a way into the future, and rows beside the tokens.

    Everything is one place later than in the prompt, with <|endoftext|> before it: what comes out at a place is the token of the next
    one, as in the model itself, so that training starts from a language model. ids [B, N] (the mask id where hidden), rows and
    differences [B, N, layers, d], which of both are there [B, N, layers] -> logits [B, N, V].
    """
    def __init__(self, c: Config):
        super().__init__()
        self.c = c
        self.embed = nn.Embedding(c.vocab_size + 1, c.hidden_size)
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.num_hidden_layers))
        self.future = nn.Parameter(torch.full((c.num_hidden_layers, c.num_attention_heads), FUTURE_BIAS))
        self.norm = Norm(c.hidden_size, c.rms_norm_eps)
        self.rows, self.differences = RowReader(c.hidden_size), RowReader(c.hidden_size)

    def start_from(self, model: Llama) -> None:
        """Takes the model's embedding, blocks and norm: half of what an infiller needs is knowing the language."""
        with torch.no_grad():
            self.embed.weight[:-1] = model.model.embed_tokens.weight
            self.embed.weight[-1] = model.model.embed_tokens.weight.mean(0)
        self.blocks.load_state_dict(model.model.layers.state_dict())
        self.norm.load_state_dict(model.model.norm.state_dict())

    def forward(self, ids, rows, rows_present, differences, differences_present, cos, sin):
        x = F.pad(self.rows(rows, rows_present) + self.differences(differences, differences_present), (0, 0, 1, 0))
        x = x + self.embed(F.pad(ids, (1, 0)))
        t = x.shape[1]
        later = torch.ones(t, t).triu(1)
        for block, bias in zip(self.blocks, self.future):
            x = x + attention(block.self_attn, block.input_layernorm(x), cos[:t], sin[:t], bias[:, None, None] * later)
            x = x + block.mlp(block.post_attention_layernorm(x))
        return F.linear(self.norm(x[:, :-1]), self.embed.weight[:-1])
