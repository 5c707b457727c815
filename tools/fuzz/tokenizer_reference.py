"""Runs with the references' Python: `forms TEXT FOLDER` writes files, `answer FILE` the library's tokens and texts.

The forms are those of `tokenizer.json` in which models are published that are no byte-level byte-pair encoding. Their
vocabularies are trained on a text, by SentencePiece and by the library, and are small: words fall into many tokens.
"""

from __future__ import annotations

import base64
import io
import json
import sys
from pathlib import Path
from typing import Any

LIMIT = 3000
"""Tokens of a vocabulary."""

Part = dict[str, Any]


def sentencepiece(lines: list[str], normalization: str, **options: Any) -> tuple[list[tuple[str, float]], str]:
    """The tokens of a Unigram model with their scores, and its table of replacements."""
    import sentencepiece as library  # type: ignore[import-not-found]
    from sentencepiece import sentencepiece_model_pb2

    written = io.BytesIO()
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=written,
        vocab_size=LIMIT,
        hard_vocab_limit=False,
        character_coverage=0.999,
        minloglevel=2,
        normalization_rule_name=normalization,
        **options,
    )
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(written.getvalue())
    table = base64.b64encode(model.normalizer_spec.precompiled_charsmap).decode()
    return [(piece.piece, piece.score) for piece in model.pieces], table


def added(names: list[str], **flags: bool) -> list[Part]:
    """Added tokens, numbered from 0 on."""
    all_flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} | flags
    return [{"id": at, "content": name, **all_flags} for at, name in enumerate(names)]


def sequence(key: str, *parts: Part) -> Part:
    """Several parts in a row."""
    return {"type": "Sequence", key: list(parts)}


def metaspace(scheme: str = "always") -> Part:
    """A sign for each space, and words that begin with one."""
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": True}


def replace(kind: str, pattern: str, content: str) -> Part:
    """Writes something else for each match."""
    return {"type": "Replace", "pattern": {kind: pattern}, "content": content}


def unigrams(lines: list[str]) -> dict[str, Part]:
    """Files with a Unigram model."""
    vocabulary, table = sentencepiece(lines, "nmt_nfkc")
    lower, lower_table = sentencepiece([line.lower() for line in lines], "nmt_nfkc_cf")
    spelled, _ = sentencepiece(lines, "identity", byte_fallback=True)
    names = [name for name, _ in vocabulary[:3]]
    spaces = replace("Regex", " {2,}", " ")
    quotes = [replace("String", "``", '"'), replace("String", "''", '"')]

    def file(pieces: list[tuple[str, float]], normalizer: Part | None, before: Part, fallback: bool = False) -> Part:
        model = {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": fallback}
        tokens = added(names)
        return {"added_tokens": tokens, "normalizer": normalizer, "pre_tokenizer": before, "decoder": metaspace()} | {
            "model": model
        }

    precompiled = {"type": "Precompiled", "precompiled_charsmap": table}
    apart = sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace())
    parts = [{"type": "NFKD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]
    llama = [replace("String", "▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}]
    llama.append({"type": "Strip", "content": " ", "start": 1, "stop": 0})
    folded = {"type": "Precompiled", "precompiled_charsmap": lower_table}
    strip = {"type": "Strip", "strip_left": True, "strip_right": True}
    return {
        "t5": file(vocabulary, precompiled, apart),
        "xlm-roberta": file(vocabulary, sequence("normalizers", precompiled, spaces), metaspace()),
        "albert": file(lower, sequence("normalizers", *quotes, *parts, folded, spaces), apart),
        "deberta": file(vocabulary, sequence("normalizers", strip, precompiled, spaces), metaspace()),
        "nmt": file(vocabulary, sequence("normalizers", {"type": "Nmt"}, {"type": "NFKC"}, spaces), metaspace()),
        "bytes": file(spelled, None, metaspace(), fallback=True) | {"decoder": sequence("decoders", *llama)},
        "whole": file(vocabulary, replace("String", " ", "▁"), {"type": "Split", "pattern": {"String": " "}}
                      | {"behavior": "MergedWithPrevious", "invert": False}),
    }  # fmt: skip


def word_pieces(lines: list[str]) -> dict[str, Part]:
    """Files with a model of BERT's kind."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, trainers

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    files = {}
    for name, lower, accents in (("uncased", True, None), ("cased", False, None), ("accents", True, False)):
        library = Tokenizer(models.WordPiece(unk_token="[UNK]"))
        library.normalizer = normalizers.BertNormalizer(lowercase=lower, strip_accents=accents)
        library.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        library.train_from_iterator(lines, trainers.WordPieceTrainer(vocab_size=LIMIT, special_tokens=names))
        file = json.loads(library.to_str())
        files[f"bert-{name}"] = file | {"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True}}
    plain = files["bert-cased"] | {"normalizer": {"type": "NFC"}}
    befores: dict[str, Part] = {
        "whitespace": {"type": "Whitespace"},
        "punctuation": sequence("pretokenizers", {"type": "WhitespaceSplit"}, {"type": "Punctuation"}),
        "contiguous": sequence(
            "pretokenizers", {"type": "Whitespace"}, {"type": "Punctuation", "behavior": "Contiguous"}
        ),
        "delimiter": {"type": "CharDelimiterSplit", "delimiter": " "},
    }
    for behavior in ("MergedWithPrevious", "MergedWithNext", "Contiguous", "Removed", "Isolated"):
        pattern = {"Regex": r"\s+|\p{P}"}
        for invert in (False, True):
            befores[f"{behavior}-{invert}"] = {"type": "Split", "pattern": pattern, "behavior": behavior} | {
                "invert": invert
            }
    levels = {"type": "WordLevel", "unk_token": "[UNK]", "vocab": plain["model"]["vocab"]}
    files |= {name: plain | {"pre_tokenizer": before} for name, before in befores.items()}
    decoders: dict[str, Part | None] = {"no-decoder": None, "suffix": {"type": "BPEDecoder", "suffix": "e"}}
    files |= {name: plain | {"decoder": decoder} for name, decoder in decoders.items()}
    return files | {"words": plain | {"pre_tokenizer": {"type": "Whitespace"}, "model": levels}}


def write(text: Path, folder: Path) -> None:
    """Writes a file of each form into a folder."""
    lines = [line for line in text.read_text(encoding="utf-8").splitlines() if line.strip()]
    for name, file in (unigrams(lines) | word_pieces(lines)).items():
        whole = {"version": "1.0", "post_processor": None} | file
        (folder / f"{name}.json").write_text(json.dumps(whole), encoding="utf-8")


def answer(path: str) -> None:
    """For each text, or list of ids, a line of JSON each, writes its ids and what they are decoded to."""
    from tokenizers import Tokenizer

    library = Tokenizer.from_file(path)
    for line in sys.stdin:
        case = json.loads(line)
        ids = library.encode(case, add_special_tokens=False).ids if isinstance(case, str) else case
        print(json.dumps([ids, library.decode(ids)]), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "forms":
        write(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        answer(sys.argv[2])
