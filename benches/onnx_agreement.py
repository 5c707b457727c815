"""Whether smollm2 as ONNX says what others say with the same weights, greedily.

`fp32` and `plain` must say what transformers says in 32 bits. `int4` has other weights: what it says is compared with
transformers and with onnxruntime-genai on the same file, and reported. Each is also asked for a capital, as text and as
a conversation; only 4 bits may make it forget. Ends with 1 if something is not as it must be.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import trillm
from agreement import PROMPTS, TOKENS
from models import OnnxForm, smollm2_bf16, smollm2_onnx
from peers import THREADS
from peers_python import peers_python

QUESTION = "What is the capital of France?"

# Texts in, as JSON; for each the tokens out, and how much better each was than the second best.
TRANSFORMERS = """
import json, sys
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
path, threads, count = sys.argv[1], *map(int, sys.argv[2:4])
torch.set_num_threads(threads)
tokenizer = AutoTokenizer.from_pretrained(path)
model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()

def greedy(prompt):
    ids, past, tokens, gaps = tokenizer(prompt, return_tensors="pt").input_ids, None, [], []
    for _ in range(count):
        answer = model(ids, past_key_values=past, use_cache=True, logits_to_keep=1)
        past, best = answer.past_key_values, answer.logits[0, -1].topk(2)
        ids = best.indices[None, :1]
        tokens.append(int(ids))
        gaps.append(float(best.values[0] - best.values[1]))
    return tokens, gaps

with torch.inference_mode():
    json.dump([greedy(prompt) for prompt in json.load(sys.stdin)], sys.stdout)
"""

# The best token is given back by hand: left to itself, it would stop at an end.
GENAI = """
import json, sys
import numpy as np
import onnxruntime_genai as genai
path, threads, count = sys.argv[1], *map(int, sys.argv[2:4])
config = genai.Config(path)
config.overlay(json.dumps({"model": {"decoder": {"session_options": {"intra_op_num_threads": threads}}}}))
model = genai.Model(config)
tokenizer = genai.Tokenizer(model)

def greedy(prompt):
    ids, tokens, gaps = tokenizer.encode(prompt), [], []
    parameters = genai.GeneratorParams(model)
    parameters.set_search_options(max_length=len(ids) + count + 1, do_sample=False)
    generator = genai.Generator(model, parameters)
    for _ in range(count):
        generator.append_tokens(np.array(ids, dtype=np.int32))
        scores = generator.get_logits()
        scores = scores.reshape(-1, scores.shape[-1])[-1]
        second, first = np.argsort(scores)[-2:]
        ids = [first]
        tokens.append(int(first))
        gaps.append(float(scores[first] - scores[second]))
    return tokens, gaps

json.dump([greedy(prompt) for prompt in json.load(sys.stdin)], sys.stdout)
"""


@dataclass(frozen=True)
class Reference:
    """What a peer says: for each prompt the tokens, and how far apart the two best were."""

    name: str
    answers: list[tuple[list[int], list[float]]]


def reference(name: str, program: str, model: Path) -> Reference:
    """Asks a peer, in a process of its own."""
    command = [str(peers_python()), "-c", program, str(model), str(THREADS), str(TOKENS)]
    answer = subprocess.run(command, input=json.dumps(PROMPTS), stdout=subprocess.PIPE, text=True, check=True)
    return Reference(name, [(tokens, gaps) for tokens, gaps in json.loads(answer.stdout)])


def agrees(form: OnnxForm, answers: list[list[int]], peer: Reference) -> bool:
    """Whether all answers are the peer's; prints where they part, and how many do not."""
    same = 0
    for prompt, ours, (tokens, gaps) in zip(PROMPTS, answers, peer.answers, strict=True):
        at = next((i for i, (one, two) in enumerate(zip(ours, tokens, strict=True)) if one != two), None)
        if at is None:
            same += 1
        else:
            print(f"{form} parts after {at} tokens: {prompt!r}: the two best of {peer.name} are {gaps[at]:.3f} apart")
    print(f"{form}: {same} of {len(PROMPTS)} as {peer.name} for {TOKENS} tokens")
    return same == len(PROMPTS)


def knows(form: OnnxForm, llm: trillm.Model) -> bool:
    """Whether both questions for a capital are answered; prints the answers."""
    plain = llm.generate(PROMPTS[0], max_tokens=TOKENS, temperature=0).text
    chat = llm.chat([{"role": "user", "content": QUESTION}], max_tokens=TOKENS, temperature=0).text
    print(f"{form}: {PROMPTS[0]!r}: {plain!r}; asked {QUESTION!r}: {chat!r}")
    return "Paris" in plain and "Paris" in chat


def main() -> None:
    """Prints what differs, how many agree, and the answers."""
    transformers = reference("transformers", TRANSFORMERS, smollm2_bf16())
    well = True
    for form in get_args(OnnxForm):
        with trillm.Model(smollm2_onnx(form), threads=THREADS, context=512) as llm:
            answers = [
                llm.generate(prompt, max_tokens=TOKENS, temperature=0, ignore_eos=True).token_ids for prompt in PROMPTS
            ]
            good = agrees(form, answers, transformers)
            good &= knows(form, llm)
        if form == "int4":
            agrees(form, answers, reference("onnxruntime-genai", GENAI, smollm2_onnx(form)))
        else:
            well &= good
    sys.exit(0 if well else 1)


if __name__ == "__main__":
    main()
