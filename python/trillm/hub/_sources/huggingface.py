"""Models in repositories of the Hugging Face hub, or of a server that speaks its protocol.

What a repository has is asked through ``huggingface_hub``. The files are fetched by us, pinned to the commit that was
listed, because that library checks their size and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from trillm._core import HuggingFace, smaller
from trillm.errors import DownloadError, InvalidRequest, ModelNotFound
from trillm.hub._lists import choose_by_lists
from trillm.hub._network.client import origin
from trillm.hub._network.retries import limits, retrying
from trillm.hub._remote import Location, Plan, RemoteFile
from trillm.hub._sources.caches import gather
from trillm.hub._sources.hub_api import ask, xet
from trillm.hub._sources.xet import Part, pieces

if TYPE_CHECKING:
    from pathlib import Path

    from trillm.hub._job import Job
    from trillm.hub._network.client import Client
    from trillm.hub._network.crew import Running
    from trillm.hub._options import Options
    from trillm.hub._sources.listing import Listing

_HUB = "https://huggingface.co"


def credentials(options: Options) -> Mapping[str, str]:
    """The token, for the hub's own address only."""
    token = _token(options)
    return {} if token is None else {origin(_endpoint(options)): token}


def plan(job: Job, client: Client) -> Plan:
    """Asks the hub what the repository has and chooses among it. Offline, what the hub's own cache has of it counts.

    Lists of modules are fetched for it: which files are parts of a model is said there.

    Raises `ModelNotFound`, `DownloadError`, `TransientError`.
    """
    if job.options.no_network:
        from trillm.hub._sources.offline import plan_offline

        return plan_offline(job)
    wanted = job.wanted.source
    assert isinstance(wanted, HuggingFace)
    endpoint = _endpoint(job.options)
    token = _token(job.options)
    listing = retrying(job, lambda: ask(job, wanted, endpoint, token))

    def bring(file: RemoteFile) -> Path:
        [(sha256, _)] = gather(job, client, [file])
        return job.store.root / "blobs" / "sha256" / sha256

    planned = arrange(job, listing, lambda path: _location(endpoint, wanted.repo, listing.commit, path), bring)
    return replace(planned, files=tuple(_large(job, file) for file in planned.files))


def remote(job: Job, client: Client, source: Mapping[str, Any], file: Mapping[str, Any]) -> RemoteFile:
    """A file of a model that the store has, where its source has it."""
    del client
    path = file["origin"] or file["name"]

    def locate() -> Location:
        return _location(_endpoint(job.options), source["repo"], source["commit"], path)

    return _large(job, RemoteFile(file["name"], file["origin"], file["size"], file["sha256"], None, locate))


def _large(job: Job, file: RemoteFile) -> RemoteFile:
    """With another way for its bytes, if there are too many for the usual one."""
    size, wanted = file.size, job.wanted.source
    if size is None or size <= limits.plain or file.sha256 is None:
        return file
    assert isinstance(wanted, HuggingFace)
    endpoint, token = _endpoint(job.options), _token(job.options)

    def bring(running: Running, first: int, end: int) -> Iterator[bytes]:
        found = xet(running, wanted, file.locate().url, endpoint, token)
        return pieces(running, found, token, Part(file.name, size, first, end))

    return replace(file, pieces=bring)


def _location(endpoint: str, repo: str, commit: str, path: str) -> Location:
    return Location(f"{endpoint}/{quote(repo)}/resolve/{commit}/{quote(path)}")


def arrange(
    job: Job,
    listing: Listing,
    locate: Callable[[str], Location],
    bring: Callable[[RemoteFile], Path | None],
) -> Plan:
    """What to fetch of a repository. ``bring`` fetches a small file at once, and says where it is, if it can be had."""
    wanted = job.wanted.source
    assert isinstance(wanted, HuggingFace)
    entries = {entry.path: entry for entry in listing.files}

    def remote(path: str, name: str) -> RemoteFile:
        entry = entries.get(path)
        if entry is None:
            raise ModelNotFound(
                f"{wanted.repo} does not have {path}, which another file of the model names",
                "model_not_found",
                "the repository is not complete: ask its publisher, or take another one",
            )
        return RemoteFile(
            name=name,
            origin=None if path == name else path,
            size=entry.size,
            sha256=entry.sha256,
            git=entry.git,
            locate=lambda: locate(path),
            here=entry.here,
        )

    choice = choose_by_lists(
        [(entry.path, entry.size) for entry in listing.files],
        wanted.file,
        lambda path: bring(remote(path, path)),
        formats=job.options.preferred_formats,
        quantizations=job.options.quantization_preference,
    )

    def others() -> list[tuple[str, int]]:
        named = f"hf:{wanted.repo}" + (f"@{wanted.revision}" if wanted.revision else "")
        files = [(entry.path, entry.size) for entry in listing.files]
        return [(f"{named}:{path}", size) for path, size in smaller(files, choice.files[0][0])]

    return Plan(
        files=tuple(remote(path, name) for path, name in choice.files),
        source={
            "kind": "hugging_face",
            "repo": wanted.repo,
            "revision": wanted.revision or "main",
            "commit": listing.commit,
        },
        why=choice.why,
        open=choice.open,
        licence=listing.licence,
        beside=remote,
        smaller=others,
    )


def _endpoint(options: Options) -> str:
    # Read here: `huggingface_hub` reads the variable once, when it is imported.
    url = options.source("huggingface").base_url or os.environ.get("HF_ENDPOINT") or _HUB
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise InvalidRequest(
            f"the address of the hub is {url!r:.80}, expected one that begins with https://",
            "invalid_parameter",
            "it comes from HF_ENDPOINT, or from base_url in the options",
        )
    return url.rstrip("/")


def _token(options: Options) -> str | None:
    if options.no_network:
        # To find the user's login, the library may have to renew it.
        return None
    token = options.source("huggingface").token
    if token is None:
        token = _login()
    if token is not None and not (token.isascii() and token.isprintable()):
        raise InvalidRequest(
            "the token for Hugging Face has characters that no token has",
            "invalid_parameter",
            "check HUGGINGFACE_TOKEN, or log in again: hf auth login",
        )
    return token


def _login() -> str | None:
    """The token that `huggingface_hub` finds. It may have to ask somebody for it."""
    import httpx2
    from huggingface_hub import constants, get_token
    from huggingface_hub.errors import OIDCError

    try:
        return None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    except (OSError, httpx2.HTTPError, OIDCError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "nobody answers for it"
        raise DownloadError(
            f"the login of huggingface_hub cannot be used: {reason}",
            "access_denied",
            "log in again (hf auth login), or set HUGGINGFACE_TOKEN",
        ) from error
