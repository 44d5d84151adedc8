"""Writes strings with the ids that Python's `tokenizers` gives them, for check.mjs to compare.

    python cases.py --model ../default --build build && node check.mjs ../default build/cases.json
"""
import argparse
import json
from pathlib import Path

from tokenizers import Tokenizer

from bpe import read

ODD = ["", " ", "\n", "\n\n", "  two  spaces  ", "tab\there", "line\nline\n\nline \n", "\r\nwindows\r\n", "007 1,234.50 3rd 1984-11-23",
       "caf\u00e9 na\u00efve \u00dcber", "\u201cquoted\u201d \u2018it\u2019s\u2019 \u2014 \u2026", "\u4f60\u597d\uff0c\u4e16\u754c", "\u041f\u0440\u0438\u0432\u0435\u0442",
       "\u0645\u0631\u062d\u0628\u0627", "\U0001f600\U0001f469\u200d\U0001f680 ok", "e\u0301 vs \u00e9", "I'll we've he's THEY'RE don't",
       "a_b-c--d...e", "<|endoftext|>", "one<|endoftext|>two", " <|endoftext|> ", "<|endoftext", "\u00a0nbsp\u3000wide", "x" * 70, "\u0661\u0662\u0663 \u00bd \u00b2",
       "https://example.org/?q=1&r=2#f", "{\"k\": [1, 2.5, null]}", "\u200bzero\u200bwidth", "\x00\x01 control", "\U00010348 gothic"]


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--model", type=Path, default=Path("../default"))
    args.add_argument("--build", type=Path, default=Path("build"))
    o = args.parse_args()
    tokenizer = Tokenizer.from_file(str(o.model / "tokenizer.json"))
    texts = list(ODD)
    for document in read(o.build / "heldout.jsonl"):
        text = document["text"]
        texts += [text[i:i + 400] for i in range(0, len(text), 997)]
    cases = []
    for text in texts:
        ids = tokenizer.encode(text).ids
        cases.append({"text": text, "ids": ids, "decoded": tokenizer.decode(ids, skip_special_tokens=False)})
    (o.build / "cases.json").write_text(json.dumps(cases))
    print(len(cases), "strings,", sum(c["decoded"] == c["text"] for c in cases), "come back unchanged")


if __name__ == "__main__":
    main()
