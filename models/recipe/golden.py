"""Reference outputs of the exported model by transformers, in float32, for one prompt.

    python golden.py --model ../default --out ../../tests/fixtures/default-golden.safetensors

  input_ids   int64 [T]           the prompt
  hidden.I    float32 [T, 192]    transformers' hidden_states[I]: 0 is the embedding output, I after block I
                                  (the last one has had the final norm)
  logits      float32 [T, 2048]
  greedy      int64 [G]           the G tokens that greedy decoding appends
"""
import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

PROMPT = ("The whale swam slowly past the ship, and the captain, who had been silent all that morning, "
          "turned to his men and said that they must")
GREEDY = 48


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--model", type=Path, default=Path("../default"))
    args.add_argument("--out", type=Path, default=Path("../../tests/fixtures/default-golden.safetensors"))
    o = args.parse_args()
    torch.set_num_threads(1)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(o.model)
    model = AutoModelForCausalLM.from_pretrained(o.model, dtype=torch.float32, attn_implementation="eager").eval()
    ids = tokenizer(PROMPT, return_tensors="pt", add_special_tokens=False).input_ids
    with torch.no_grad():
        out = model(ids, output_hidden_states=True)
        text = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=GREEDY, do_sample=False,
                              pad_token_id=0)
    golden = {"input_ids": ids[0], "logits": out.logits[0].contiguous(), "greedy": text[0, ids.shape[1]:].contiguous()}
    golden |= {f"hidden.{i}": h[0].contiguous() for i, h in enumerate(out.hidden_states)}
    o.out.parent.mkdir(parents=True, exist_ok=True)
    save_file(golden, o.out)
    o.out.chmod(0o644)
    print(ids.shape[1], "tokens;", o.out.stat().st_size, "bytes;", tokenizer.decode(text[0]))


if __name__ == "__main__":
    main()
