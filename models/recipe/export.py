"""Exports a checkpoint as float16 in the form that Hugging Face's LlamaForCausalLM loads.

    python export.py --build build --out ../default

Writes config.json, generation_config.json, model.safetensors and heldout.txt (short prompts from the held-out text).
Files are replaced in one go, so a reader never sees half a file.
"""
import argparse
import json
import os
import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from bpe import CONTEXT, read
from model import Config

PROMPTS, LEAST, MOST = 40, 8, 30  # number of prompts; words in a prompt


def replace(path: Path, write) -> None:
    """Calls write(temporary path), then renames."""
    part = path.with_name(path.name + ".part")
    write(part)
    part.chmod(0o644)
    os.replace(part, path)


def prompts(documents: list[dict]) -> list[str]:
    """The openings of whole sentences, spread evenly over the held-out documents."""
    found = []
    for document in documents:
        sentences = re.split(r"(?<=[.!?])\s+", document["text"])
        places = [int(len(sentences) * f) for f in (0.2, 0.5, 0.8)]
        for place in places:
            fitting = [s for s in sentences[place:] if LEAST + 4 <= len(s.split()) <= 60 and s[0].isupper() and '"' not in s]
            if fitting:
                words = fitting[0].split()
                keep = max(LEAST, min(MOST, len(words) * 2 // 3))
                found.append(" ".join(words[:keep]))
    found = list(dict.fromkeys(found))
    return [found[i * len(found) // PROMPTS] for i in range(PROMPTS)]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--build", type=Path, default=Path("build"))
    args.add_argument("--out", type=Path, default=Path("../default"))
    o = args.parse_args()
    config = Config()
    assert config.max_position_embeddings == CONTEXT
    weights = load_file(o.build / "checkpoint.safetensors")
    half = {name: tensor.to(torch.float16).contiguous() for name, tensor in weights.items()}
    assert all(tensor.isfinite().all() for tensor in half.values())
    generation = {"bos_token_id": 0, "eos_token_id": 0, "do_sample": True, "temperature": 0.8, "top_k": 50}
    replace(o.out / "config.json", lambda p: p.write_text(json.dumps(config.to_json(), indent=2) + "\n"))
    replace(o.out / "generation_config.json", lambda p: p.write_text(json.dumps(generation, indent=2) + "\n"))
    replace(o.out / "model.safetensors", lambda p: save_file(half, p, metadata={"format": "pt"}))
    lines = prompts(read(o.build / "heldout.jsonl"))
    replace(o.out / "heldout.txt", lambda p: p.write_text("\n".join(lines) + "\n"))
    total = sum(f.stat().st_size for f in o.out.iterdir())
    print(f"{sum(t.numel() for t in half.values())} parameters; all files {total} bytes")
    assert total <= 8 * 2**20


if __name__ == "__main__":
    main()
