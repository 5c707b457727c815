"""What is chosen among the files of a repository: of listings as publishers upload them, and as nobody should."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
import trillm
from hypothesis import given, settings
from hypothesis import strategies as st
from trillm._core import Choice, choose, is_file_name
from trillm.errors import ModelNotFound
from trillm.hub._options import FORMATS
from trillm.hub._options import QUANTIZATIONS as USUAL

GB = 10**9


class Preferences(NamedTuple):
    formats: tuple[str, ...] = FORMATS
    quantizations: tuple[str, ...] = USUAL


ROUNDS = int(os.environ.get("TRILLM_ROUNDS", "300"))

TEXT = ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
SMALL = ["config.json", "generation_config.json", *TEXT]
"""What lies beside the weights of most models that write text."""

# As those who quantize for others do: one file for each quantization, and the statistics they were made with.
QUANTIZATIONS = {
    "IQ2_M": 2.9, "IQ3_XS": 3.5, "IQ3_M": 3.8, "IQ4_XS": 4.4, "Q2_K": 3.2, "Q2_K_L": 3.7, "Q3_K_L": 4.3, "Q3_K_M": 4.0,
    "Q3_K_S": 3.7, "Q3_K_XL": 4.8, "Q4_0": 4.7, "Q4_0_4_4": 4.66, "Q4_K_L": 5.3, "Q4_K_M": 4.9, "Q4_K_S": 4.6,
    "Q5_K_M": 5.7, "Q5_K_S": 5.6, "Q6_K": 6.6, "Q8_0": 8.5, "f32": 32.1,
}  # fmt: skip
QUANTIZED = {f"Llama-3.1-8B-Instruct-{name}.gguf": int(size * GB) for name, size in QUANTIZATIONS.items()}
QUANTIZED |= {".gitattributes": 2000, "README.md": 9000, "Llama-3.1-8B-Instruct.imatrix": 5 * 10**6}

# Large models in shards, each quantization in a folder of its own, beside one file that needs no shards.
SPLIT = [
    *(f"UD-Q4_K_XL/Big-UD-Q4_K_XL-{number:05}-of-00003.gguf" for number in (1, 2, 3)),
    *(f"Q8_0/Big-Q8_0-{number:05}-of-00005.gguf" for number in (1, 2, 3, 4, 5)),
    *(f"BF16/Big-BF16-{number:05}-of-00009.gguf" for number in range(1, 10)),
    "Big-UD-IQ1_S.gguf",
    "mmproj-BF16.gguf",
    "config.json",
]

# As graphs for browsers are published.
VARIANTS = ["", "_bnb4", "_fp16", "_int8", "_q4", "_q4f16", "_quantized", "_uint8"]
BROWSER = [
    *(f"onnx/model{variant}.onnx" for variant in VARIANTS),
    *("onnx/model.onnx_data", "onnx/model.onnx_data_1", "onnx/model_fp16.onnx_data", "onnx/model_q4.onnx_data"),
    *SMALL,
    "README.md",
    "quantize_config.json",
]

# A model that is told what an image shows: its graph of text, and others.
SEEING = [
    *(f"onnx/{name}{variant}.onnx" for name in ("decoder_model_merged", "embed_tokens", "vision_encoder")
      for variant in ("", "_q4", "_fp16")),
    *("onnx/decoder_model_merged.onnx_data", "onnx/decoder_model_merged_q4.onnx_data"),
    *SMALL,
    "preprocessor_config.json",
]  # fmt: skip

# As exporters write into one folder.
EXPORTED = [
    *("decoder_model.onnx", "decoder_model.onnx_data", "decoder_model_merged.onnx", "decoder_model_merged.onnx_data"),
    *("decoder_with_past_model.onnx", "decoder_with_past_model.onnx_data"),
    *SMALL,
    "merges.txt",
    "vocab.json",
]

# A folder for each kind of device.
DEVICES = [
    *(f"cpu_and_mobile/cpu-int4-rtn-block-32/{name}" for name in ("phi3-cpu-int4.onnx", "phi3-cpu-int4.onnx.data")),
    *(f"cpu_and_mobile/cpu-int4-rtn-block-32/{name}" for name in ("genai_config.json", "config.json", *TEXT)),
    *(f"cuda/cuda-fp16/{name}" for name in ("phi3-fp16.onnx", "phi3-fp16.onnx.data", "genai_config.json", *TEXT)),
    *(f"directml/directml-int4-awq-block-128/{name}" for name in ("model.onnx", "phi3.onnx.data", "genai_config.json")),
    *(f"directml/directml-int4-awq-block-128/{name}" for name in TEXT),
    "config.json",
    "README.md",
]

SHARDS = [f"model-{number:05}-of-00004.safetensors" for number in (1, 2, 3, 4)]
ORIGINAL = ["original/consolidated.00.pth", "original/params.json", "original/tokenizer.model"]
SHARDED = [*SHARDS, "model.safetensors.index.json", *SMALL, *ORIGINAL, "LICENSE", "README.md", "USE_POLICY.md"]

SENTENCES = [
    *("1_Pooling/config.json", "2_Dense/config.json", "2_Dense/model.safetensors", "2_Dense/pytorch_model.bin"),
    *("config.json", "config_sentence_transformers.json", "modules.json", "sentence_bert_config.json", "vocab.txt"),
    *("model.safetensors", "pytorch_model.bin", "tf_model.h5", "rust_model.ot", *TEXT, "data_config.json"),
    *("onnx/model.onnx", "onnx/model_O1.onnx", "onnx/model_O4.onnx", "onnx/model_qint8_avx512.onnx"),
    *("onnx/model_quint8_avx2.onnx", "openvino/openvino_model.bin", "openvino/openvino_model.xml", "train_script.py"),
]

PYTORCH = ["pytorch_model.bin", "training_args.bin", "optimizer.pt", "rng_state.pth", "config.json", "vocab.txt"]


def chosen(
    files: Iterable[str] | Mapping[str, int | None], wanted: str | None = None, preferences: Preferences | None = None
) -> Choice:
    """What is chosen; checked for what must hold of every choice."""
    sizes = files if isinstance(files, Mapping) else dict.fromkeys(files)
    choice = choose(list(sizes.items()), wanted, *(preferences or Preferences()))
    names = [name for _, name in choice.files]
    assert names
    assert len(set(names)) == len(names)
    assert {path for path, _ in choice.files} <= set(sizes)
    assert choice.open is None or (choice.open in names and len(names) > 1)
    assert all(is_file_name(name) for name in names)
    assert choice.why
    assert "\n" not in choice.why
    return choice


def names(choice: Choice) -> set[str]:
    return {name for _, name in choice.files}


def refused(
    files: Iterable[str] | dict[str, int], wanted: str | None, *words: str, **preferences: tuple[str, ...]
) -> None:
    """Nothing is chosen, and message and hint have these words."""
    with pytest.raises(ModelNotFound) as failed:
        chosen(files, wanted, Preferences(**preferences))
    assert failed.value.code == "model_not_found"
    text = f"{failed.value} / {failed.value.hint}"
    assert [word for word in words if word not in text] == [], text


# GGUF.


def test_the_first_quantization_that_is_preferred_and_there() -> None:
    choice = chosen(QUANTIZED)
    path = "Llama-3.1-8B-Instruct-Q4_K_M.gguf"
    assert choice.files == [(path, path)]
    assert choice.open is None
    assert choice.why == f"{path}: of 20 models in GGUF the one with Q4_K_M, by quantization_preference"
    for wanted, found in [(("Q9_9", "q6_k"), "Q6_K"), (("FP32",), "f32"), (("Q4_K", "Q4_0"), "Q4_0")]:
        choice = chosen(QUANTIZED, None, Preferences(quantizations=wanted))
        assert choice.files[0][0] == f"Llama-3.1-8B-Instruct-{found}.gguf"


def test_without_it_the_smallest_of_four_bits_or_else_the_largest() -> None:
    def without(*quantizations: str) -> dict[str, int]:
        return {
            path: size for path, size in QUANTIZED.items() if not any(f"-{name}." in path for name in quantizations)
        }

    choice = chosen(QUANTIZED, None, Preferences(quantizations=("Q1_0", "BF16")))
    assert choice.files[0][0] == "Llama-3.1-8B-Instruct-IQ4_XS.gguf"
    assert "none with Q1_0 or BF16 (quantization_preference), so the smallest with at least four bits" in choice.why
    # The file's size counts, not what its name says of it.
    assert "-Q4_K_S." in chosen(without("Q4_K_M", "Q8_0", "IQ4_XS")).files[0][0]
    low = [name for name in QUANTIZATIONS if name[-1] != "2" and name.lstrip("IQ")[0] not in "23"]
    choice = chosen(without(*low, "f32"))
    assert choice.files[0][0] == "Llama-3.1-8B-Instruct-Q3_K_XL.gguf"
    assert choice.why.endswith("so the largest")


def test_names_without_a_quantization_are_no_obstacle() -> None:
    assert chosen(["model.gguf", "README.md"]).why == "model.gguf: the only model in GGUF"
    assert chosen({"a.gguf": 1, "b.gguf": 3, "c.gguf": 2}).files == [("b.gguf", "b.gguf")]
    assert chosen(["a.gguf", "b.gguf"]).files == [("a.gguf", "a.gguf")]


@pytest.mark.parametrize(
    "beside",
    [
        "mmproj-Q4_K_M.gguf",
        "x-mmproj-q4_k_m.gguf",
        "x.imatrix-Q4_K_M.gguf",
        "draft-Q4_K_M.gguf",
        "ggml-vocab-q4_k_m.gguf",
    ],
)
def test_what_lies_beside_a_model_is_never_the_model(beside: str) -> None:
    assert chosen([beside, "x-Q2_K.gguf"]).files == [("x-Q2_K.gguf", "x-Q2_K.gguf")]
    refused([beside], None, "no model in GGUF, ONNX, safetensors or PyTorch", f"there is: {beside}")
    refused([beside], "Q4_K_M", "no model with Q4_K_M")
    assert chosen([beside], beside).files == [(beside, beside)]


def test_shards_are_one_model_and_open_by_the_first() -> None:
    choice = chosen(SPLIT)
    expected = [f"Big-Q8_0-{number:05}-of-00005.gguf" for number in (1, 2, 3, 4, 5)]
    assert choice.files == [(f"Q8_0/{name}", name) for name in expected]
    assert choice.open == expected[0]
    assert "of 4 models in GGUF the one with Q8_0" in choice.why
    for wanted in ("Q8_0", "q8_0", f"Q8_0/{expected[3]}"):
        assert chosen(SPLIT, wanted).files == choice.files
    large = chosen(dict.fromkeys(SPLIT, GB), None, Preferences(quantizations=()))
    assert large.open == "Big-UD-Q4_K_XL-00001-of-00003.gguf"


def test_a_missing_shard_is_named() -> None:
    files = [path for path in SPLIT if "Q8_0-00003" not in path]
    for wanted in (None, "Q8_0", "Q8_0/Big-Q8_0-00001-of-00005.gguf", "Q8_0/", "*-Q8_0-*"):
        refused(files, wanted, "Q8_0/Big-Q8_0-00003-of-00005.gguf")
    assert chosen(files, "BF16").open == "Big-BF16-00001-of-00009.gguf"
    # What an upload with another number of shards left over does not count.
    assert len(chosen([*SPLIT, "Q8_0/Big-Q8_0-00001-of-00003.gguf"]).files) == 5


def test_numbers_that_lie_cost_nothing() -> None:
    refused(["x-000001-of-999999.gguf"], None, "x-000002-of-999999.gguf")
    for path in ["x-00000-of-00000.gguf", "x-00003-of-00002.gguf", f"x-1-of-{'9' * 200}.gguf"]:
        assert chosen([path]).files == [(path, path)]


@pytest.mark.parametrize(
    ("path", "quantization"),
    [
        ("x.Q4_K_M.gguf", "q4_k_m"),
        ("x-i1-IQ1_S.gguf", "IQ1_S"),
        ("x-UD-Q2_K_XL.gguf", "Q2_K_XL"),
        ("x-UD-Q2_K_XL.gguf", "UD-Q2_K_XL"),
        ("x-MXFP4.gguf", "MXFP4"),
        ("x_fp16.gguf", "F16"),
        ("x-bf16.gguf", "BF16"),
        ("x-F16-q5_1.gguf", "Q5_1"),
        ("IQ4_NL/x.gguf", "IQ4_NL"),
        ("x-TQ1_0.gguf", "TQ1_0"),
    ],
)
def test_quantizations_are_read_out_of_names(path: str, quantization: str) -> None:
    others = ["y-Q3_K_S.gguf", "Q8x.gguf", "xQ4_K_M.gguf"]
    assert [found for found, _ in chosen([path, *others], quantization).files] == [path]


def test_of_two_with_one_quantization_the_plain_one() -> None:
    choice = chosen(["x-UD-Q4_K_M.gguf", "longer-Q4_K_M.gguf", "in/x-Q4_K_M.gguf"])
    assert choice.files == [("longer-Q4_K_M.gguf", "longer-Q4_K_M.gguf")]
    assert "the first of 3 with Q4_K_M" in choice.why


def test_a_quantization_that_is_not_there_is_answered_with_those_that_are() -> None:
    refused(QUANTIZED, "Q5_0", "no model with Q5_0", "there is: F32, IQ2_M, IQ3_M", "and 10 more")
    refused(SPLIT, "UD-Q8_0", "no model with UD-Q8_0", "Q4_K_XL")
    refused(BROWSER, "Q5_K_M", "there is: BNB4, F16, INT8, Q4")


# ONNX.


def test_a_graph_comes_with_its_data_and_the_small_files_of_the_folders_above() -> None:
    choice = chosen(BROWSER)
    assert {path: name for path, name in choice.files if path.startswith("onnx/")} == {
        "onnx/model_q4.onnx": "model_q4.onnx",
        "onnx/model_q4.onnx_data": "model_q4.onnx_data",
    }
    assert names(choice) == {"model_q4.onnx", "model_q4.onnx_data", *SMALL}
    assert choice.open == "model_q4.onnx"
    assert (
        choice.why == "onnx/model_q4.onnx: of 8 models in ONNX the one with Q4, for Q4_K_M by quantization_preference"
    )


@pytest.mark.parametrize(
    ("preferred", "graph"),
    [
        (("Q4_K_M",), "model_q4"),
        (("IQ4_XS",), "model_q4"),
        (("Q8_0",), "model_int8"),
        (("F16",), "model_fp16"),
        (("Q5_K_M", "F16"), "model_fp16"),
        (("F32", "F16"), "model"),
        (("Q6_K",), "model"),
        (("BNB4",), "model_bnb4"),
        ((), "model"),
    ],
)
def test_what_is_preferred_of_gguf_files_is_meant_for_graphs_too(preferred: tuple[str, ...], graph: str) -> None:
    assert chosen(BROWSER, None, Preferences(quantizations=preferred)).open == f"{graph}.onnx"


def test_the_next_best_graph_where_the_best_is_not_there() -> None:
    left = list(BROWSER)
    for preferred, order in [("Q4_K_M", ["q4", "q4f16", "bnb4"]), ("Q8_0", ["int8", "quantized", "uint8"])]:
        for variant in order:
            assert chosen(left, None, Preferences(quantizations=(preferred,))).open == f"model_{variant}.onnx"
            left.remove(f"onnx/model_{variant}.onnx")
    assert chosen(left).open == "model_fp16.onnx"
    left.remove("onnx/model_fp16.onnx")
    choice = chosen(left)
    assert names(choice) == {"model.onnx", "model.onnx_data", "model.onnx_data_1", *SMALL} | {
        # Nobody's, now that their graphs are gone.
        *("model_fp16.onnx_data", "model_q4.onnx_data"),
    }


def test_without_a_graph_that_is_preferred_or_plain_the_smallest_of_four_bits() -> None:
    sizes = {"model_quantized.onnx": 2, "model_fp16.onnx": 3, "model_O2.onnx": 1}
    preferences = Preferences(quantizations=("Q6_K",))
    assert (
        chosen({path: sizes[path] for path in list(sizes)[:2]}, None, preferences).files[0][0] == "model_quantized.onnx"
    )
    assert chosen(sizes, None, preferences).files[0][0] == "model_O2.onnx"


def test_the_graph_that_writes_text_is_chosen() -> None:
    assert names(chosen(SEEING)) == {"decoder_model_merged_q4.onnx", "decoder_model_merged_q4.onnx_data", *SMALL}
    choice = chosen(EXPORTED)
    assert choice.open == "decoder_model_merged.onnx"
    assert names(choice) == {choice.open, f"{choice.open}_data", *SMALL, "merges.txt", "vocab.json"}
    assert chosen([path for path in EXPORTED if "merged" not in path]).open == "decoder_model.onnx"
    assert chosen([*EXPORTED, "decoder_with_past_model_q4.onnx"]).open == "decoder_model_merged.onnx"
    refused(["encoder_model.onnx", "config.json"], None, "no model in GGUF, ONNX")
    assert chosen(["encoder_model.onnx", "config.json"], "encoder_model.onnx").open == "encoder_model.onnx"


def test_graphs_for_other_devices_are_left_to_those_who_ask_for_them() -> None:
    choice = chosen(DEVICES)
    folder = "cpu_and_mobile/cpu-int4-rtn-block-32"
    assert dict(choice.files)[f"{folder}/phi3-cpu-int4.onnx"] == choice.open == "phi3-cpu-int4.onnx"
    assert names(choice) == {choice.open, f"{choice.open}.data", "genai_config.json", "config.json", *TEXT}
    # That of the graph's own folder.
    assert (f"{folder}/config.json", "config.json") in choice.files
    # Data that is named after the model belongs to the folder's graph.
    choice = chosen(DEVICES, "directml/directml-int4-awq-block-128/model.onnx")
    assert names(choice) == {"model.onnx", "phi3.onnx.data", "genai_config.json", "config.json", *TEXT}
    assert ("config.json", "config.json") in choice.files
    only = [path for path in DEVICES if path.startswith("cuda/")]
    assert chosen(only).open == "phi3-fp16.onnx"


# safetensors and PyTorch.


def test_shards_come_with_their_index_and_open_as_a_folder() -> None:
    choice = chosen(SHARDED)
    assert names(choice) == {*SHARDS, "model.safetensors.index.json", *SMALL}
    assert choice.open is None
    for wanted in (SHARDS[2], "model.safetensors.index.json"):
        assert names(chosen(SHARDED, wanted)) == names(choice)
    for missing in (SHARDS[1], "model.safetensors.index.json"):
        refused([path for path in SHARDED if path != missing], None, missing)
    stale = [*SHARDED, "model-00002-of-00003.safetensors", "consolidated.safetensors"]
    assert names(chosen(stale)) == names(choice)


def test_one_file_needs_no_index() -> None:
    one = ["model.safetensors", *SMALL]
    assert names(chosen([*one, "model.safetensors.index.json", *SHARDS])) == set(one)
    assert names(chosen(["other.safetensors", "adapter_model.safetensors", "config.json"])) == {
        "other.safetensors",
        "config.json",
    }
    assert len(chosen(["model-00001-of-00001.safetensors"]).files) == 1
    refused(["adapter_model.safetensors", "adapter_config.json"], None, "no model", "adapter_model.safetensors")
    refused(["a.safetensors", "b.safetensors"], None, "no model", "a.safetensors, b.safetensors")
    assert names(chosen(["a.safetensors", "b.safetensors", "config.json"], "b.safetensors")) == {
        "b.safetensors",
        "config.json",
    }


def test_shards_of_another_name_open_by_their_index() -> None:
    shards = ["a-00001-of-00002.safetensors", "a-00002-of-00002.safetensors"]
    files = [*shards, "b.safetensors", "config.json"]
    refused(files, None, "no model")
    refused(files, shards[1], "a-00001-of-00002.safetensors needs a.safetensors.index.json")
    refused([*files[1:], "a.safetensors.index.json"], shards[1], f"needs {shards[0]}")
    choice = chosen([*files, "a.safetensors.index.json"], shards[1])
    assert names(choice) == {*shards, "a.safetensors.index.json", "config.json"}
    assert choice.open == "a.safetensors.index.json"


def test_models_for_sentences_bring_how_they_pool() -> None:
    small = {"1_Pooling/config.json", "config.json", "config_sentence_transformers.json", "modules.json", "vocab.txt"}
    small |= {"sentence_bert_config.json", "2_Dense/config.json", "2_Dense/model.safetensors", *TEXT}
    choice = chosen(SENTENCES, None, Preferences(formats=("safetensors", "onnx")))
    assert names(choice) == {"model.safetensors", *small}
    assert choice.open is None
    assert (
        choice.why == "model.safetensors: the only model in safetensors; preferred_formats has safetensors before ONNX"
    )
    choice = chosen(SENTENCES)
    assert names(choice) == {"model_qint8_avx512.onnx", *small}
    assert chosen(SENTENCES, None, Preferences(quantizations=())).open == "model.onnx"
    assert names(chosen(SENTENCES, "onnx/model_O4.onnx")) == {"model_O4.onnx", *small}
    choice = chosen(SENTENCES, None, Preferences(formats=("pytorch",)))
    assert names(choice) == {"pytorch_model.bin", *small}


def test_pytorch_alone_is_taken_without_what_trainers_leave() -> None:
    choice = chosen(PYTORCH)
    assert names(choice) == {"pytorch_model.bin", "config.json", "vocab.txt"}
    assert choice.open is None
    shards = ["pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin", "pytorch_model.bin.index.json"]
    assert names(chosen([*shards, "config.json"])) == {*shards, "config.json"}
    refused([*shards[1:], "config.json"], None, "needs pytorch_model-00001-of-00002.bin")
    refused(PYTORCH, None, "no model in GGUF or safetensors, only in PyTorch", formats=("gguf", "safetensors"))
    # Names that a folder is not opened by.
    choice = chosen(SHARDED, "original/consolidated.00.pth")
    assert choice.open == "consolidated.00.pth"
    assert "tokenizer.model" in names(choice)
    assert names(chosen(PYTORCH, "training_args.bin")) == {"training_args.bin"}


def test_the_first_format_that_is_preferred_and_there() -> None:
    everything = [*PYTORCH, "model.safetensors", "model.onnx", "model.gguf"]
    for formats, opened in [
        (("gguf", "onnx"), None),
        (("onnx", "gguf"), "model.onnx"),
        (("safetensors",), None),
        (("pytorch", "gguf"), None),
    ]:
        choice = chosen(everything, None, Preferences(formats=formats))
        assert choice.open == opened
        assert choice.why.startswith({"gguf": "model.gguf", "pytorch": "pytorch_model.bin"}.get(formats[0], "model."))
    assert "; preferred_formats has GGUF before ONNX, safetensors or PyTorch" in chosen(everything).why
    everything.append("model_fp16.onnx")
    assert chosen(everything, "F16").open == "model_fp16.onnx"
    everything.append("x-F16.gguf")
    assert chosen(everything, "F16").files == [("x-F16.gguf", "x-F16.gguf")]
    assert chosen(everything, "F16", Preferences(formats=("onnx", "gguf"))).open == "model_fp16.onnx"
    assert chosen(everything, "F16", Preferences(formats=("pytorch",))).files == [("x-F16.gguf", "x-F16.gguf")]


# What was asked for.


def test_a_path_is_that_file() -> None:
    assert chosen(BROWSER, "tokenizer.json").files == [("tokenizer.json", "tokenizer.json")]
    assert chosen(SENTENCES, "1_Pooling/config.json").files == [("1_Pooling/config.json", "config.json")]
    choice = chosen(BROWSER, "onnx/model_fp16.onnx_data")
    assert choice.open == "model_fp16.onnx"
    assert choice.why == "onnx/model_fp16.onnx: as asked for"
    # Names win over what they look like.
    assert chosen(["Q4_K_M", "x-Q4_K_M.gguf"], "Q4_K_M").files == [("Q4_K_M", "Q4_K_M")]
    assert chosen(["[a].gguf", "a.gguf"], "[a].gguf").files == [("[a].gguf", "[a].gguf")]
    refused(BROWSER, "model.onnx", "no file model.onnx", "there is: onnx/model.onnx")
    refused(["README.md"], "model.gguf", "there is: README.md")
    refused([], None, "no file at all")
    refused([], "x", "no file at all")


def test_a_folder_is_all_that_is_in_it() -> None:
    choice = chosen(DEVICES, "cuda/")
    assert names(choice) == {path.removeprefix("cuda/") for path in DEVICES if path.startswith("cuda/")}
    assert choice.open == "cuda-fp16/phi3-fp16.onnx"
    assert choice.why == "cuda/: all of its 6 files, as asked for"
    assert chosen(SPLIT, "Q8_0/").open == "Big-Q8_0-00001-of-00005.gguf"
    assert chosen(BROWSER, "onnx/").open is None
    sub = [f"step/{path}" for path in SHARDED]
    assert chosen(sub, "step/").open is None
    assert chosen([f"run/{path}" for path in sub], "run/").open == "step/model.safetensors.index.json"
    for wanted in ("cud/", "cpu/", "/", "README.md/"):
        refused(DEVICES, wanted, f"no folder {wanted}")


def test_a_pattern_is_all_that_fits_it_where_it_lies() -> None:
    choice = chosen(QUANTIZED, "*Q6_K*")
    assert names(choice) == {"Llama-3.1-8B-Instruct-Q6_K.gguf"}
    choice = chosen(SPLIT, "*BF16-0000[12]-*")
    assert names(choice) == {f"BF16/Big-BF16-{number:05}-of-00009.gguf" for number in range(1, 10)}
    assert choice.open == "BF16/Big-BF16-00001-of-00009.gguf"
    assert choice.why == "*BF16-0000[12]-*: 2 of 20 files, as asked for"
    choice = chosen(SPLIT, "*BF16*")
    assert choice.open == "BF16/Big-BF16-00001-of-00009.gguf"
    assert "mmproj-BF16.gguf" in names(choice)
    choice = chosen(BROWSER, "model_q4.*")
    assert choice.open == "onnx/model_q4.onnx"
    assert ("tokenizer.json", "onnx/tokenizer.json") in choice.files
    assert chosen(BROWSER, "onnx/*q4*").open is None
    choice = chosen(SHARDED, "model-*.safetensors")
    assert names(choice) == {*SHARDS, "model.safetensors.index.json", *SMALL}
    assert choice.open is None
    assert names(chosen(SHARDED, "*.json")) == {path for path in SHARDED if path.endswith(".json")}
    assert names(chosen(SHARDED, "*")) >= set(SHARDED)
    assert chosen([f"a/{path}" for path in SHARDED], "a/model-*").open == "a/model.safetensors.index.json"
    refused(SHARDED, "*.gguf", "no file of the repository fits *.gguf", "there is: model.safetensors.index.json")


# What no list of cases covers.


@pytest.mark.parametrize(
    "path",
    [
        "../x.gguf",
        "/x.gguf",
        "a//x.gguf",
        "a/../x.gguf",
        "a\\x.gguf",
        "C:x.gguf",
        "x\n.gguf",
        "x\ud800.gguf",
        "a./x.gguf",
        "a /x.gguf",
    ],
)
def test_names_that_the_store_would_refuse_are_not_there(path: str) -> None:
    refused([path], None, "no file at all")
    refused([path], path, "no file")
    assert chosen([path, "y.gguf"]).files == [("y.gguf", "y.gguf")]


WORDS = [
    *("model", "Q4_K_M", "q8_0", "fp16", "onnx", "-00001-of-00002", "-00002-of-00002", "mmproj", "decoder", "_merged"),
    *("encoder_", "adapter_", "consolidated", "pytorch_model", "cuda", "2_Dense", "tokenizer", "config", ".index.json"),
    *(
        ".gguf",
        ".onnx",
        ".onnx_data",
        ".onnx.data",
        ".safetensors",
        ".bin",
        ".pth",
        ".json",
        "/",
        "/",
        "-",
        "_",
        ".",
        "..",
    ),
    *("\\", ":", "\0", "\ud800", " ", "é", "", "*", "[", "]"),
]
TYPICAL = [*BROWSER, *SPLIT, *SHARDED, *SENTENCES, *DEVICES, *EXPORTED, *PYTORCH]
PATHS = st.lists(st.sampled_from(WORDS), max_size=6).map("".join) | st.sampled_from(TYPICAL) | st.text(max_size=20)
LISTINGS = st.lists(st.tuples(PATHS, st.none() | st.integers(0, 10**12)), max_size=30)
WANTED = st.none() | PATHS | st.sampled_from(["Q4_K_M", "fp16", "*", "*.onnx", "onnx/", "?odel*", "[", "[!a]*", "**/x"])
PREFERENCES = st.builds(
    Preferences,
    st.lists(st.sampled_from(["gguf", "onnx", "safetensors", "pytorch"]), unique=True).map(tuple),
    st.lists(st.sampled_from(["Q4_K_M", "q8_0", "F16", "F32", "", "nonsense"])).map(tuple),
)


@settings(max_examples=ROUNDS, deadline=None)
@given(LISTINGS, WANTED, PREFERENCES)
def test_of_any_listing_names_are_chosen_that_the_store_takes(
    listing: list[tuple[str, int | None]], wanted: str | None, preferences: Preferences
) -> None:
    sizes = dict(listing)
    with contextlib.suppress(ModelNotFound):
        choice = chosen(sizes, wanted, preferences)
        # The order of the listing does not matter.
        assert chosen(dict(sorted(sizes.items())), wanted, preferences).open == choice.open


def test_ten_thousand_files_are_no_burden() -> None:
    kinds = [
        "x-{}.gguf",
        "x-{:05}-of-10000.gguf",
        "m{}.onnx",
        "a{}/b/c/model.safetensors",
        "m{}.bin",
        "x-1-of-{}.safetensors",
    ]
    for kind in kinds:
        listing = [kind.format(number) for number in range(10_000)]
        for wanted in (None, "*", "Q4_K_M"):
            start = time.process_time()
            with contextlib.suppress(ModelNotFound):
                chosen(listing, wanted)
            assert time.process_time() - start < 5, (kind, wanted)


# With real models.


def laid_out(repository: Path, model: Path, wanted: str | None = None) -> Path:
    """What can be opened once the files chosen of a folder are where the store would put them."""
    files = sorted(path for path in repository.rglob("*") if path.is_file())
    listing = [(path.relative_to(repository).as_posix(), path.stat().st_size) for path in files]
    choice = choose(listing, wanted, *Preferences())
    for path, name in choice.files:
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(repository / path, model / name)
    if len(choice.files) == 1:
        return model / choice.files[0][1]
    return model if choice.open is None else model / choice.open


@pytest.mark.parametrize("kind", ["gguf", "onnx", "safetensors", "pattern"])
def test_what_is_chosen_can_be_opened(
    kind: str, tiny_model: Path, tiny_folder: Path, tiny_onnx: Callable[..., Path], tmp_path: Path
) -> None:
    repository = tmp_path / "repository"
    if kind == "gguf":
        repository.mkdir()
        shutil.copyfile(tiny_model, repository / "tiny-Q8_0.gguf")
        (repository / "mmproj-F16.gguf").write_bytes(b"GGUF")
    elif kind == "safetensors":
        shutil.copytree(tiny_folder, repository)
        (repository / "adapter_model.safetensors").write_bytes(b"")
    else:
        shutil.copytree(tiny_onnx("grown"), repository)
        (repository / "onnx").mkdir()
        (repository / "model.onnx").rename(repository / "onnx" / "model_q4.onnx")
        (repository / "onnx" / "model_fp16.onnx").write_bytes(b"")
    path = laid_out(repository, tmp_path / "model", "*_q4.onnx" if kind == "pattern" else None)
    with trillm.load(path, threads=1) as model:
        assert model.generate("hello", max_tokens=2).text is not None
