"""Models at plain URLs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trillm._core import Url
from trillm.hub._failure import download_failed
from trillm.hub._remote import Location, Plan, RemoteFile

if TYPE_CHECKING:
    from trillm.hub._job import Job
    from trillm.hub._network.client import Client
    from trillm.hub._options import Options


def credentials(options: Options) -> Mapping[str, str]:
    """None: a token is for one of the sources that have a name."""
    del options
    return {}


def plan(job: Job, client: Client) -> Plan:
    """The one file. How large it is shows when it is fetched; a server need not answer anything else."""
    del client
    wanted = job.wanted.source
    assert isinstance(wanted, Url)
    if job.options.no_network:
        raise download_failed(
            f"{wanted.url} is not in the store, and offline mode forbids fetching it",
            f"fetch it once while online: trillm pull {job.wanted.text}",
        )
    file = RemoteFile(
        name=wanted.file,
        origin=None,
        size=None,
        sha256=wanted.sha256,
        git=None,
        locate=lambda: Location(wanted.url),
    )
    return Plan(files=(file,), source={"kind": "url", "url": wanted.url})


def remote(job: Job, client: Client, source: Mapping[str, Any], file: Mapping[str, Any]) -> RemoteFile:
    """The file of a model that the store has, where its source has it."""
    del job, client
    return RemoteFile(file["name"], None, file["size"], file["sha256"], None, locate=lambda: Location(source["url"]))
