"""What Ollama's server answers, on /api and on the OpenAI API's paths."""

import json
import os
import time
from collections.abc import Iterator
from typing import Any

import vllm_api
import web
from ollama_store import PullError, Store, full, stamp
from web import Reply, Request

LINES = "application/x-ndjson"
PLAIN = "text/plain; charset=utf-8"


class Service:
    """The models of one store."""

    def __init__(self, store: Store, version: str) -> None:
        self.store, self.version = store, version

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        known = {path: method for method, path in PATHS}
        answer = PATHS.get(("GET" if request.method == "HEAD" else request.method, request.path))
        if answer is None:
            allowed = request.path in known
            return Reply(
                405 if allowed else 404,
                b"405 method not allowed" if allowed else b"404 page not found",
                PLAIN,
            )
        try:
            told = request.json() if request.method in ("POST", "DELETE") else {}
        except ValueError as error:
            return web.said(400, {"error": str(error)})
        if told is None:
            return web.said(400, {"error": "missing request body"})
        reply: Reply = answer(self, told)
        return reply

    def _there(self, told: dict[str, Any]) -> tuple[str, dict[str, Any] | None]:
        name = full(str(told.get("model") or told.get("name") or ""))
        return name, self.store.models().get(name)

    def root(self, _: dict[str, Any]) -> Reply:
        return Reply(200, b"Ollama is running", PLAIN)

    def versioned(self, _: dict[str, Any]) -> Reply:
        return web.said(200, {"version": self.version})

    def tags(self, _: dict[str, Any]) -> Reply:
        return web.said(200, {"models": [_row(*pair) for pair in self.store.models().items()]})

    def loaded(self, _: dict[str, Any]) -> Reply:
        return web.said(200, {"models": []})

    def show(self, told: dict[str, Any]) -> Reply:
        name, model = self._there(told)
        if model is None:
            return _missing(told)
        family, dimension = model["config"]["model_family"], model["config"]["dimension"]
        info = {"general.architecture": family, f"{family}.embedding_length": dimension}
        return web.said(
            200, {"details": _row(name, model)["details"], "model_info": info, "capabilities": []}
        )

    def delete(self, told: dict[str, Any]) -> Reply:
        gone = self.store.remove(str(told.get("model") or told.get("name") or ""))
        return Reply(200, b"") if gone else _missing(told)

    def pull(self, told: dict[str, Any]) -> Reply:
        name = full(str(told.get("model") or told.get("name") or ""))
        if name == ":latest":
            return web.said(400, {"error": "invalid model name"})
        if told.get("stream") is not False:
            return Reply(200, map(_line, self._pulled(name)), LINES)
        last = list(self._pulled(name))[-1]
        return web.said(500 if "error" in last else 200, last)

    def _pulled(self, name: str) -> Iterator[dict[str, Any]]:
        try:
            yield from self.store.pull(name)
        except PullError as error:
            yield {"error": str(error)}

    def generate(self, told: dict[str, Any]) -> Reply:
        return self._said(told, str(told.get("prompt", "")), chat=False)

    def chat(self, told: dict[str, Any]) -> Reply:
        messages = told.get("messages") or [{}]
        return self._said(told, str(messages[-1].get("content", "")), chat=True)

    def _said(self, told: dict[str, Any], prompt: str, *, chat: bool) -> Reply:
        name, model = self._there(told)
        if model is None:
            return _missing(told)
        limit = int((told.get("options") or {}).get("num_predict", -1))
        every = _words(name, prompt)
        words = every[:limit] if limit >= 0 else every
        end = "stop" if len(words) == len(every) else "length"

        def part(text: str) -> dict[str, Any]:
            said = {"message": {"role": "assistant", "content": text}} if chat else {"response": text}
            return {"model": told.get("model"), "created_at": stamp(), **said}

        counts: dict[str, Any] = {
            "total_duration": 10**9, "load_duration": 10**8, "prompt_eval_count": len(prompt.split()) + 1,
            "prompt_eval_duration": 10**8, "eval_count": len(words), "eval_duration": 10**8,
        }  # fmt: skip
        if not chat:
            counts = {"context": [1, 2, 3], **counts}
        done = {"done": True, "done_reason": end, **counts}
        if told.get("stream") is False:
            return web.said(200, {**part("".join(words)), **done})

        def parts() -> Iterator[bytes]:
            for word in words:
                yield _line({**part(word), "done": False})
                time.sleep(float(os.environ.get("PHOENIX_LAB_TOKEN_SECONDS", "0.01")))
            yield _line({**part(""), **done})

        return Reply(200, parts(), LINES)

    def embed(self, told: dict[str, Any]) -> Reply:
        _, model = self._there(told)
        if model is None:
            return _missing(told)
        given = told.get("input", "")
        inputs = given if isinstance(given, list) else [given]
        rows = [vllm_api.vector(str(one), model["config"]["dimension"]) for one in inputs]
        return web.said(200, {"model": told.get("model"), "embeddings": rows, "total_duration": 10**8})

    def embeddings(self, told: dict[str, Any]) -> Reply:
        _, model = self._there(told)
        if model is None:
            return _missing(told)
        row = vllm_api.vector(str(told.get("prompt", "")), model["config"]["dimension"])
        return web.said(200, {"embedding": row})

    def openai_models(self, _: dict[str, Any]) -> Reply:
        rows = [
            {"id": name, "object": "model", "created": int(row["when"]), "owned_by": "library"}
            for name, row in self.store.models().items()
        ]
        return web.said(200, {"object": "list", "data": rows})

    def openai_chat(self, told: dict[str, Any]) -> Reply:
        name, model = self._there(told)
        if model is None:
            error = {"message": f"model '{told.get('model')}' not found", "type": "api_error", "param": None}
            return web.said(404, {"error": error | {"code": None}})
        prompt = str((told.get("messages") or [{}])[-1].get("content", ""))
        words = _words(name, prompt)
        head = {"id": f"chatcmpl-{int(time.time())}", "created": int(time.time()), "model": told["model"]}
        count = len(prompt.split()) + 1
        usage = {"prompt_tokens": count, "completion_tokens": len(words), "total_tokens": count + len(words)}
        if told.get("stream"):
            return vllm_api.stream(head, words, "stop", None, chat=True)
        message = {"role": "assistant", "content": "".join(words)}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.said(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})


def _words(name: str, prompt: str) -> list[str]:
    said = f"This is the lab's {name}. You said: {prompt}"
    return [(" " if number else "") + word for number, word in enumerate(said.split())]


def _row(name: str, model: dict[str, Any]) -> dict[str, Any]:
    config = model["config"]
    details = {
        "parent_model": "", "format": "gguf", "family": config["model_family"],
        "families": config["model_families"], "parameter_size": config["model_type"],
        "quantization_level": config["file_type"],
    }  # fmt: skip
    row = {"name": name, "model": name, "modified_at": stamp(model["when"]), "size": model["size"]}
    return row | {"digest": model["digest"], "details": details}


def _missing(told: dict[str, Any]) -> Reply:
    return web.said(404, {"error": f"model '{told.get('model') or told.get('name') or ''}' not found"})


def _line(told: dict[str, Any]) -> bytes:
    return json.dumps(told, separators=(",", ":")).encode() + b"\n"


PATHS: dict[tuple[str, str], Any] = {
    ("GET", "/"): Service.root,
    ("GET", "/api/version"): Service.versioned,
    ("GET", "/api/tags"): Service.tags,
    ("GET", "/api/ps"): Service.loaded,
    ("POST", "/api/show"): Service.show,
    ("POST", "/api/pull"): Service.pull,
    ("DELETE", "/api/delete"): Service.delete,
    ("POST", "/api/generate"): Service.generate,
    ("POST", "/api/chat"): Service.chat,
    ("POST", "/api/embed"): Service.embed,
    ("POST", "/api/embeddings"): Service.embeddings,
    ("GET", "/v1/models"): Service.openai_models,
    ("POST", "/v1/chat/completions"): Service.openai_chat,
}
