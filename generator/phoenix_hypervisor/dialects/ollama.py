"""Ollama: names of models, its store on disk, its environment, what it answers."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

NAME = r"^([a-z0-9.-]+(:\d+)?/)?([A-Za-z0-9._-]+/)?[A-Za-z0-9._-]+(:[A-Za-z0-9._-]+)?(@[0-9a-f]{8,64})?$"
"""A declared model: `llama3.2:1b`, with `@` and the beginning of its digest to have that one for good."""
REGISTRY, LIBRARY, TAG = "registry.ollama.ai", "library", "latest"
SETTINGS = frozenset(
    """
    OLLAMA_CONTEXT_LENGTH OLLAMA_DEBUG OLLAMA_FLASH_ATTENTION OLLAMA_GPU_OVERHEAD OLLAMA_KEEP_ALIVE
    OLLAMA_KV_CACHE_TYPE OLLAMA_LLM_LIBRARY OLLAMA_LOAD_TIMEOUT OLLAMA_MAX_LOADED_MODELS OLLAMA_MAX_QUEUE
    OLLAMA_MULTIUSER_CACHE OLLAMA_NEW_ENGINE OLLAMA_NOHISTORY OLLAMA_NOPRUNE OLLAMA_NUM_PARALLEL
    OLLAMA_ORIGINS OLLAMA_SCHED_SPREAD
    """.split()  # noqa: SIM905  (many quotes)
)
"""What it reads from its environment, without what has fields of its own (`envconfig/config.go`)."""


class Model(NamedTuple):
    """A model that is to be there."""

    name: str
    """With its tag, as Ollama lists it: `llama3.2:1b`."""
    digest: str = ""
    """How its digest begins; empty: any will do."""

    @property
    def manifest(self) -> str:
        """Where its manifest lies below the store's `manifests`: it is written when all of it is there."""
        path, _, tag = self.name.rpartition(":")
        words = path.split("/")
        host = words.pop(0) if len(words) == 3 else REGISTRY
        return "/".join([host, *(words if len(words) == 2 else [LIBRARY, *words]), tag])


def model(written: str) -> Model:
    """Return a declared model; without a tag it is `latest`."""
    name, _, digest = written.partition("@")
    tagged = re.search(r":[A-Za-z0-9._-]+$", name.rpartition("/")[2])
    return Model(name if tagged else f"{name}:{TAG}", digest)


def whole(manifest: str, blobs: Mapping[str, int]) -> str:
    """Return what of a model is missing: empty if its manifest and all its parts are there.

    `blobs` are the files of the store: name (`sha256-…`) → bytes.
    """
    try:
        found: Any = json.loads(manifest)
        parts = [found["config"], *found["layers"]]
        wanted = {str(part["digest"]).replace(":", "-"): int(part["size"]) for part in parts}
    except (ValueError, KeyError, TypeError):
        return "its manifest is no manifest"
    lost = [name for name, size in wanted.items() if blobs.get(name) != size]
    return f"{len(lost)} of its {len(wanted)} parts" if lost else ""


def listed(answer: str) -> list[str]:
    """Return the names of the models in an answer of /api/tags."""
    try:
        return [str(row["name"]) for row in json.loads(answer)["models"]]
    except (ValueError, KeyError, TypeError):
        return []


def version(answer: str) -> str:
    """Return the version in an answer of /api/version; empty if there is none."""
    try:
        return str(json.loads(answer)["version"])
    except (ValueError, KeyError, TypeError):
        return ""


def generated(answer: str) -> str:
    """Return the text in an answer of /api/generate that was not streamed; empty if it is not done."""
    try:
        found = json.loads(answer)
        return str(found["response"]) if found["done"] else ""
    except (ValueError, KeyError, TypeError):
        return ""
