"""A program from a seed: which model, loaded how, used by how many, and what befalls it meanwhile."""

from __future__ import annotations

import random

from specimens import SPECIMENS, options
from stage import Plan
from troubles import TROUBLES

__all__ = ["draw"]


def draw(seed: int) -> Plan:
    """The same for the same seed."""
    chance = random.Random(seed)
    specimen = SPECIMENS[chance.choice(["gguf", "gguf", "safetensors", *SPECIMENS])]
    trouble = chance.choice(["nothing", *TROUBLES])
    return Plan(
        seed=seed,
        specimen=specimen,
        trouble=trouble,
        options=options(specimen, chance),
        actors=chance.randint(1, 6),
        steps=chance.randint(3, 12),
        closes=chance.random() < 0.3,
        leaves=chance.random() < 0.15,
    )
