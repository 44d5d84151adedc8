"""heldout.txt: 120 passages of State of the Union addresses that the default model was not trained on, one a line.

Run after models/recipe/data.py, from this folder: python make.py ../../../models/recipe/build/heldout.jsonl > heldout.txt
Works of the United States Government (dataset dedicated CC0). Every passage begins with a sentence and has at least 760 characters.
"""
import json
import re
import sys

COUNT, LENGTH = 120, 760
passages = []
for line in open(sys.argv[1]):
    document = json.loads(line)
    if document["source"] != "sotu":
        continue
    sentences, current = re.split(r"(?<=[.!?])\s+(?=[A-Z])", document["text"].replace("\n", " ")), ""
    for sentence in sentences:
        current = f"{current} {sentence}".strip()
        if len(current) >= LENGTH:
            passages.append(current[:LENGTH].rsplit(" ", 1)[0])
            current = ""
step = len(passages) / COUNT
print("\n".join(passages[int(at * step)] for at in range(COUNT)))
