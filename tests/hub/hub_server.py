"""A hub on this machine that speaks the protocol of Hugging Face's, with a second host for large files.

`tests/hub/test_huggingface.py` lets the real client check it.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from web import Reply, Request, Web

LARGE = (".bin", ".gguf", ".onnx", ".onnx_data", ".safetensors")
"""Endings of files in large-file storage."""

CACHED = "/api/resolve-cache/"
"""Where the hub has small files; it redirects there, without naming itself."""


_CHUNK = 20_000
"""Bytes of a chunk of Xet."""


def git_id(content: bytes) -> str:
    """What git calls this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@dataclass
class Repository:
    """What its branches lead to, and what was in it at each commit."""

    branches: dict[str, str] = field(default_factory=dict)
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    card: dict[str, Any] = field(default_factory=lambda: {"license": "apache-2.0"})
    private: bool = False
    gated: bool = False

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        """Makes this the content of a branch; returns the commit."""
        names = "".join(f"{name} {git_id(content)}\n" for name, content in sorted(files.items()))
        commit = hashlib.sha1(f"{len(self.commits)} {names}".encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.branches[branch] = commit
        return commit


class Storage(Web):
    """The second host. It needs no token, but the signature that the hub puts in the address, or speaks Xet."""

    def __init__(self) -> None:
        super().__init__()
        self.shared: dict[str, int] = {}
        """Bytes of what it gives by Xet."""

    def share(self, content: bytes) -> str:
        """Gives a content by Xet, in chunks that are all in one object; returns its name there."""
        name = sha256(content)
        chunks = [content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK)]
        lengths = [len(chunk).to_bytes(3, "little") for chunk in chunks]
        # Version, length, no compression, length again.
        packed = b"".join(b"\0" + size + b"\0" + size + chunk for size, chunk in zip(lengths, chunks, strict=True))
        self.put(f"/xorb/{name}", packed, etag=f'"{name}"')
        self.shared[name] = len(content)
        return name

    def _reconstruction(self, request: Request, name: str) -> Reply:
        """Which chunks a range of a content is made of, and where they are."""
        size = self.shared[name]
        first, last = map(int, request.headers["Range"].removeprefix("bytes=").split("-"))
        if first >= size:
            return Reply(416)
        start, end = first // _CHUNK, min(last, size - 1) // _CHUNK + 1
        chunks = {"start": start, "end": end}
        length = min(end * _CHUNK, size) - start * _CHUNK
        packed = {"start": start * (_CHUNK + 8), "end": min(end * (_CHUNK + 8), size + 8 * end) - 1}
        return _json(
            {
                "offset_into_first_range": first - start * _CHUNK,
                "terms": [{"hash": name, "unpacked_length": length, "range": chunks}],
                "fetch_info": {name: [{"range": chunks, "url": f"{self.url}/xorb/{name}", "url_range": packed}]},
            }
        )

    def answer(self, request: Request) -> Reply:
        place = urlsplit(request.path).path.split("/")
        if place[1:3] == ["v1", "reconstructions"]:
            right = request.headers.get("Authorization") == "Bearer xet"
            return self._reconstruction(request, place[3]) if right else Reply(401)
        if place[1] == "v2":
            return Reply(404)
        if place[1] != "xorb" and parse_qs(urlsplit(request.path).query).get("signature") != ["good"]:
            return Reply(403)
        return super().answer(request)


class Hub(Web):
    """The hub. `token` may read what is private; `accepted` says whether it may also read what is gated."""

    token = "hf_canary"
    accepted = False

    def __init__(self) -> None:
        super().__init__()
        self.storage = Storage()
        self.repositories: dict[str, Repository] = {}
        self.announced: dict[str, Any] = {}
        """Fields of the listing that are not what they should be."""
        self.says: bytes | None = None
        """All of the listing, where it is none."""
        self.moved: set[str] = set()
        """Repositories that a redirect answers for."""
        self.xet = False
        """Whether it says how large files come by Xet."""

    def close(self) -> None:
        self.storage.close()
        super().close()

    def add(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Commits files to a branch of a repository; returns the commit."""
        return self.repositories.setdefault(repo, Repository()).commit(files, branch)

    def answer(self, request: Request) -> Reply:
        if request.path.startswith(CACHED):
            return super().answer(request)
        parts = unquote(urlsplit(request.path).path).strip("/").split("/")
        known = request.headers.get("Authorization") == f"Bearer {self.token}"
        api = parts[:2] == ["api", "models"]
        rest = parts[2:] if api else parts
        name, rest = "/".join(rest[:2]), rest[2:]
        if name in self.moved:
            return super().answer(request)
        repository = self.repositories.get(name)
        if repository is None or (repository.private and not known):
            # To those it does not know, the hub does not say what there is.
            return _error(404 if known else 401, "RepoNotFound")
        # In the address of the API the slashes of a revision are escaped, in that of a file they are not.
        raw = urlsplit(request.path).path.split("/revision/")
        revision = unquote(raw[1]) if len(raw) == 2 else rest[1] if len(rest) > 1 else "main"
        commit = repository.branches.get(revision, revision)
        if commit not in repository.commits:
            return _error(404, "RevisionNotFound")
        if api and rest[:1] == ["xet-read-token"]:
            token = {"accessToken": "xet", "exp": int(time.time()) + 3600, "casUrl": self.storage.url}
            return _json(token)
        if api:
            return self._listing(name, repository, commit, tree=rest[:1] == ["tree"])
        if rest[:1] != ["resolve"]:
            return Reply(404)
        if repository.gated and not (known and self.accepted):
            return _error(403 if known else 401, "GatedRepo")
        return self._file(name, repository, commit, "/".join(rest[2:]))

    def _listing(self, name: str, repository: Repository, commit: str, *, tree: bool) -> Reply:
        if self.says is not None:
            return Reply(200, {"Content-Type": "application/json"}, self.says)
        files = repository.commits[commit]
        if tree:
            return _json([_leaf(path, content) for path, content in files.items()])
        listing = {
            "id": name,
            "sha": commit,
            "private": repository.private,
            "gated": "auto" if repository.gated else False,
            "cardData": repository.card,
            "siblings": [_sibling(path, content) for path, content in files.items()],
        }
        return _json(listing | self.announced)

    def _file(self, name: str, repository: Repository, commit: str, path: str) -> Reply:
        content = repository.commits[commit].get(path)
        if content is None:
            return _error(404, "EntryNotFound", {"X-Repo-Commit": commit})
        headers = {"X-Repo-Commit": commit}
        if not path.endswith(LARGE):
            place = f"{CACHED}{commit}/{quote(path)}"
            self.put(place, content, etag=f'"{git_id(content)}"', headers=headers)
            return Reply(307, headers | {"Location": place})
        digest = sha256(content)
        if f"/{digest}" not in self.storage.files:
            self.storage.put(f"/{digest}", content, etag=f'"{digest[:32]}"')
        headers |= {
            "ETag": f'"{git_id(b"pointer to " + content)}"',
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(content)),
            "Location": f"{self.storage.url}/{digest}?signature=good",
        }
        if self.xet:
            headers["X-Xet-Hash"] = self.storage.share(content)
            headers["X-Xet-Refresh-Route"] = f"{self.url}/api/models/{name}/xet-read-token/{commit}"
        return Reply(302, headers)


def _error(status: int, code: str, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, {"X-Error-Code": code, **(headers or {})}, b'{"error": "no"}')


def _json(value: Any) -> Reply:
    return Reply(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


def _sibling(path: str, content: bytes) -> dict[str, Any]:
    """A file as the information on a repository names it."""
    sibling: dict[str, Any] = {"rfilename": path, "size": len(content), "blobId": git_id(content)}
    if path.endswith(LARGE):
        # Of large files git has a pointer, so this is not the id of the content.
        sibling["blobId"] = git_id(b"pointer to " + content)
        sibling["lfs"] = {"sha256": sha256(content), "size": len(content), "pointerSize": 134}
    return sibling


def _leaf(path: str, content: bytes) -> dict[str, Any]:
    """A file as the tree names it."""
    sibling = _sibling(path, content)
    leaf = {"type": "file", "path": path, "size": len(content), "oid": sibling["blobId"]}
    if "lfs" in sibling:
        leaf["lfs"] = {"oid": sibling["lfs"]["sha256"], "size": len(content), "pointerSize": 134}
    return leaf
