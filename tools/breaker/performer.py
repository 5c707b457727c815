"""One program, performed: this is the process that must neither end nor stall.

Arguments: the seed, the folder of specimens, the folder to work in. On standard output a dot is a sign of life, and the
last line a report.
"""

from __future__ import annotations

import faulthandler
import gc
import random
import shutil
import sys
import threading
import time
from pathlib import Path

import trillm
from actions import CLOSING, GENERATING, VECTORS, Action, ask, embed
from answers import Answers
from programs import draw
from stage import Plan, Stage
from trillm.errors import TrillmError
from troubles import TROUBLES, descriptors, threads

PATIENCE = 20
"""Seconds that threads have to end."""


def _allowed(plan: Plan) -> set[str]:
    allowed = {"deadline_exceeded", "load_cancelled"}
    if plan.closes:
        allowed |= {"closed", "cancelled"}
    if plan.options["cache_type"].startswith("q"):
        # Found out where the cache is made: that of vectors is made with the first of them.
        allowed.add("unsupported")
    if plan.options["queue"] < 512:
        allowed.add("overloaded")
    if plan.options.get("context", 512) < 512:
        allowed.add("context_overflow")
    return allowed


def _actions(plan: Plan) -> list[Action]:
    chosen = [*(GENERATING if plan.specimen.generates else []), *(VECTORS if plan.specimen.embeds else [])]
    return chosen + (CLOSING if plan.closes else [])


def _perform(stage: Stage, number: int) -> None:
    chance = random.Random(f"{stage.plan.seed} {number}")
    actions = _actions(stage.plan)
    main = threading.current_thread() is threading.main_thread()
    for _ in range(stage.plan.steps):
        action = chance.choice(actions)
        try:
            stage.interruptible = main
            stage.act(action.__name__, action, chance)
        except KeyboardInterrupt:
            # Between the action and here: as well.
            stage.beat("KeyboardInterrupt")
        finally:
            if main:
                stage.interruptible = False


def _act_all(stage: Stage) -> None:
    chance = random.Random(f"{stage.plan.seed} trouble")
    actors = [
        threading.Thread(target=_perform, args=(stage, number), name=f"actor {number}", daemon=stage.plan.leaves)
        for number in range(1, stage.plan.actors)
    ]
    with TROUBLES[stage.plan.trouble](stage, chance):
        started = []
        for actor in actors:
            try:
                actor.start()
            except (RuntimeError, MemoryError):
                continue
            started.append(actor)
        _perform(stage, 0)
        if stage.plan.leaves:
            stage.over.set()
            return
        for actor in started:
            actor.join()


def _settles(stage: Stage) -> None:
    """Afterwards nothing is left to do, and the model answers as before."""
    end = time.monotonic() + PATIENCE
    while any(stage.model.stats()[state] for state in ("running", "waiting", "paused")):
        if time.monotonic() > end:
            stage.fault(f"requests are left: {stage.model.stats()}")
            return
        time.sleep(0.01)


def _leaves_nothing(stage: Stage, before: tuple[int, int]) -> None:
    stage.model.close()
    del stage.model
    gc.collect()
    end = time.monotonic() + PATIENCE
    while (now := (threads(), descriptors())) > before or now[1] > before[1]:
        if time.monotonic() > end:
            names = [(task / "comm").read_text().strip() for task in Path("/proc/self/task").iterdir()]
            files = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.exists()]
            stage.fault(f"(threads, files) are {now}, before {before}: {names}, {files}")
            return
        time.sleep(0.01)


def _warm_up(path: Path, plan: Plan) -> None:
    """What a process has for ever after its first model of a kind."""
    with trillm.load(path, engine=plan.specimen.engine, threads=2) as model:
        if plan.specimen.generates:
            model.generate("the", max_tokens=2)
        if plan.specimen.embeds:
            model.embed("the")
    import asyncio

    asyncio.run(asyncio.sleep(0))


def main() -> None:
    """One program."""
    faulthandler.enable()
    seed, specimens, scratch = int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3])
    plan = draw(seed)
    path = specimens / plan.specimen.file
    if plan.trouble == "changes":
        copy = scratch / path.name
        shutil.copytree(path, copy) if path.is_dir() else shutil.copyfile(path, copy)
        path = copy
    answers = Answers.load(specimens / f"{plan.specimen.name}.json")
    _warm_up(specimens / plan.specimen.file, plan)
    for other in ("gguf", "grown", "safetensors"):
        # Any program may load one more of any kind.
        trillm.load(specimens / f"{other}{'.gguf' if other == 'gguf' else ''}", threads=2).close()
    before = (threads(), descriptors())
    try:
        model = trillm.load(path, engine=plan.specimen.engine, **plan.options)
    except TrillmError as error:
        code = error.code
        model = None
    if model is None:
        refusals = {"unsupported", "invalid_parameter"}
        if plan.options["cache_type"].startswith("q"):
            # llama.cpp has no such cache for heads as small as the tiny model's.
            refusals.add("engine_failed")
        stage = Stage(plan, specimens, path, scratch, answers, None, set())  # type: ignore[arg-type]
        if code not in refusals:
            stage.faults.append(f"loading fails: {code}")
        stage.outcomes["not loaded"] += 1
        stage.report()
        return
    stage = Stage(plan, specimens, path, scratch, answers, model, _allowed(plan))
    del model
    _act_all(stage)
    if plan.leaves:
        stage.report()
        return
    stage.allowed -= {"closed"}
    if plan.closes or plan.trouble in ("changes", "memory", "processes", "descriptors"):
        stage.model.close()
        stage.model = stage.open()
    chance = random.Random(seed)
    stage.act("the last one", ask if plan.specimen.generates else embed, chance)
    _settles(stage)
    _leaves_nothing(stage, before)
    stage.report()


if __name__ == "__main__":
    main()
