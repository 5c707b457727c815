"""Random models of sentence-transformers against the library itself: `just fuzz embeddings --rounds 1000`.

Each round is a folder of its own: modules in any number and order that makes sense, options in either form, prompts and
lengths. A folder that the library refuses must be refused here, too, and none may be taken for another.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

from environment import ROOT, arguments, reference_python

WAYS = ["cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken"]
SWITCHES = {way: f"pooling_mode_{way}" for way in ("mean_sqrt_len_tokens", "lasttoken")} | {
    "cls": "pooling_mode_cls_token",
    "max": "pooling_mode_max_tokens",
    "mean": "pooling_mode_mean_tokens",
    "weightedmean": "pooling_mode_weightedmean_tokens",
}


def main() -> int:
    """Runs the rounds; the number of differences is printed."""
    sys.path.insert(0, str(ROOT / "tests" / "python"))
    models = import_module("sentences")
    if "--reference" in sys.argv:
        return reference()
    given = arguments(__doc__)
    numbers = given.random
    worker = [str(reference_python()), __file__, "--reference"]
    differences = refused = 0
    import trillm

    with (
        tempfile.TemporaryDirectory() as scratch,
        subprocess.Popen(worker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other,
    ):
        assert other.stdin is not None
        assert other.stdout is not None
        for index in range(given.rounds):
            case, folder = drawn(models, numbers, f"{given.seed}-{index}"), Path(scratch) / "round"
            models.write(case, folder)
            call = {name: value for name, value in case.call.items() if name != "truncate"}
            # Both look at the same folder at the same time.
            other.stdin.write(json.dumps([str(folder), case.texts, call]) + "\n")
            other.stdin.flush()
            found = ours(trillm, folder, case)
            expected = json.loads(other.stdout.readline())
            shutil.rmtree(folder)
            refused += expected is None
            if not agree(found, expected):
                differences += 1
                print(f"round {index}: {case}\n  found {found}\n  expected {expected}", flush=True)
        other.stdin.close()
    print(f"{given.rounds} rounds, {refused} refused by both, {differences} differences")
    return 1 if differences else 0


def drawn(models: Any, numbers: random.Random, name: str) -> Any:
    """A random model and call."""
    width = models.WIDTH
    ways = [numbers.choice(WAYS) for _ in range(numbers.choice([1, 1, 1, 2, 3]))]
    config: dict[str, Any] = {"embedding_dimension": width}
    if numbers.random() < 0.5:
        config |= {"pooling_mode": ways if len(ways) > 1 or numbers.random() < 0.3 else ways[0]}
    else:
        ways = [way for way in WAYS if way in ways]
        config |= {switch: way in ways for way, switch in SWITCHES.items()}
    if numbers.random() < 0.3:
        config["include_prompt"] = numbers.random() < 0.3
    modules: list[tuple[str, Any]] = [("Pooling", config)]
    width *= len(ways)
    for _ in range(numbers.choice([0, 0, 1, 1, 2, 3])):
        kind = numbers.choice(["Dense", "Dense", "Normalize", "LayerNorm", "Dropout"])
        if kind == "Dense":
            outputs = numbers.choice([width, numbers.randint(1, 48)])
            known = [*models.FUNCTIONS, None] if numbers.random() < 0.95 else ["Threshold"]
            function = numbers.choice(known)
            settings: dict[str, Any] = {"in_features": width, "out_features": outputs, "bias": numbers.random() < 0.7}
            if function is not None:
                settings["activation_function"] = f"torch.nn.modules.activation.{function}"
            if numbers.random() < 0.3:
                settings["use_residual"] = True
            modules.append((kind, settings))
            width = outputs
        else:
            named = {"Normalize": None, "LayerNorm": {"dimension": width}, "Dropout": {"dropout": 0.1}}
            modules.append((kind, named[kind]))
    files: dict[str, Any] = {}
    if numbers.random() < 0.5:
        query = numbers.choice(["find: ", "find: ", "[MASK] Find[SEP]: ", "[CLS]"])
        settings = {"prompts": {"query": query, "passage": "a text "}}
        settings |= {"default_prompt_name": numbers.choice([None, "query", "passage"])}
        settings |= {"truncate_dim": numbers.randint(1, 40)} if numbers.random() < 0.3 else {}
        files["config_sentence_transformers.json"] = settings
    if numbers.random() < 0.5:
        settings = {"max_seq_length": numbers.choice([None, numbers.randint(12, 64)])}
        files["sentence_bert_config.json"] = settings | {"do_lower_case": numbers.random() < 0.5}
    if numbers.random() < 0.3:
        side = numbers.choice(["left", "right"])
        files["tokenizer_config.json"] = {"truncation_side": side, "model_max_length": numbers.randint(12, 64)}
    call: dict[str, Any] = {"truncate": True}
    call |= numbers.choice([{}, {}, {"prompt": "of the "}, {"prompt": ""}, {"prompt_name": "query"}])
    words = ["the", "The", "cat", "and", "x", "UPPER", "ab", ".", "é", "abcdef", ""]
    texts = [" ".join(numbers.choice(words) for _ in range(numbers.choice([1, 3, 8, 30]))) for _ in range(3)]
    path, base = numbers.choice(["", "", "0_Transformer"]), numbers.choice(["bert", "bert", "qwen3"])
    modules = modules if numbers.random() < 0.95 else []
    path = path if modules else ""
    texts = [text if text.strip() else "x" for text in texts]
    saved = numbers.choice(["safetensors", "pytorch", "turned"])
    return models.Case(name, base, modules, files, numbers.random() < 0.5, path, saved, call, texts)


def ours(trillm: Any, folder: Path, case: Any) -> Any:
    """Our vectors; `None` for a refusal."""
    try:
        with warnings.catch_warnings(), trillm.load(folder, threads=1, cache_type="f32") as model:
            warnings.simplefilter("ignore")
            return model.embed(case.texts, normalize=False, **case.call).tolist()
    except trillm.errors.TrillmError as error:
        print(f"  refused here: {error}", file=sys.stderr)
        return None


def agree(found: Any, expected: Any) -> bool:
    """Whether both are refused, or near enough: a refusal here of what the library does is a difference, too."""
    if found is None or expected is None:
        return found is None and expected is None
    if [len(row) for row in found] != [len(row) for row in expected]:
        return False
    pairs = [pair for rows in zip(found, expected, strict=True) for pair in zip(*rows, strict=True)]
    return all(abs(this - that) <= 1e-4 * max(1, abs(that)) for this, that in pairs)


def reference() -> int:
    """The other side: a folder, texts and parameters on each line of the input, vectors on each of the output."""
    import torch  # type: ignore[import-not-found]
    from sentence_transformers import SentenceTransformer  # type: ignore[import-not-found]

    torch.set_num_threads(1)
    import_module("transformers").logging.disable_progress_bar()
    for line in sys.stdin:
        folder, texts, call = json.loads(line)
        try:
            model = SentenceTransformer(folder, device="cpu", local_files_only=True)
            vectors = model.encode(texts, **call, show_progress_bar=False).tolist()
        except Exception as error:  # Whatever it raises is a refusal.
            print(f"  refused there: {error!r}"[:300], file=sys.stderr)
            vectors = None
        print(json.dumps(vectors), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
