"""What nobody knows of a model that was taken from the cache of ``huggingface_hub`` without asking the hub.

That library fetches file by file, and notes what a repository does not have only for what it was asked for. A file that
is neither there nor noted may exist, and change what the model says. It is no reason to refuse the model, which is as a
rule all there is: it is said wherever the model is used, until its source was asked.
"""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING

from trillm._core import choose, purpose_of
from trillm.errors import ModelNotFound
from trillm.hub._lists import NAME
from trillm.hub._options import FORMATS, QUANTIZATIONS
from trillm.hub._sources.snapshot import is_several

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trillm._core import HuggingFace
    from trillm.hub._remote import Plan
    from trillm.hub._sources.snapshot import Snapshot

_LISTED = 8
"""Files that a sentence names."""


def lacking(snapshot: Snapshot, plan: Plan) -> list[str]:
    """The files that would change what a planned model says, and that the cache lacks, as far as anybody here knows."""
    return [path for path in _telling(snapshot, plan) if snapshot.may_lack(path)]


def doubts(snapshot: Snapshot, wanted: HuggingFace, plan: Plan, reference: str) -> Iterator[str]:
    """What to say of a model that is planned from a snapshot."""
    tree = snapshot.tree
    has = f"nothing says whether {wanted.repo} has" if tree is None else f"{wanted.repo} has"
    start = f"{reference} was taken from a cache, and {has}"
    end = f"fetch all of it once while online: trillm update {reference}"
    if is_several(wanted) and (not snapshot.whole if tree is None else _lacks(tree, wanted, plan)):
        yield f"{start} more files that fit than {len(plan.files)}; {end}"
    lacks = lacking(snapshot, plan)
    if lacks:
        more = f" and {len(lacks) - _LISTED} more" if len(lacks) > _LISTED else ""
        yield f"{start} {', '.join(lacks[:_LISTED])}{more}, by which its answers may be others; {end}"


def _lacks(tree: frozenset[str], wanted: HuggingFace, plan: Plan) -> bool:
    """Whether a repository with these files has more of what was asked for than a plan."""
    try:
        choice = choose([(path, None) for path in tree], wanted.file, FORMATS, QUANTIZATIONS)
    except ModelNotFound:
        return False
    return len(choice.files) > len(plan.files)


def _telling(snapshot: Snapshot, plan: Plan) -> Iterator[str]:
    """The paths of files that change what a model says, where it has them."""
    paths = {file.name: file.origin or file.name for file in plan.files}
    # In a folder of their own where the network has one.
    tokenizer = min((name for name in paths if posixpath.basename(name) == "tokenizer.json"), key=len, default=None)
    if tokenizer is None:
        return
    home = posixpath.dirname(paths[tokenizer])
    config = paths.get(posixpath.join(posixpath.dirname(tokenizer), "config.json"))
    purpose = None if config is None else purpose_of(snapshot.folder / config)
    for name in ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"):
        yield posixpath.join(home, name)
    if purpose in ("text", None):
        yield posixpath.join(home, "generation_config.json")
        if not _has_template(snapshot, posixpath.join(home, "tokenizer_config.json")):
            yield posixpath.join(home, "chat_template.jinja")
    list_of_modules = paths.get(NAME)
    if list_of_modules is not None:
        yield posixpath.join(posixpath.dirname(list_of_modules), "config_sentence_transformers.json")
        if not any(posixpath.basename(path).startswith("sentence_") for path in paths.values()):
            yield posixpath.join(home, "sentence_bert_config.json")
    elif purpose == "vectors" and snapshot.tree is None:
        yield posixpath.join(home, NAME)
    # Nobody asks for these by name, so they count where they are known.
    known = snapshot.tree or frozenset()
    if NAME not in paths and posixpath.join(home, NAME) in known:
        yield posixpath.join(home, NAME)
    if any(name.endswith(".onnx") for name in paths) and posixpath.join(home, "genai_config.json") in known:
        yield posixpath.join(home, "genai_config.json")
    templates = posixpath.join(home, "additional_chat_templates", "")
    yield from sorted(path for path in known if path.startswith(templates))


def _has_template(snapshot: Snapshot, path: str) -> bool:
    try:
        return "chat_template" in json.loads((snapshot.folder / path).read_bytes())
    except (OSError, ValueError, TypeError, RecursionError):
        return False
