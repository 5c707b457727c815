"""Tiny models of sentence-transformers: for tests, for golden vectors, and for random cases against the library itself.

They are written by the standard library alone. The network is one of the golden models of `crates/candle/tests`, which
have no tokenizer; here each gets one, of single letters and a few words. What comes after the network is what a case
says.
"""

from __future__ import annotations

import json
import random
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["CASES", "FUNCTIONS", "PAIRS", "SCORERS", "Case", "Scorer", "write", "write_scorer"]

Json = dict[str, Any]

BASES = Path(__file__).resolve().parents[2] / "crates" / "candle" / "tests" / "golden"

WIDTH = 32

TEXTS = ["The cat sat on the mat.", "a dog", "x", "UPPER and lower, one two three: the end of it all is near"]

SENTENCES = [
    "A man is eating a piece of bread.",
    "Someone eats food.",
    "The stock market fell sharply today.",
    "Shares lost value.",
]

PAIRS = [
    ["the cat", "sat on the mat"],
    ["a dog", "x"],
    ["one two three the end of it all is near", "UPPER and lower: the end of it all is near too"],
]

OLD = "sentence_transformers.models."
NEW = {
    "Transformer": "sentence_transformers.base.modules.transformer.Transformer",
    "Pooling": "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
    "Dense": "sentence_transformers.base.modules.dense.Dense",
    "Normalize": "sentence_transformers.base.modules.normalize.Normalize",
    "LayerNorm": "sentence_transformers.sentence_transformer.modules.layer_norm.LayerNorm",
    "Dropout": "sentence_transformers.sentence_transformer.modules.dropout.Dropout",
}


@dataclass(frozen=True)
class Case:
    """A model, and how it is asked."""

    name: str
    base: str = "bert"
    # What comes after the network: the class, its configuration (`None`: no such file). Without any, no modules.json.
    modules: list[tuple[str, Json | None]] = field(default_factory=list)
    # Small files besides.
    files: Json = field(default_factory=dict)
    # The names of classes in modules.json: as they were, or as they are.
    new_names: bool = False
    # Where the network lies below the folder.
    path: str = ""
    # How the weights of modules are saved: `safetensors`, `pytorch`, `turned`, where matrices lie column by column, or
    # `older`, the form before PyTorch 1.6, turned as well.
    saved: str = "safetensors"
    # Parameters of the call.
    call: Json = field(default_factory=dict)
    texts: list[str] = field(default_factory=lambda: TEXTS)
    # What config.json says besides.
    config: Json = field(default_factory=dict)


def old(*modes: str) -> tuple[str, Json]:
    """A Pooling in the older form."""
    names = ["cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens", "weightedmean_tokens", "lasttoken"]
    return "Pooling", {"word_embedding_dimension": WIDTH, **{f"pooling_mode_{name}": name in modes for name in names}}


def new(mode: Any, **more: Any) -> tuple[str, Json]:
    """A Pooling in the newer form."""
    return "Pooling", {"embedding_dimension": WIDTH, "pooling_mode": mode, **more}


def dense(outputs: int, activation: str | None = None, inputs: int = WIDTH, **more: Any) -> tuple[str, Json]:
    """A Dense; without an activation the key is absent."""
    named = {} if activation is None else {"activation_function": f"torch.nn.modules.{activation}"}
    return "Dense", {"in_features": inputs, "out_features": outputs, "bias": True, **named, **more}


NORMALIZE: tuple[str, None] = ("Normalize", None)

PROMPTS: Json = {
    "prompts": {"query": "find: ", "passage": "a text, "},
    "default_prompt_name": "passage",
    "similarity_fn_name": "cosine",
}

SPECIAL: Json = {
    "cls_token": "[CLS]",
    "sep_token": "[SEP]",
    "unk_token": "[UNK]",
    "pad_token": "[PAD]",
    "mask_token": "[MASK]",
}

# What a case is called, the class of its tokenizer, and keys of tokenizer_config.json.
CLASSES: list[tuple[str, str, Json]] = [
    ("bert", "BertTokenizer", {}),
    ("bert-cased", "BertTokenizerFast", {"do_lower_case": False}),
    ("bert-accents", "BertTokenizer", {"strip_accents": False}),
    ("electra-chinese", "ElectraTokenizer", {"tokenize_chinese_chars": False}),
    ("distilbert", "DistilBertTokenizer", {"do_lower_case": False, "strip_accents": True}),
    ("convbert", "ConvBertTokenizerFast", {"do_lower_case": False}),
    ("mpnet", "MPNetTokenizer", {"bos_token": "[CLS]", "eos_token": "[SEP]"}),
    ("any", "PreTrainedTokenizerFast", {"do_lower_case": True, "tokenize_chinese_chars": False}),
]

FUNCTIONS = [
    "Tanh",
    "Sigmoid",
    "ReLU",
    "LeakyReLU",
    "ELU",
    "SELU",
    "GELU",
    "SiLU",
    "Mish",
    "Softplus",
    "Softsign",
    "Hardtanh",
    "RReLU",
    "Softmax",
    "Softmin",
    "LogSoftmax",
]

CASES = [
    *(Case(f"old-{mode}", modules=[old(mode)]) for mode in ("cls_token", "mean_tokens", "max_tokens", "lasttoken")),
    *(Case(f"old-{mode}", modules=[old(mode)]) for mode in ("mean_sqrt_len_tokens", "weightedmean_tokens")),
    Case("old-none", modules=[old()]),
    Case("old-several", modules=[old("lasttoken", "mean_tokens", "cls_token", "max_tokens")]),
    Case(
        "old-numbers",
        modules=[
            (
                "Pooling",
                {"word_embedding_dimension": WIDTH, "pooling_mode_cls_token": 0, "pooling_mode_max_tokens": 1},
            )
        ],
    ),
    # The second begins anew: what was made of the first is lost.
    Case("two-poolings", modules=[new(["max", "mean"]), dense(20, inputs=2 * WIDTH), NORMALIZE, new("cls"), dense(12)]),
    Case("new-name", modules=[new("cls")], new_names=True),
    Case("new-list", modules=[new(["weightedmean", "cls", "mean_sqrt_len_tokens"])], new_names=True),
    Case("new-list-of-one", modules=[new(["lasttoken"])], new_names=True),
    Case("both-forms", modules=[("Pooling", {**old("cls_token")[1], "pooling_mode": "max"})]),
    Case("normalize", modules=[new("mean"), NORMALIZE]),
    Case("normalize-early", modules=[NORMALIZE, new("mean")]),
    Case("dense-default", modules=[new("mean"), dense(20)]),
    Case("dense-no-bias", modules=[new("cls"), dense(48, "linear.Identity", bias=False), NORMALIZE]),
    Case("dense-two", modules=[new("mean"), dense(40, "activation.GELU"), dense(12, "linear.Identity", 40), NORMALIZE]),
    Case("dense-residual", modules=[new("mean"), dense(WIDTH, "activation.Tanh", use_residual=True)]),
    Case("dense-residual-projected", modules=[new("mean"), dense(24, "activation.ReLU", use_residual=True)]),
    Case("dense-residual-softmax", modules=[new("mean"), dense(24, "activation.Softmax", use_residual=True)]),
    *(
        Case(
            f"dense-{saved}",
            modules=[
                new("mean"),
                dense(24, "activation.Tanh", use_residual=True),
                ("LayerNorm", {"dimension": 24}),
                dense(7, "linear.Identity", 24),
            ],
            saved=saved,
        )
        for saved in ("pytorch", "turned", "older")
    ),
    Case("dense-wide", modules=[new(["cls", "mean"]), dense(16, "activation.Sigmoid", 2 * WIDTH)]),
    *(Case(f"function-{name}", modules=[new("mean"), dense(8, f"activation.{name}")]) for name in FUNCTIONS),
    Case("layer-norm", modules=[new("mean"), ("LayerNorm", {"dimension": WIDTH}), ("Dropout", {"dropout": 0.5})]),
    Case(
        "truncated-vectors",
        modules=[new("mean"), NORMALIZE],
        files={"config_sentence_transformers.json": {"truncate_dim": 7}},
    ),
    Case("network-below", modules=[new("mean")], path="0_Transformer"),
    Case(
        "lower-case",
        modules=[new("mean")],
        files={"sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": True}},
    ),
    Case("default-prompt", modules=[new("mean")], files={"config_sentence_transformers.json": PROMPTS}),
    Case(
        "named-prompt",
        modules=[new("mean")],
        files={"config_sentence_transformers.json": PROMPTS},
        call={"prompt_name": "query"},
    ),
    Case(
        "given-prompt",
        modules=[new("cls")],
        files={"config_sentence_transformers.json": PROMPTS},
        call={"prompt": "mat of "},
    ),
    *(
        Case(
            f"prompt-with-tokens{name}",
            modules=[new("mean", **settings)],
            files={
                "config_sentence_transformers.json": {
                    "prompts": {"q": "[MASK] The[SEP] of: "},
                    "default_prompt_name": "q",
                },
                **files,
            },
            # What is spelled like a token and came with the text is text: here in pieces, which the library reads so.
            texts=[*TEXTS, "a [ SEP ] dog", ""],
        )
        for name, settings, files in [
            ("", {}, {}),
            ("-left-out", {"include_prompt": False}, {}),
            ("-lower-case", {}, {"sentence_bert_config.json": {"do_lower_case": True}}),
        ]
    ),
    Case("no-prompt", modules=[new("mean")], files={"config_sentence_transformers.json": PROMPTS}, call={"prompt": ""}),
    *(
        Case(
            f"without-prompt-{mode}",
            modules=[new(mode, include_prompt=False)],
            files={"config_sentence_transformers.json": PROMPTS},
        )
        for mode in ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")
    ),
    Case(
        "cut",
        modules=[new("mean")],
        files={"sentence_bert_config.json": {"max_seq_length": 9}},
        call={"truncate": True},
    ),
    Case(
        "cut-by-call",
        modules=[new("mean")],
        files={
            "sentence_bert_config.json": {
                "max_seq_length": 9,
                "processing_kwargs": {"text": {"max_length": 7, "truncation": True, "padding": True}},
            }
        },
        call={"truncate": True},
    ),
    Case(
        "cut-to-what-is-around",
        modules=[new("mean")],
        files={"sentence_bert_config.json": {"max_seq_length": 2}},
        call={"truncate": True},
    ),
    Case(
        "cut-by-tokenizer",
        modules=[new("lasttoken")],
        files={"tokenizer_config.json": {"model_max_length": 7}},
        call={"truncate": True},
    ),
    Case(
        "cut-at-the-beginning",
        modules=[new("mean")],
        files={
            "sentence_bert_config.json": {"max_seq_length": 9},
            "tokenizer_config.json": {"truncation_side": "left"},
        },
        call={"truncate": True},
    ),
    Case(
        "cut-after-prompt",
        modules=[new("mean", include_prompt=False)],
        files={"sentence_bert_config.json": {"max_seq_length": 12}, "config_sentence_transformers.json": PROMPTS},
        call={"prompt_name": "query", "truncate": True},
    ),
    Case("no-modules"),
    # What the class of the tokenizer makes of a text, whatever tokenizer.json says of it.
    *(
        Case(
            f"class-{name}",
            modules=[new("mean")],
            files={"tokenizer_config.json": {"tokenizer_class": kind, **SPECIAL, **keys}},
            texts=[*TEXTS, "Ünder the 日本 cAt", "a\u0301nd"],
        )
        for name, kind, keys in CLASSES
    ),
    # The prompt, four tokens, and the text become four together, so nothing is left of the text.
    Case(
        "prompt-of-all-tokens",
        modules=[new(["mean", "cls", "weightedmean", "lasttoken", "mean_sqrt_len_tokens"], include_prompt=False)],
        files={"config_sentence_transformers.json": {"prompts": {"q": "the ca"}, "default_prompt_name": "q"}},
        texts=["a dog", "t", "x"],
    ),
    Case("decoder-last", "qwen3", [old("lasttoken"), NORMALIZE]),
    Case("decoder-mean", "qwen3", [new("mean")], new_names=True),
    Case("decoder-weighted", "qwen3", [new("weightedmean"), dense(10, "activation.Tanh")]),
    Case(
        "decoder-without-prompt",
        "qwen3",
        [new("mean", include_prompt=False)],
        {"config_sentence_transformers.json": PROMPTS},
    ),
    Case(
        "decoder-cut",
        "qwen3",
        [new("lasttoken")],
        {"sentence_bert_config.json": {"max_seq_length": 8}},
        call={"truncate": True},
    ),
    Case("decoder-no-modules", "qwen3"),
    # Every token sees all others.
    *(Case(f"decoder-not-causal-{way}", "qwen3", [new(way)], config={"is_causal": False}) for way in ("mean", "cls")),
    # Windows look both ways then.
    *(
        Case(
            f"decoder-both-ways-{window}",
            "gemma3-text",
            [new("mean"), dense(16, "linear.Identity", bias=False), NORMALIZE],
            config={"use_bidirectional_attention": True, "sliding_window": window},
        )
        for window in (8, 9)
    ),
    Case(
        "decoder-prompt-with-tokens",
        "qwen3",
        [new("lasttoken")],
        {"config_sentence_transformers.json": {"prompts": {"q": "[CLS]The cat[SEP] "}, "default_prompt_name": "q"}},
    ),
]


@dataclass(frozen=True)
class Scorer:
    """A model that scores pairs of texts."""

    name: str
    labels: int = 1
    config: Json = field(default_factory=dict)
    files: Json = field(default_factory=dict)
    call: Json = field(default_factory=dict)


CROSS: Json = {"model_type": "CrossEncoder", "activation_fn": "torch.nn.modules.linear.Identity", "prompts": {}}

PROMPTED: Json = {"prompts": {"q": "the cat "}, "default_prompt_name": "q"}


def cross_encoder(name: str, labels: int = 1, **settings: Any) -> Scorer:
    """A folder as `CrossEncoder.save_pretrained` of the library writes it."""
    return Scorer(
        name,
        labels,
        files={
            "modules.json": [{"idx": 0, "name": "0", "path": "", "type": NEW["Transformer"]}],
            "config_sentence_transformers.json": CROSS | settings,
            "sentence_bert_config.json": {
                "transformer_task": "sequence-classification",
                "modality_config": {"text": {"method": "forward", "method_output_name": "logits"}},
                "module_output_name": "scores",
            },
        },
    )


SCORERS = [
    Scorer("one-label"),
    Scorer(
        "kinds",
        files={"tokenizer_config.json": {"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}},
    ),
    Scorer(
        "kinds-by-class", files={"tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": False}}
    ),
    Scorer("three-labels", 3),
    Scorer("identity", config={"sentence_transformers": {"activation_fn": "torch.nn.modules.linear.Identity"}}),
    Scorer("softmax", 3, {"sentence_transformers": {"activation_fn": "torch.nn.modules.activation.Softmax"}}),
    Scorer("older-identity", config={"sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity"}),
    Scorer("older-softmax", 3, {"sbert_ce_default_activation_function": "torch.nn.modules.activation.Softmax"}),
    Scorer(
        "null",
        config={
            "sentence_transformers": {"activation_fn": None},
            "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",
        },
    ),
    cross_encoder("cross-encoder"),
    cross_encoder("cross-encoder-softmax", 3, activation_fn="torch.nn.modules.activation.Softmax"),
    cross_encoder("cross-encoder-prompt", **PROMPTED),
    # The file is not read where no modules are listed.
    Scorer("prompt-without-modules", files={"config_sentence_transformers.json": {**CROSS, **PROMPTED}}),
    Scorer("prompt-of-no-kind", files={"config_sentence_transformers.json": PROMPTED}),
    # A tokenizer that puts nothing around texts.
    Scorer("nothing-around", files={"tokenizer.json": {"post_processor": None}}),
    Scorer(
        "nothing-around-cut",
        files={"tokenizer.json": {"post_processor": None}, "tokenizer_config.json": {"model_max_length": 20}},
        call={"truncate": True},
    ),
    Scorer("cut", files={"tokenizer_config.json": {"model_max_length": 20}}, call={"truncate": True}),
]


def write(case: Case, folder: Path) -> None:
    """Writes a case's folder."""
    network = folder / case.path
    network.mkdir(parents=True, exist_ok=True)
    config, tensors = base(case.base)
    put_json(network / "config.json", config | case.config)
    put_tensors(network / "model.safetensors", tensors)
    put_tokenizer(network, case.base)
    listed = [("Transformer", case.path)]
    numbers = random.Random(case.name)
    for index, (kind, settings) in enumerate(case.modules, 1):
        listed.append((kind, f"{index}_{kind}"))
        put_module(folder / f"{index}_{kind}", kind, settings, numbers, case.saved)
    if case.modules:
        kinds = NEW if case.new_names else {kind: OLD + kind for kind in NEW}
        entries = enumerate(listed)
        put_json(
            folder / "modules.json",
            [{"idx": index, "name": str(index), "path": path, "type": kinds[kind]} for index, (kind, path) in entries],
        )
    for name, content in case.files.items():
        at = network if name.startswith(("tokenizer", "sentence_bert")) else folder
        known = json.loads((at / name).read_text()) if (at / name).exists() else {}
        put_json(at / name, {**known, **content})


def write_scorer(scorer: Scorer, folder: Path) -> None:
    """Writes a scorer's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    config, tensors = base("bert")
    names = {str(label): f"LABEL_{label}" for label in range(scorer.labels)}
    config |= {
        "architectures": ["BertForSequenceClassification"],
        "id2label": names,
        "label2id": {name: int(label) for label, name in names.items()},
        **scorer.config,
    }
    put_json(folder / "config.json", config)
    numbers = random.Random(scorer.name)
    tensors = {f"bert.{name}": tensor for name, tensor in tensors.items()}
    for name, shape in (("pooler.dense", [WIDTH, WIDTH]), ("classifier", [scorer.labels, WIDTH])):
        prefix = "" if name == "classifier" else "bert."
        tensors[f"{prefix}{name}.weight"] = drawn(shape, numbers)
        tensors[f"{prefix}{name}.bias"] = drawn(shape[:1], numbers)
    put_tensors(folder / "model.safetensors", tensors)
    put_tokenizer(folder, "bert")
    for name, content in scorer.files.items():
        known = json.loads((folder / name).read_text()) if (folder / name).exists() else {}
        put_json(folder / name, content if isinstance(content, list) else {**known, **content})


Tensor = tuple[str, list[int], bytes]
"""Type, shape and bytes, as safetensors has them."""


def base(name: str) -> tuple[Json, dict[str, Tensor]]:
    """The configuration and the tensors of a golden model."""
    config = json.loads((BASES / name / "config.json").read_text(encoding="utf-8"))
    header, data = read_header(BASES / name / "model.safetensors")
    tensors = {
        name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])]) for name, entry in header.items()
    }
    # The library computes in the type that the configuration names.
    return config | {"dtype": "float32"}, tensors


def read_header(path: Path) -> tuple[Json, bytes]:
    """What a safetensors file says of its tensors, and their bytes."""
    data = path.read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + size])
    header.pop("__metadata__", None)
    return header, data[8 + size :]


def put_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Writes a safetensors file."""
    header: Json = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, (kind, shape, numbers) in tensors.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(data), len(data) + len(numbers)]}
        data += numbers
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def drawn(shape: list[int], numbers: random.Random, scale: float = 0.3) -> Tensor:
    """A tensor of random numbers."""
    count = shape[0] * (shape[1] if len(shape) > 1 else 1)
    return "F32", shape, struct.pack(f"<{count}f", *(numbers.gauss(0, scale) for _ in range(count)))


def put_module(
    folder: Path, kind: str, settings: Json | None, numbers: random.Random, saved: str = "safetensors"
) -> None:
    """Writes the folder of what comes after the network."""
    folder.mkdir(parents=True)
    if settings is not None:
        put_json(folder / "config.json", settings)
    if kind == "Dense" and settings is not None:
        inputs, outputs = settings["in_features"], settings["out_features"]
        tensors = {"linear.weight": drawn([outputs, inputs], numbers)}
        if settings["bias"]:
            tensors["linear.bias"] = drawn([outputs], numbers)
        if settings.get("use_residual") and inputs != outputs:
            tensors["residual.weight"] = drawn([outputs, inputs], numbers)
        put_weights(folder, tensors, saved)
    if kind == "LayerNorm" and settings is not None:
        width = [settings["dimension"]]
        tensors = {"norm.weight": drawn(width, numbers, 1.0), "norm.bias": drawn(width, numbers)}
        put_weights(folder, tensors, saved)


def put_weights(folder: Path, tensors: dict[str, Tensor], saved: str) -> None:
    """Writes a module's tensors as a file of one of the kinds."""
    if saved == "safetensors":
        put_tensors(folder / "model.safetensors", tensors)
    else:
        put_checkpoint(folder / "pytorch_model.bin", tensors, saved in ("turned", "older"), saved == "older")


def put_checkpoint(path: Path, tensors: dict[str, Tensor], turned: bool, older: bool = False) -> None:
    """Writes what `torch.save` makes of a dictionary: a zip file with a pickle and the numbers; see `pickletools`.

    In the older form there are five pickles, and each storage behind its length.
    """

    def text(value: str) -> bytes:
        return b"X" + struct.pack("<I", len(value.encode())) + value.encode()

    def numbers(values: list[int]) -> bytes:
        return b"(" + b"".join(b"J" + struct.pack("<i", value) for value in values) + b"t"

    program = b"\x80\x02}("
    storages = []
    for key, (name, (kind, shape, data)) in enumerate(tensors.items()):
        assert kind == "F32"
        count, strides = len(data) // 4, [1] if len(shape) == 1 else [shape[1], 1]
        if turned and len(shape) == 2:
            rows, columns = shape
            places = [4 * (row * columns + column) for column in range(columns) for row in range(rows)]
            strides = [1, rows]
            storages.append(b"".join(data[at : at + 4] for at in places))
        else:
            storages.append(data)
        storage = text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
        program += text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n("
        program += b"(" + storage + b"J" + struct.pack("<i", count) + (b"N" if older else b"") + b"tQ"
        program += b"K\0" + numbers(shape) + numbers(strides) + b"\x89ccollections\nOrderedDict\n)RtR"
    if older:
        head = [b"\x8a\n" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little"), b"M\xe9\x03", b"}"]
        keys = b"](" + b"".join(text(str(key)) for key in range(len(storages))) + b"e"
        pickles = b"".join(b"\x80\x02" + part + b"." for part in head) + program + b"u.\x80\x02" + keys + b"."
        path.write_bytes(pickles + b"".join(struct.pack("<q", len(data) // 4) + data for data in storages))
        return
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", program + b"u.")
        archive.writestr("archive/byteorder", "little")
        for key, data in enumerate(storages):
            archive.writestr(f"archive/data/{key}", data)
        archive.writestr("archive/version", "3\n")


def put_tokenizer(folder: Path, base: str) -> None:
    """Writes a tokenizer of letters, which keeps their case; a decoder's puts an end after each text."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = [chr(letter) for letter in range(ord("a"), ord("z") + 1)]
    words = ["the", "The", "cat", "and", "of", "T", "U", "P", "##P", "E", "##E", "##R"]
    signs = [".", ",", ":"]
    vocabulary = special + letters + [f"##{letter}" for letter in letters] + words + signs
    before, after = (["[CLS]"], ["[SEP]"]) if base == "bert" else ([], ["[SEP]"])
    ids = {token: index for index, token in enumerate(vocabulary)}
    single = [around(token, 0) for token in before] + [sequence("A", 0)] + [around(token, 0) for token in after]
    pair = single + [sequence("B", 1)] + [around(token, 1) for token in after]
    put_json(
        folder / "tokenizer.json",
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [
                {"id": ids[token], "content": token, "single_word": False, "lstrip": False, "rstrip": False}
                | {"normalized": False, "special": True}
                for token in special
            ],
            "normalizer": {
                "type": "BertNormalizer",
                "clean_text": True,
                "handle_chinese_chars": True,
                "strip_accents": None,
                "lowercase": False,
            },
            "pre_tokenizer": {"type": "BertPreTokenizer"},
            "post_processor": {
                "type": "TemplateProcessing",
                "single": single,
                "pair": pair,
                "special_tokens": {
                    token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in {*before, *after}
                },
            },
            "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
            "model": {
                "type": "WordPiece",
                "unk_token": "[UNK]",
                "continuing_subword_prefix": "##",
                "max_input_chars_per_word": 100,
                "vocab": ids,
            },
        },
    )
    named = {
        "unk_token": "[UNK]",
        "pad_token": "[PAD]",
        "sep_token": "[SEP]",
        "cls_token": "[CLS]",
        "mask_token": "[MASK]",
    }
    put_json(folder / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", **named})


def around(token: str, kind: int) -> Json:
    """A special token in a template."""
    return {"SpecialToken": {"id": token, "type_id": kind}}


def sequence(name: str, kind: int) -> Json:
    """A text in a template."""
    return {"Sequence": {"id": name, "type_id": kind}}


def put_json(path: Path, content: Any) -> None:
    """Writes a small file."""
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
