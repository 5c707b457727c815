"""Seeds known bugs, one at a time, and checks that a model test fails for each.

These are loom's models of the lock-free code, and those of what decides which models are in memory.
A model that passes says little unless it is known what it would catch. `just loom` runs it for the lock-free code;
`python tools/mutants.py runtime` for the memory, which builds the engines' crates anew and takes longer.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# What is wrong, the file, the code, and the code with the bug.
LOCK_FREE = [
    (
        "a push that does not publish its node",
        "lockfree.rs",
        "head, node, Release, Relaxed",
        "head, node, Relaxed, Relaxed",
    ),
    ("a stack taken newest first", "lockfree.rs", "out[begin..].reverse();", ""),
    (
        "an item published before it is written",
        "lockfree.rs",
        "tail.wrapping_add(1), Release",
        "tail.wrapping_add(1), Relaxed",
    ),
    (
        "a cell given back before it is read",
        "lockfree.rs",
        "head.wrapping_add(1), Release",
        "head.wrapping_add(1), Relaxed",
    ),
    (
        "a writer that overruns the reader",
        "lockfree.rs",
        "== self.cells.len() {\n            return Err(value);",
        "> self.cells.len() {\n            return Err(value);",
    ),
    (
        "a sleeper that does not look again",
        "wake.rs",
        "if self.state.compare_exchange(AWAKE, PARKED, SeqCst, SeqCst).is_ok() {",
        "self.state.store(PARKED, SeqCst);\n        {",
    ),
    (
        "a notification that does not wake",
        "wake.rs",
        "self.state.swap(NOTIFIED, SeqCst) == PARKED",
        "self.state.swap(NOTIFIED, SeqCst) == NOTIFIED",
    ),
    (
        "a reader that registers and does not look again",
        "stream.rs",
        "register(&self.channel.reader, waker);\n"
        "        // Again, for what came between the look and the registration.\n"
        "        self.channel.ring.len() > 0",
        "register(&self.channel.reader, waker);\n        false",
    ),
    (
        "a writer that does not look again after it said that it starves",
        "stream.rs",
        "self.starved = !channel.caught_up();",
        "self.starved = true;",
    ),
    (
        "a reader that makes room and tells nobody",
        "stream.rs",
        "if self.channel.flags.load(Relaxed) & STARVED != 0 && self.channel.caught_up() {",
        "if false {",
    ),
    (
        "a writer that waits for more than half to be read",
        "stream.rs",
        "self.ring.len() <= self.capacity() / 2",
        "self.ring.len() * 2 < self.capacity() / 2",
    ),
    (
        "a cancellation that wakes nobody",
        "stream.rs",
        "        self.leave_queue();\n        self.decoder.notify();",
        "        self.leave_queue();",
    ),
    (
        "a request that leaves the queue twice",
        "stream.rs",
        "if self.flags.fetch_and(!QUEUED, AcqRel) & QUEUED != 0 {",
        "if self.flags.load(Relaxed) & QUEUED != 0 {\n            self.flags.fetch_and(!QUEUED, AcqRel);",
    ),
    (
        "a request that ends and stays in the queue",
        "stream.rs",
        "        self.finished = true;\n        self.channel.leave_queue();",
        "        self.finished = true;",
    ),
    ("a piece that wakes nobody", "stream.rs", "if !lazy ||", "if lazy &&"),
    ("a dropped writer that says nothing", "stream.rs", "if !self.finished {", "if false {"),
    (
        "cores taken before what was done on them is seen",
        "cores.rs",
        "word + seat.threads, Acquire, Relaxed",
        "word + seat.threads, Relaxed, Relaxed",
    ),
    (
        "cores handed out before what was done on them is seen",
        "cores.rs",
        "self.has_cores.load(Acquire)",
        "self.has_cores.load(Relaxed)",
    ),
    (
        "cores given back before what was done on them",
        "cores.rs",
        "fetch_sub(seat.threads, AcqRel)",
        "fetch_sub(seat.threads, Acquire)",
    ),
    ("cores given back and not to those who wait", "cores.rs", "AcqRel) & WANTED != 0 {", "AcqRel) & WANTED == 1 {"),
    (
        "a thread in line that misses what was given back before",
        "cores.rs",
        "self.word.fetch_or(WANTED, AcqRel);\n        self.hand_out(&mut line);",
        "self.word.fetch_or(WANTED, AcqRel);",
    ),
    ("one that overtakes those in line", "cores.rs", "word & WANTED != 0 || !self.suffice", "!self.suffice"),
    ("more threads than cores", "cores.rs", "used + seat.threads <= self", "used <= self"),
    ("a line that wakes nobody", "cores.rs", "            first.wake.notify();\n", ""),
    ("one that leaves with the cores", "cores.rs", "            self.give(seat);\n", ""),
    (
        "one that leaves and holds up those behind",
        "cores.rs",
        "            self.hand_out(&mut line);\n",
        "",
    ),
    ("a line that nobody is in and all wait for", "cores.rs", "self.word.fetch_and(!WANTED, Relaxed);", ""),
    (
        "more cores that nobody hears of",
        "cores.rs",
        "        self.hand_out(&mut self.line());\n    }\n\n    /// Whether somebody",
        "    }\n\n    /// Whether somebody",
    ),
]

TABLE = [
    ("a model that is used goes", "table.rs", "oldest(|here| here.leases == 0)", "oldest(|_| true)"),
    ("a pinned model goes", "table.rs", "if !here.pinned && is_wanted(here)", "if is_wanted(here)"),
    ("the one that was used last goes", "table.rs", "here.min().map", "here.max().map"),
    ("a line that is not kept", "table.rs", "self.line.front().is_none_or(|first| first != name)", "false"),
    (
        "a busy model that never makes room",
        "table.rs",
        "            here.retiring = true;\n        }\n        Room::Wait",
        "            let _ = here;\n        }\n        Room::Wait",
    ),
    (
        "a model that retires for ever",
        "table.rs",
        "                if let State::Here(here) = &mut entry.state {\n                    here.retiring = false;",
        "                if let State::Here(_) = &mut entry.state {",
    ),
    ("a model that goes before its time", "table.rs", "if end <= now =>", "if end >= now =>"),
    ("a lease that counts for the next load", "table.rs", ".filter(|entry| entry.load == load)?", "?"),
    (
        "room for what does not fit",
        "table.rs",
        "self.fits(count + 1, taken.saturating_add(bytes))",
        "self.fits(count + 1, taken)",
    ),
    ("one mark of memory where there are two", "rotation.rs", "if self.is_short { 2 } else { 1 }", "1"),
    (
        "models that go on going when memory is not short any more",
        "rotation.rs",
        "self.is_short = short.is_some();",
        "self.is_short |= short.is_some();",
    ),
    (
        "models that go for what one that went has ended",
        "rotation.rs",
        "self.stalls_count_from = Some(now + MEMORY_OF_STALLS);",
        "let _ = now + MEMORY_OF_STALLS;",
    ),
    ("one model more than there may be", "table.rs", "self.fits(count + 1, taken.s", "self.fits(count, taken.s"),
]

MODELS = {"sched": LOCK_FREE, "runtime": TABLE}
"""The bugs of each crate that has a model."""


def main() -> int:
    """Returns 0 if every bug is caught."""
    copy = ROOT / "target" / "mutants"
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns("target", ".venv", ".git", "*.so", "__pycache__")
    shutil.copytree(ROOT, copy, ignore=ignored, symlinks=True)
    environment = {
        **os.environ,
        # Not that of `just loom`: cargo would take the last seeded bug for what it built from the sources.
        "CARGO_TARGET_DIR": str(ROOT / "target" / "loom-mutants"),
    }
    survivors = 0
    for crate in sys.argv[1:] or ["sched"]:
        mutants = MODELS[crate]
        if crate == "sched":
            environment |= {"RUSTFLAGS": "--cfg loom -C debug-assertions", "LOOM_MAX_PREEMPTIONS": "2"}
        test = ["cargo", "test", "-q", "-p", f"trillm-{crate}", "--lib"]
        # First without a bug and without a limit: the time that libraries take must not count as a bug that was caught.
        subprocess.run([*test, "--no-run"], cwd=copy, env=environment, check=True)
        for what, name, code, bug in mutants:
            mutated = copy / "crates" / crate / "src" / name
            original = mutated.read_text(encoding="utf-8")
            if original.count(code) != 1:
                sys.exit(f"{name} has {original.count(code)} places for the mutant «{what}», expected one")
            mutated.write_text(original.replace(code, bug), encoding="utf-8")
            command = ["timeout", "60", *test]
            answer = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
            mutated.write_text(original, encoding="utf-8")
            if "error: could not compile" in answer.stderr:
                sys.exit(f"the mutant «{what}» does not compile:\n{answer.stderr}")
            caught = answer.returncode != 0
            print(f"{'caught  ' if caught else 'SURVIVED'} {what}", flush=True)
            survivors += not caught
    return survivors


if __name__ == "__main__":
    sys.exit(main())
