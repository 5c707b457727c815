"""Writes `sentences.json`: the vectors and scores that sentence-transformers makes with the models of `sentences.py`.

    python -m pip install sentence-transformers
    python tests/python/make_sentences.py FOLDER

FOLDER is that of all-MiniLM-L6-v2; `trillm show all-minilm` names it.

Never run this to make a failing test pass.
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

import sentence_transformers  # type: ignore[import-not-found]
import torch  # type: ignore[import-not-found]
import transformers  # type: ignore[import-not-found]
from sentence_transformers import CrossEncoder, SentenceTransformer

# By its bare name, as it lies beside this program.
models = import_module("sentences")

HERE = Path(__file__).parent


def main() -> None:
    """Makes all of them."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    made: dict[str, Any] = {
        "versions": {
            "sentence_transformers": sentence_transformers.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__.split("+")[0],
        },
        "vectors": {},
        "scores": {},
    }
    for case in models.CASES:
        with tempfile.TemporaryDirectory() as folder:
            models.write(case, Path(folder))
            model = SentenceTransformer(folder, device="cpu", local_files_only=True)
            asked = {name: value for name, value in case.call.items() if name != "truncate"}
            made["vectors"][case.name] = rounded(model.encode(case.texts, **asked))
    for scorer in models.SCORERS:
        with tempfile.TemporaryDirectory() as folder:
            models.write_scorer(scorer, Path(folder))
            cross = CrossEncoder(folder, device="cpu", local_files_only=True)
            made["scores"][scorer.name] = rounded(cross.predict([tuple(pair) for pair in models.PAIRS]))
    minilm = SentenceTransformer(sys.argv[1], device="cpu", local_files_only=True)
    made["all-minilm"] = rounded(minilm.encode(models.SENTENCES))
    (HERE / "sentences.json").write_text(json.dumps(made, separators=(",", ":")).replace("]],", "]],\n") + "\n")


def rounded(numbers: Any) -> Any:
    """Seven digits, which is what 32 bits have."""
    if isinstance(numbers, list):
        return [rounded(number) for number in numbers]
    return float(f"{numbers:.7g}") if isinstance(numbers, float) else rounded(numbers.tolist())


if __name__ == "__main__":
    main()
