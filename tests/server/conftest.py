"""A server over tiny models, and what asks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trillm

from .asking import Asker


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[trillm.LLMRouter]:
    """A router with a store of its own, and nothing in it."""
    folder = tmp_path_factory.mktemp("home")
    with trillm.LLMRouter(cache_directory=folder, models_directory=folder, download_on_demand=False) as made:
        yield made


@pytest.fixture(scope="module")
def model(router: trillm.LLMRouter, tiny_model: Path) -> trillm.RoutedModel:
    """What is served as `tiny`, so loaded that equal requests have equal answers."""
    return router.load_model(tiny_model, threads=1, cache_type="f32", flash_attention=False, parallel=4)


@pytest.fixture(scope="module")
def server(router: trillm.LLMRouter, model: trillm.RoutedModel, tiny_model: Path) -> Iterator[trillm.Server]:
    """It, on a free port of this machine."""
    assert model.name == str(tiny_model)
    with router.serve(models=[tiny_model], port=0) as made:
        yield made


@pytest.fixture(scope="module")
def ask(server: trillm.Server) -> Asker:
    """Asks it, as any program does."""
    return Asker(server.port)


@pytest.fixture
def serve(model: trillm.RoutedModel, router: trillm.LLMRouter, tiny_model: Path) -> Iterator[Callable[..., Asker]]:
    """Serves the same model with other settings, until the test is over."""
    assert model.name == str(tiny_model)
    made: list[trillm.Server] = []

    def start(**settings: Any) -> Asker:
        made.append(router.serve(models=[tiny_model], port=0, **settings))
        return Asker(made[-1].port)

    yield start
    for other in made:
        other.stop()
