"""Times a model in PyTorch through transformers: what weir's unsharded pass is held against.

    pip install torch==2.13.0 transformers==5.23.0 gguf==0.19.0 accelerate safetensors==0.8.0
    python peer-torch.py MODEL.gguf [--tokens 128] [--steps 32] [--repeats 5]

Float32, one thread. Prints one JSON line: CPU seconds (user + system of this process, the least of the repeats) of a prefill with
logits of all rows, of one with logits of the last row alone, and of one decoded token with a cache.
"""
import argparse, json, os, resource
os.environ["OMP_NUM_THREADS"] = "1"
from pathlib import Path
import torch, transformers
from transformers import AutoModelForCausalLM


def cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def least(repeats: int, work) -> float:
    times = []
    for _ in range(repeats):
        start = cpu_seconds()
        work()
        times.append(cpu_seconds() - start)
    return min(times)


parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("model", type=Path)
parser.add_argument("--tokens", type=int, default=128)
parser.add_argument("--steps", type=int, default=32)
parser.add_argument("--repeats", type=int, default=5)
parser.add_argument("--attention", default="sdpa", choices=["sdpa", "eager"])
arguments = parser.parse_args()

torch.set_num_threads(1)
model = AutoModelForCausalLM.from_pretrained(
    arguments.model.parent, gguf_file=arguments.model.name, dtype=torch.float32, attn_implementation=arguments.attention
).eval()
ids = torch.arange(arguments.tokens).remainder(model.config.vocab_size - 200)[None] + 100


@torch.no_grad()
def decode() -> None:
    past = model(ids, use_cache=True, logits_to_keep=1)
    token = past.logits[:, -1:].argmax(-1)
    start = cpu_seconds()
    for _ in range(arguments.steps):
        past = model(token, past_key_values=past.past_key_values, use_cache=True)
        token = past.logits[:, -1:].argmax(-1)
    decode.times.append((cpu_seconds() - start) / arguments.steps)


decode.times = []
with torch.no_grad():
    model(ids)
    all_rows = least(arguments.repeats, lambda: model(ids))
    last_row = least(arguments.repeats, lambda: model(ids, logits_to_keep=1))
    least(arguments.repeats, decode)
print(json.dumps({
    "tokens": arguments.tokens,
    "prefillAllLogitsCpuSeconds": round(all_rows, 4),
    "prefillLastLogitsCpuSeconds": round(last_row, 4),
    "decodeCpuSecondsPerToken": round(min(decode.times), 4),
    "torch": torch.__version__,
    "transformers": transformers.__version__,
    "attention": arguments.attention,
    "threads": torch.get_num_threads(),
}))
