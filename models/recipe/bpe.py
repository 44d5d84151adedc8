"""Trains the byte-level BPE tokenizer on the training text and encodes both splits.

    python bpe.py --build build --out ../default

Writes tokenizer.json and tokenizer_config.json to --out, and train.npy / heldout.npy (uint16 token ids, every
document preceded by <|endoftext|>) to --build.
"""
import argparse
import json
from pathlib import Path

import numpy
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

VOCAB, CONTEXT, END = 2048, 512, "<|endoftext|>"


def read(path: Path) -> list[dict]:
    """The documents of a .jsonl file."""
    with open(path) as lines:
        return [json.loads(line) for line in lines]


def train(texts: list[str]) -> Tokenizer:
    """A byte-level BPE tokenizer; digits stand alone, <|endoftext|> is id 0, no token is added to a text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=VOCAB, special_tokens=[END], show_progress=False,
                                  initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def encode(tokenizer: Tokenizer, texts: list[str]) -> numpy.ndarray:
    """All texts as one row of ids."""
    end, ids = tokenizer.token_to_id(END), []
    for encoding in tokenizer.encode_batch(texts):
        ids += [end, *encoding.ids]
    return numpy.array(ids, dtype=numpy.uint16)


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--build", type=Path, default=Path("build"))
    args.add_argument("--out", type=Path, default=Path("../default"))
    options = args.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    splits = {name: [d["text"] for d in read(options.build / f"{name}.jsonl")] for name in ("train", "heldout")}
    tokenizer = train(splits["train"])
    tokenizer.save(str(options.out / "tokenizer.json"))
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": END, "eos_token": END, "add_bos_token": False,
              "add_eos_token": False, "clean_up_tokenization_spaces": False, "model_max_length": CONTEXT}
    (options.out / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")
    for name, texts in splits.items():
        ids = encode(tokenizer, texts)
        numpy.save(options.build / f"{name}.npy", ids)
        print(f"{name}: {len(ids)} tokens, {sum(map(len, texts)) / len(ids):.3f} bytes per token")


if __name__ == "__main__":
    main()
