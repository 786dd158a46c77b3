"""The models of the lab's Hugging Face: what of them a server needs to know, and their files in a cache.

Sizes, dimensions and lengths are those of the published models; a few bytes stand for the weights.
"""

import hashlib
import json
import os
import socket
from typing import Any, NamedTuple

MIB, GIB = 1 << 20, 1 << 30
WEIGHTS = "model.safetensors"
STAND_IN = 64 << 10
"""Bytes of a file that stands for weights: enough for a full disk to be noticed."""
KEEPER = "/dev/.phoenix-lab/keeper"


class Model(NamedTuple):
    """A published model."""

    name: str
    weights: int
    """Bytes."""
    hidden: int
    """Numbers in an embedding."""
    length: int
    """The most tokens in one request."""
    embeds: bool = False
    quantized: str = ""
    kv: int = 0
    """Bytes of its cache for each token."""


_MODELS = (
    Model("Qwen/Qwen2.5-0.5B-Instruct", 943 * MIB, 896, 32768, kv=12288),
    Model("Qwen/Qwen2.5-1.5B-Instruct", 2945 * MIB, 1536, 32768, kv=28672),
    Model("Qwen/Qwen2.5-7B-Instruct", 14526 * MIB, 3584, 32768, kv=57344),
    Model("Qwen/Qwen2.5-7B-Instruct-AWQ", 5314 * MIB, 3584, 32768, quantized="awq", kv=57344),
    Model("Qwen/Qwen2.5-14B-Instruct-AWQ", 9518 * MIB, 5120, 32768, quantized="awq", kv=196608),
    Model("Qwen/Qwen2.5-Coder-7B-Instruct-AWQ", 5314 * MIB, 3584, 32768, quantized="awq", kv=57344),
    Model("facebook/opt-125m", 239 * MIB, 768, 2048, kv=36864),
    Model("ibm-granite/granite-embedding-english-r2", 285 * MIB, 768, 8192, embeds=True),
    Model("ibm-granite/granite-embedding-small-english-r2", 91 * MIB, 384, 8192, embeds=True),
    Model("BAAI/bge-small-en-v1.5", 128 * MIB, 384, 512, embeds=True),
    Model("BAAI/bge-base-en-v1.5", 418 * MIB, 768, 512, embeds=True),
    Model("BAAI/bge-m3", 2166 * MIB, 1024, 8192, embeds=True),
    Model("intfloat/e5-mistral-7b-instruct", 13563 * MIB, 4096, 32768, embeds=True, kv=131072),
    Model("sentence-transformers/all-MiniLM-L6-v2", 87 * MIB, 384, 256, embeds=True),
)
MODELS = {model.name: model for model in _MODELS}


class MissingError(Exception):
    """A model's files are not there, and cannot be had."""


def cache(environment: dict[str, str]) -> str:
    """Return the folder of the cache, as huggingface_hub finds it."""
    home = environment.get("HF_HOME") or os.path.join(environment.get("HOME", "/root"), ".cache/huggingface")
    return environment.get("HF_HUB_CACHE") or environment.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"


def fetched(name: str, folder: str, environment: dict[str, str]) -> Model:
    """Return a model whose files are in a cache now, fetched if need be. Raises MissingError, OSError."""
    if os.path.isdir(name):
        return _local(name)
    place = os.path.join(folder, "models--" + name.replace("/", "--"))
    revision = hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest()
    snapshot = f"{place}/snapshots/{revision}"
    if os.path.exists(f"{snapshot}/{WEIGHTS}"):
        return _described(name, _read(f"{snapshot}/config.json"), 0)
    if environment.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE") or _offline():
        raise MissingError(
            "We couldn't connect to 'https://huggingface.co' to load the files, and couldn't find them in "
            "the cached files.\nCheck your internet connection or see how to run the library in offline mode "
            "at 'https://huggingface.co/docs/transformers/installation#offline-mode'."
        )
    if name not in MODELS:
        raise MissingError(
            f"{name} is not a local folder and is not a valid model identifier listed on "
            "'https://huggingface.co/models'\nIf this is a private repository, make sure to pass a token "
            "having permission to this repo either by logging in with `hf auth login` or by passing "
            "`token=<your_token>`"
        )
    _fetch(MODELS[name], place, snapshot, revision)
    return MODELS[name]


def _fetch(model: Model, place: str, snapshot: str, revision: str) -> None:
    """Write the files: weights under another name until they are whole, and the rest behind them."""
    for part in (f"{place}/blobs", f"{place}/refs", snapshot):
        os.makedirs(part, exist_ok=True)
    content = hashlib.sha256(model.name.encode()).digest() * (STAND_IN // 32)
    blob = f"{place}/blobs/{hashlib.sha256(content).hexdigest()}"
    with open(blob + ".incomplete", "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(blob + ".incomplete", blob)
    with open(f"{snapshot}/config.json", "w", encoding="utf-8") as text:
        json.dump(_config(model), text, indent=2)
    with open(f"{place}/refs/main", "w", encoding="ascii") as text:
        text.write(revision)
    if not os.path.lexists(f"{snapshot}/{WEIGHTS}"):
        os.symlink(os.path.relpath(blob, snapshot), f"{snapshot}/{WEIGHTS}")


def _config(model: Model) -> dict[str, Any]:
    kind = "ModernBertModel" if model.embeds else "Qwen2ForCausalLM"
    found: dict[str, Any] = {"architectures": [kind], "hidden_size": model.hidden}
    found["max_position_embeddings"] = model.length
    if model.quantized:
        found["quantization_config"] = {"quant_method": model.quantized, "bits": 4}
    return found


def _local(folder: str) -> Model:
    """A model in a folder: what its config.json says, and as large as its files are."""
    config = _read(f"{folder}/config.json")
    files = [f"{folder}/{name}" for name in os.listdir(folder) if name.endswith((".safetensors", ".bin"))]
    if not files:
        raise MissingError(f"Cannot find any model weights with `{folder}`")
    return _described(folder, config, sum(map(os.path.getsize, files)))


def _described(name: str, config: dict[str, Any], weights: int) -> Model:
    if name in MODELS:
        return MODELS[name]
    kinds = " ".join(config.get("architectures", []))
    quantized = str(config.get("quantization_config", {}).get("quant_method", ""))
    hidden, length = int(config["hidden_size"]), int(config.get("max_position_embeddings", 2048))
    return Model(name, weights, hidden, length, "CausalLM" not in kinds, quantized)


def _read(path: str) -> dict[str, Any]:
    with open(path, encoding="utf-8") as file:
        found: dict[str, Any] = json.load(file)
    return found


def _offline() -> bool:
    """Tell whether somebody has taken this guest's way to the outside away."""
    return bool((ask("facts") or {}).get("offline"))


def ask(verb: str, **more: object) -> dict[str, Any] | None:
    """Ask the lab's keeper (standins/runtime_keeper.py); None where there is none."""
    asked = opened(verb, **more)
    if asked is None:
        return None
    connection, answer = asked
    connection.close()
    return answer


def opened(verb: str, **more: object) -> tuple[socket.socket, dict[str, Any]] | None:
    """Ask, and keep the connection open: what is taken is ours as long as it is."""
    if not os.path.exists(KEEPER):
        return None
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(KEEPER)
    net = os.stat("/proc/self/ns/net").st_ino
    connection.sendall(json.dumps({"do": verb, "net": net, **more}).encode() + b"\n")
    answer: dict[str, Any] = json.loads(connection.makefile().readline() or "{}")
    return connection, answer
