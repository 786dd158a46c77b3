"""What vLLM's server answers: the paths of the OpenAI API for one model, its health and its metrics."""

import hashlib
import math
import os
import time
from collections.abc import Iterator
from typing import Any

import hub
import web
from vllm_flags import VERSION, Arguments
from web import Reply, Request

METRICS = "text/plain; version=0.0.4; charset=utf-8"
LONGEST = 16
"""Tokens of an answer where nobody says how many: as vLLM's completions."""


class Service:
    """A model that is served."""

    def __init__(self, model: hub.Model, arguments: Arguments) -> None:
        self.model = model
        self.root = str(arguments["model"])
        self.names: list[str] = list(arguments.get("served-model-name") or [self.root])
        keys = arguments.get("api-key") or [os.environ.get("VLLM_API_KEY", "")]
        self.keys = [key for key in keys if key]
        self.created = int(time.time())
        self.requests = 0
        self.tokens = [0, 0]
        """Of prompts, and of answers."""

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        path = request.path.rstrip("/") or "/"
        if path.startswith("/v1") and self.keys and not self._let_in(request):
            return web.said(401, {"error": "Unauthorized"})
        known = PATHS.get(path)
        if known is None:
            return web.said(404, {"detail": "Not Found"})
        method, answer = known
        if request.method != method and not (request.method == "HEAD" and method == "GET"):
            return web.said(405, {"detail": "Method Not Allowed"})
        try:
            reply: Reply = answer(self, request)
        except web.BadRequestError as error:
            kind = "NotFoundError" if error.status == 404 else "BadRequestError"
            told = {"message": str(error), "type": kind, "param": None, "code": error.status}
            return web.said(error.status, {"error": told})
        return reply

    def _let_in(self, request: Request) -> bool:
        word, _, key = request.header("Authorization").partition(" ")
        return word.lower() == "bearer" and key in self.keys

    def _asked(self, request: Request, needed: str, api: str, *, embeds: bool) -> dict[str, Any]:
        """Return what a request for the model says. Raises BadRequestError."""
        try:
            told = request.json()
        except ValueError:
            raise web.BadRequestError(400, "[{'type': 'json_invalid', 'msg': 'JSON decode error'}]") from None
        if not isinstance(told, dict) or needed not in told:
            raise web.BadRequestError(
                400, f"[{{'type': 'missing', 'loc': ('body', '{needed}'), 'msg': 'Field required'}}]"
            )
        name = told.get("model") or self.names[0]
        if name not in self.names:
            raise web.BadRequestError(404, f"The model `{name}` does not exist.")
        if self.model.embeds != embeds:
            raise web.BadRequestError(400, f"The model does not support {api} API")
        self.requests += 1
        return {**told, "model": name}

    def health(self, _: Request) -> Reply:
        return Reply(200, b"", "")

    def version(self, _: Request) -> Reply:
        return web.said(200, {"version": VERSION})

    def models(self, _: Request) -> Reply:
        rows = [
            {
                "id": name, "object": "model", "created": self.created, "owned_by": "vllm", "root": self.root,
                "parent": None, "max_model_len": self.model.length,
                "permission": [{"id": f"modelperm-{name}", "object": "model_permission", "allow_view": True}],
            }
            for name in self.names
        ]  # fmt: skip
        return web.said(200, {"object": "list", "data": rows})

    def chat(self, request: Request) -> Reply:
        told = self._asked(request, "messages", "Chat Completions", embeds=False)
        messages = told["messages"]
        if not isinstance(messages, list) or not messages:
            raise web.BadRequestError(400, "list index out of range")
        prompt = [_text(message.get("content")) for message in messages]
        said = self._said(prompt[-1])
        head = {
            "id": f"chatcmpl-{_number(request.body)}",
            "created": int(time.time()),
            "model": told["model"],
        }
        limit = told.get("max_completion_tokens") or told.get("max_tokens")
        words, end, usage = self._words(" ".join(prompt), said, limit or self.model.length)
        if told.get("stream"):
            return stream(head, words, end, usage if _wants_usage(told) else None, chat=True)
        message: dict[str, Any] = {
            "role": "assistant",
            "content": "".join(words),
            "refusal": None,
            "tool_calls": [],
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": end, "stop_reason": None}
        return web.said(200, {**head, "object": "chat.completion", "choices": [choice], "usage": usage})

    def completions(self, request: Request) -> Reply:
        told = self._asked(request, "prompt", "Completions", embeds=False)
        prompt = _text(told["prompt"])
        head = {"id": f"cmpl-{_number(request.body)}", "created": int(time.time()), "model": told["model"]}
        words, end, usage = self._words(prompt, self._said(prompt), told.get("max_tokens") or LONGEST)
        if told.get("stream"):
            return stream(head, words, end, usage if _wants_usage(told) else None, chat=False)
        choice = {
            "index": 0,
            "text": "".join(words),
            "logprobs": None,
            "finish_reason": end,
            "stop_reason": None,
        }
        return web.said(200, {**head, "object": "text_completion", "choices": [choice], "usage": usage})

    def embeddings(self, request: Request) -> Reply:
        told = self._asked(request, "input", "Embeddings", embeds=True)
        inputs = told["input"] if isinstance(told["input"], list) else [told["input"]]
        used = sum(self._counted(_text(one)) for one in inputs)
        rows = [
            {"index": number, "object": "embedding", "embedding": vector(_text(one), self.model.hidden)}
            for number, one in enumerate(inputs)
        ]
        usage = {"prompt_tokens": used, "total_tokens": used, "completion_tokens": 0}
        head = {"id": f"embd-{_number(request.body)}", "object": "list", "created": int(time.time())}
        return web.said(200, {**head, "model": told["model"], "data": rows, "usage": usage})

    def metrics(self, _: Request) -> Reply:
        label = f'{{engine="0",model_name="{self.names[0]}"}}'
        rows = (
            ("vllm:num_requests_running", "gauge", 0),
            ("vllm:num_requests_waiting", "gauge", 0),
            ("vllm:kv_cache_usage_perc", "gauge", 0),
            ("vllm:prompt_tokens_total", "counter", self.tokens[0]),
            ("vllm:generation_tokens_total", "counter", self.tokens[1]),
            ("vllm:request_success_total", "counter", self.requests),
        )
        lines = [f"# TYPE {name} {kind}\n{name}{label} {float(value)}\n" for name, kind, value in rows]
        return Reply(200, "".join(lines).encode(), METRICS)

    def _said(self, prompt: str) -> str:
        return f"This is the lab's {self.names[0]}. You said: {prompt}"

    def _counted(self, text: str) -> int:
        """Return how many tokens a text has; a word is one. Raises BadRequestError for too many."""
        count = len(text.split()) + 1
        if count > self.model.length:
            raise web.BadRequestError(
                400,
                f"This model's maximum context length is {self.model.length} tokens. However, your request "
                f"has {count} input tokens. Please reduce the length of the input messages.",
            )
        self.tokens[0] += count
        return count

    def _words(self, prompt: str, said: str, limit: int) -> tuple[list[str], str, dict[str, int]]:
        """Return an answer in tokens, why it ends, and how many there were."""
        count = self._counted(prompt)
        every = [(" " if number else "") + word for number, word in enumerate(said.split())]
        words = every[: min(int(limit), self.model.length - count)]
        self.tokens[1] += len(words)
        usage = {"prompt_tokens": count, "total_tokens": count + len(words), "completion_tokens": len(words)}
        return words, "stop" if len(words) == len(every) else "length", usage


def _wants_usage(told: dict[str, Any]) -> bool:
    return bool((told.get("stream_options") or {}).get("include_usage"))


def stream(
    head: dict[str, Any], words: list[str], end: str, usage: dict[str, int] | None, *, chat: bool
) -> Reply:
    """Answer in events, a token in each, with a pause between them as a card would make."""
    pause = float(os.environ.get("PHOENIX_LAB_TOKEN_SECONDS", "0.01"))
    kind = "chat.completion.chunk" if chat else "text_completion"

    def part(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return web.event({**head, "object": kind, "choices": choices, **more})

    def parts() -> Iterator[bytes]:
        if chat:
            delta = {"role": "assistant", "content": ""}
            yield part([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": None}])
        for number, word in enumerate(words):
            last = end if number == len(words) - 1 else None
            said: dict[str, Any] = {"delta": {"content": word}} if chat else {"text": word}
            yield part([{"index": 0, **said, "logprobs": None, "finish_reason": last}])
            time.sleep(pause)
        if usage:
            yield part([], usage=usage)
        yield web.event("[DONE]")

    return Reply(200, parts(), "text/event-stream; charset=utf-8")


def _text(content: Any) -> str:
    """Return the text of a message: its content, or that of its parts."""
    if isinstance(content, list):
        return " ".join(
            str(part.get("text", "")) if isinstance(part, dict) else str(part) for part in content
        )
    return "" if content is None else str(content)


def _number(body: bytes) -> str:
    return hashlib.md5(body + str(time.time()).encode(), usedforsecurity=False).hexdigest()


def vector(text: str, size: int) -> list[float]:
    """Return numbers of length one that a text always has: words in common bring two texts nearer."""
    found = [0.0] * size
    for word in text.lower().split() or [""]:
        seed = hashlib.sha256(word.encode()).digest()
        for number in range(0, 32, 2):
            place = int.from_bytes(seed[number : number + 2]) % size
            found[place] += 1.0 if seed[number] & 1 else -1.0
    length = math.sqrt(sum(value * value for value in found)) or 1.0
    return [round(value / length, 8) for value in found]


PATHS: dict[str, tuple[str, Any]] = {
    "/health": ("GET", Service.health),
    "/ping": ("GET", Service.health),
    "/version": ("GET", Service.version),
    "/metrics": ("GET", Service.metrics),
    "/v1/models": ("GET", Service.models),
    "/v1/chat/completions": ("POST", Service.chat),
    "/v1/completions": ("POST", Service.completions),
    "/v1/embeddings": ("POST", Service.embeddings),
}
