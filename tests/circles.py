"""Which files of a crate need which others, and the circles among them.

This is read from the text, so it sees names and not types: a file needs another if its code names something that is
defined there, by whatever way the name came in. Declaring a module or passing a name on needs nothing. What a method or
a macro of another file does is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sources import MODULE, child, code

Names = tuple[str, ...]
"""A path of Rust, `("crate", "gguf", "Keys")` as it is written or `("gguf", "keys", "Keys")` from the crate's root."""

USE = re.compile(r"^\s*(?:pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", re.MULTILINE)
NAME = re.compile(r"(?<![\w:.])[A-Za-z_]\w*(?:\s*::\s*[A-Za-z_]\w*)*")
TEST = re.compile(r"#\[cfg\((?:all\()?test\b[^]]*]")
INLINE = re.compile(r"\bmod\s+\w+\s*(?={)")


@dataclass
class File:
    """A file of a crate: the module that it is, and how it comes by names."""

    path: Path
    module: Names
    children: list[str] = field(init=False)
    """The modules that it declares."""
    imports: dict[str, Names] = field(init=False, default_factory=dict)
    """Names that it brings in or passes on, and what they stand for."""
    names: set[Names] = field(init=False, default_factory=set)
    """What its code says, as it is written."""

    def __post_init__(self) -> None:
        text = replaced(TEST, code(self.path), lambda _: "")
        # `super` in a module within the file is the file.
        text = replaced(INLINE, text, lambda body: re.sub(r"\bsuper\s*::", "self::", body))
        for tree in USE.findall(text):
            for path, name in leaves(re.sub(r"\s+", " ", tree).strip()):
                if name in ("*", "_"):
                    self.names.add(path)
                elif path != ("self", name):
                    self.imports[name] = path
        self.children = MODULE.findall(text)
        text = MODULE.sub("", USE.sub("", text))
        self.names |= {tuple(re.split(r"\s*::\s*", name)) for name in NAME.findall(text)}

    def from_root(self, path: Names) -> Names | None:
        """A path that is written here, from the root; none if it leads out of the crate or is of this file alone."""
        first, rest = path[0], path[1:]
        if first == "crate":
            return rest
        if first == "self":
            return (*self.module, *rest)
        if first == "super":
            above = self.module
            while path[:1] == ("super",):
                above, path = above[:-1], path[1:]
            return (*above, *path)
        if first in self.imports and self.imports[first][0] != first:
            found = self.from_root(self.imports[first])
            return found and (*found, *rest)
        return (*self.module, *path) if first in self.children else None


def leaves(tree: str, before: Names = ()) -> Iterator[tuple[Names, str]]:
    """The paths of a `use`, and what each is called here."""
    path, brace, group = tree.partition("{")
    steps = tuple(step.strip() for step in path.split("::") if step.strip())
    if brace:
        depth, start = 0, 0
        for at, sign in enumerate(group):
            if (sign == "," and depth == 0) or (sign == "}" and depth == 0):
                if group[start:at].strip():
                    yield from leaves(group[start:at].strip(), (*before, *steps))
                start = at + 1
            depth += (sign == "{") - (sign == "}")
        return
    last, _, alias = steps[-1].partition(" as ")
    whole = before if last == "self" and before else (*before, *steps[:-1], last)
    yield whole, alias or whole[-1]


def replaced(head: re.Pattern[str], text: str, change: Callable[[str], str]) -> str:
    """`text` with each item that begins with `head` changed: it ends with a semicolon or with its braces."""
    done = ""
    while found := head.search(text):
        end = found.end()
        depth = 0
        while end < len(text):
            depth += (text[end] == "{") - (text[end] == "}")
            end += 1
            if depth == 0 and text[end - 1] in ";}":
                break
        done += text[: found.start()] + change(text[found.start() : end])
        text = text[end:]
    return done + text


def files(path: Path, module: Names = ()) -> Iterator[File]:
    """A file and those that it declares, but for tests."""
    file = File(path, module)
    yield file
    for name in file.children:
        yield from files(child(path, name), (*module, name))


class Graph:
    """The files of a crate, and what each needs."""

    def __init__(self, root: Path) -> None:
        self.folder = root.parent
        self.files = {file.module: file for file in files(root)}
        self.edges: dict[Path, dict[Path, set[str]]] = {file.path: {} for file in self.files.values()}
        for file in self.files.values():
            for name in file.names:
                path = file.from_root(name)
                home = self.home(path) if path else None
                if home and home != file.path:
                    self.edges[file.path].setdefault(home, set()).add("::".join(name))

    def home(self, path: Names) -> Path | None:
        """The file that defines what a path from the root leads to; none for a module alone."""
        depth = max(depth for depth in range(len(path) + 1) if path[:depth] in self.files)
        # A name may be both: a module, and a function of it that is passed on.
        if depth and depth == len(path) and path[-1] in self.files[path[:-1]].imports:
            depth -= 1
        file = self.files[path[:depth]]
        if depth == len(path):
            return None
        if path[depth] == "*":
            return file.path
        if path[depth] not in file.imports:
            return file.path
        further = file.from_root(file.imports[path[depth]])
        return self.home((*further, *path[depth + 1 :])) if further else None

    def circles(self) -> list[list[str]]:
        """Who needs whom in each set of files that all need each other, over however many steps."""
        reached = {path: self.reached(path) for path in self.edges}
        circles = {frozenset(there for there in reached[path] if path in reached[there]) for path in reached}
        return [list(self.told(circle)) for circle in sorted(circles, key=sorted) if circle]

    def told(self, circle: frozenset[Path]) -> Iterator[str]:
        """Who needs whom in a circle, and for which names."""
        for path in sorted(circle):
            for needed, names in sorted(self.edges[path].items()):
                if needed in circle:
                    one, other = path.relative_to(self.folder), needed.relative_to(self.folder)
                    yield f"{one} needs {other} for {', '.join(sorted(names))}"

    def reached(self, path: Path) -> set[Path]:
        """What a file needs, over however many steps."""
        seen: set[Path] = set()
        ahead = [path]
        while ahead:
            further = self.edges[ahead.pop()].keys() - seen
            seen |= further
            ahead.extend(further)
        return seen
