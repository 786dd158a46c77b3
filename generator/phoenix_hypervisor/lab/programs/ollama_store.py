"""Ollama's store of models on disk, and what the lab's registry has: manifests, and their parts.

The parts have the digests that their names say, so what checks a store finds it whole. Their bytes stand for
weights; families, sizes and dimensions are those of the published models.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import hub

REGISTRY = "registry.ollama.ai"
PIECE = 8 << 10
MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
MODEL, TEMPLATE = "application/vnd.ollama.image.model", "application/vnd.ollama.image.template"


class Published(NamedTuple):
    """A model that the registry has."""

    family: str
    parameters: str
    quantization: str
    dimension: int


PUBLISHED = {
    "llama3.2:1b": Published("llama", "1.2B", "Q8_0", 2048),
    "llama3.2:3b": Published("llama", "3.2B", "Q4_K_M", 3072),
    "llama3.2:latest": Published("llama", "3.2B", "Q4_K_M", 3072),
    "llama3.1:8b": Published("llama", "8.0B", "Q4_K_M", 4096),
    "qwen2.5:0.5b": Published("qwen2", "494.03M", "Q4_K_M", 896),
    "qwen2.5:1.5b": Published("qwen2", "1.5B", "Q4_K_M", 1536),
    "qwen2.5:7b": Published("qwen2", "7.6B", "Q4_K_M", 3584),
    "qwen2.5:latest": Published("qwen2", "7.6B", "Q4_K_M", 3584),
    "qwen2.5-coder:7b": Published("qwen2", "7.6B", "Q4_K_M", 3584),
    "gemma3:4b": Published("gemma3", "4.3B", "Q4_K_M", 2560),
    "mistral:7b": Published("llama", "7.2B", "Q4_K_M", 4096),
    "nomic-embed-text:latest": Published("nomic-bert", "137M", "F16", 768),
    "all-minilm:latest": Published("bert", "23M", "F16", 384),
}


class PullError(Exception):
    """Why a model is not pulled, in Ollama's words."""


def full(name: str) -> str:
    """Return a name with its tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Store:
    """The models below a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        os.makedirs(f"{folder}/blobs", exist_ok=True)
        os.makedirs(f"{folder}/manifests", exist_ok=True)

    def models(self) -> dict[str, dict[str, Any]]:
        """Return what is there as a whole: name → size, digest, when, what it is."""
        found = {}
        top = f"{self.folder}/manifests"
        for at, _, files in os.walk(top):
            for tag in files:
                path = os.path.join(at, tag)
                with open(path, "rb") as file:
                    text = file.read()
                host, *words = os.path.relpath(path, top).split("/")
                short = "/".join(words[:-1]).removeprefix("library/")
                name = f"{short if host == REGISTRY else f'{host}/{short}'}:{words[-1]}"
                row = self._model(text, os.path.getmtime(path))
                if row is not None:
                    found[name] = row
        return dict(sorted(found.items(), key=lambda pair: (-pair[1]["when"], pair[0])))

    def _model(self, text: bytes, when: float) -> dict[str, Any] | None:
        manifest = json.loads(text)
        parts = [manifest["config"], *manifest["layers"]]
        if any(not os.path.exists(self._blob(part["digest"])) for part in parts):
            return None
        with open(self._blob(manifest["config"]["digest"]), encoding="utf-8") as file:
            config = json.load(file)
        size = sum(part["size"] for part in parts)
        return {"size": size, "digest": hashlib.sha256(text).hexdigest(), "when": when, "config": config}

    def remove(self, name: str) -> bool:
        path = self._manifest(full(name))
        if not os.path.exists(path):
            return False
        os.unlink(path)
        return True

    def pull(self, name: str) -> Iterator[dict[str, Any]]:
        """Fetch a model, saying how far it is; what came in part is gone on with. Raises PullError."""
        yield {"status": "pulling manifest"}
        known = self._known(name)
        config = {
            "model_format": "gguf", "model_family": known.family, "model_families": [known.family],
            "model_type": known.parameters, "file_type": known.quantization, "dimension": known.dimension,
        }  # fmt: skip
        weights = hashlib.sha256(f"weights of {name}".encode()).digest() * (hub.STAND_IN // 32)
        template = f"{{{{ .System }}}} {{{{ .Prompt }}}} of {known.family}\n".encode()
        parts = [(MODEL, weights), (TEMPLATE, template), (CONFIG, json.dumps(config).encode())]
        rows = []
        for kind, content in parts:
            digest = "sha256:" + hashlib.sha256(content).hexdigest()
            rows.append({"mediaType": kind, "digest": digest, "size": len(content)})
            yield from self._fetch(digest, content)
        yield {"status": "verifying sha256 digest"}
        yield {"status": "writing manifest"}
        manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": rows[-1], "layers": rows[:-1]}
        path = self._manifest(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _write(path + ".new", json.dumps(manifest, separators=(",", ":")).encode(), "wb")
        os.replace(path + ".new", path)
        yield {"status": "success"}

    def _known(self, name: str) -> Published:
        host, path, tag = self._words(name)
        where = f"https://{host}/v2/{path}/manifests/{tag}"
        if (hub.ask("facts") or {}).get("offline"):
            raise PullError(f'pull model manifest: Get "{where}": dial tcp: lookup {host}: no such host')
        known = PUBLISHED.get(name)
        if known is None:
            raise PullError("pull model manifest: file does not exist")
        return known

    def _fetch(self, digest: str, content: bytes) -> Iterator[dict[str, Any]]:
        place, total = self._blob(digest), len(content)
        told = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": total}
        if os.path.exists(place):
            yield {**told, "completed": total}
            return
        part = f"{place}-partial"
        done = os.path.getsize(part) if os.path.exists(part) else 0
        while done < total:
            yield {**told, "completed": done} if done else told
            _write(part, content[done : done + PIECE], "ab")
            done = min(done + PIECE, total)
        yield {**told, "completed": total}
        with open(part, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != digest[7:]:
                os.unlink(part)
                raise PullError(f"digest mismatch, file must be downloaded again: want {digest}")
        os.replace(part, place)

    def _blob(self, digest: str) -> str:
        return f"{self.folder}/blobs/{digest.replace(':', '-')}"

    def _words(self, name: str) -> tuple[str, str, str]:
        path, _, tag = name.rpartition(":")
        words = path.split("/")
        host = words.pop(0) if len(words) == 3 else REGISTRY
        return host, "/".join(words if len(words) == 2 else ["library", *words]), tag

    def _manifest(self, name: str) -> str:
        return "/".join([self.folder, "manifests", *self._words(name)])


def _write(path: str, content: bytes, mode: str) -> None:
    """Write in one go. Raises PullError, as for a full disk; what was written stays."""
    try:
        with open(path, mode) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise PullError(f"write {path}: {(error.strerror or '').lower()}") from None


def stamp(when: float | None = None) -> str:
    """Return a time as Ollama writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(when))
