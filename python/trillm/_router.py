"""Models by name, for a program that uses several."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING, Any

from trillm._core import Store
from trillm._keywords import advising
from trillm._later import Later

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Unpack

    from trillm._model import Model
    from trillm.hub import Report, Source
    from trillm.types import LoadParams

__all__ = ["LLMRouter"]


class LLMRouter:
    """Knows which models there are and where they come from: finds, downloads and lists them."""

    @advising
    def __init__(
        self,
        *,
        models_directory: str | PathLike[str] | None = None,
        cache_directory: str | PathLike[str] | None = None,
        download_on_demand: bool = True,
        download_sources: Mapping[str, Source | Mapping[str, str | None]] | None = None,
        preferred_formats: Sequence[str] | None = None,
        quantization_preference: Sequence[str] | None = None,
        download_timeout: float | None = None,
        retry_attempts: int | None = None,
        parallel_downloads: int | None = None,
    ) -> None:
        """Sets where models are and how they are fetched; what is left out is as in `trillm.hub.Options`.

        `models_directory` is a folder of one's own, in which a bare name is looked up (`LOCAL_MODELS_DIR`);
        `cache_directory` is the store (`LOCAL_CACHE_DIR`). Without `download_on_demand` what is not there is an error.
        `download_sources` has `"huggingface"` and `"ollama"`, each a `Source` or its `base_url` and `token`.
        `download_timeout` is in seconds.

        Raises `InvalidRequest`, `StoreError`.
        """
        with Later("trillm.hub"):
            from trillm._reference import at_home
            from trillm.hub import Options

        self._options = Options.of(
            {
                "models_directory": models_directory,
                "preferred_formats": preferred_formats,
                "quantization_preference": quantization_preference,
                "download_timeout": download_timeout,
                "retry_attempts": retry_attempts,
                "parallel_downloads": parallel_downloads,
                "offline": not download_on_demand,
                "sources": download_sources,
            }
        )
        self._store = Store(None if cache_directory is None else at_home(cache_directory))

    def available(self) -> list[dict[str, Any]]:
        """All models on this machine, each a dictionary as `trillm.hub.available` describes it."""
        with Later("trillm.hub"):
            from trillm.hub import available

        return available(self._store, self._options.models_directory)

    def load(self, reference: str | bytes | PathLike[str] | PathLike[bytes], **params: Unpack[LoadParams]) -> Model:
        """Loads a model, downloading it first if need be; it begins from its publisher's defaults as by `trillm.load`.

        Raises as `trillm.load` does.
        """
        with Later("trillm.hub"):
            from trillm._model import load_resolved
            from trillm.hub import resolve

        tokenizer = params.get("tokenizer")
        if isinstance(tokenizer, str | bytes | PathLike):
            params["tokenizer"] = self.fetch(tokenizer)
        return load_resolved(resolve(reference, store=self._store, options=self._options), params)

    def fetch(
        self, reference: str | bytes | PathLike[str] | PathLike[bytes], *, progress: Report | None = None
    ) -> Path:
        """Where a model can be opened; downloads it if need be. Raises as `trillm.hub.fetch` does."""
        with Later("trillm.hub"):
            from trillm.hub import fetch

        return fetch(reference, store=self._store, options=self._options, progress=progress)
