"""Results go to other processes by every protocol of pickle's; what lives in one process does not."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import trillm

from .helpers import GREEDY, pickled


def test_results_and_their_parts(llm: trillm.Model) -> None:
    completion = llm.generate("the man", max_tokens=4, logprobs=2, **GREEDY)
    pieces = list(llm.stream("the man", max_tokens=4, logprobs=2, **GREEDY))
    entry = (completion.logprobs or [])[0]
    values = (completion, completion.usage, completion.timings, *pieces, entry, entry.chosen, llm.info)
    for value in values:
        for again in pickled(value):
            assert (again, type(again)) == (value, type(value))
            assert again.to_dict() == value.to_dict()
        # Plain to the innermost: a tuple comes back from JSON as a list.
        assert json.loads(json.dumps(value.to_dict())) == value.to_dict()


def test_what_lives_in_a_process_is_not_pickled(llm: trillm.Model, tiny_model: Path, tmp_path: Path) -> None:
    """By the oldest protocols neither, which would write it without its content."""
    core: Any = trillm._core
    living: list[Any] = [
        llm,
        llm.stream("the", max_tokens=1),
        llm.astream("the", max_tokens=1),
        trillm.Tokenizer(tiny_model),
        core.Reference("smollm2"),
        core.Store(tmp_path),
    ]
    for value in living:
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            with pytest.raises(TypeError, match=r"cannot (be )?pickle"):
                pickle.dumps(value, protocol)
