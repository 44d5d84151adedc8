"""Prints samples of the exported model (transformers, float32).

    python sample.py --model ../default
"""
import argparse
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

PROMPTS = ["The people of the United States", "Once upon a time there was a little", "It was a dark night, and the sea",
           '"My dear Emma," said he,']


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--model", type=Path, default=Path("../default"))
    args.add_argument("--tokens", type=int, default=64)
    args.add_argument("--seed", type=int, default=1)
    o = args.parse_args()
    tokenizer = PreTrainedTokenizerFast.from_pretrained(o.model)
    model = AutoModelForCausalLM.from_pretrained(o.model, dtype=torch.float32).eval()
    for prompt in PROMPTS:
        ids = tokenizer(prompt, return_tensors="pt").input_ids
        for name, how in (("greedy", dict(do_sample=False)), ("temperature 0.8", dict(do_sample=True, temperature=0.8, top_k=0))):
            torch.manual_seed(o.seed)
            out = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=o.tokens, pad_token_id=0, **how)
            print(f"[{name}] {tokenizer.decode(out[0])}\n")


if __name__ == "__main__":
    main()
