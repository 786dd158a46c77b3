"""The gateway used: one request for each route, all at once, and what their answers say."""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from .replies import MARK
from .routes import CHAT, COMPLETIONS, EMBEDDINGS, MODELS, Route

ANSWERS = "answers"
DEFAULTS = {"vector-store": "/collections", "ollama": "/api/tags"}
"""Role → the path whose answer shows that it works."""
_CUT, _PART = "\036", "\035"


class Request(NamedTuple):
    """One request of curl's."""

    label: str
    argv: tuple[str, ...]
    """What curl is called with, besides what is the same for all."""
    token: bool = False


class Answer(NamedTuple):
    """How it ended: curl's own status (0 when there was an answer), HTTP's, the header, the body."""

    ended: int
    status: int
    header: Mapping[str, str]
    body: str
    said: str = ""


def request(route: Route, url: str, *, token: bool, host: str = "", label: str = "") -> Request:
    """Return the request that uses a route; `url` is the gateway's own, without a path."""
    body = _question(route)
    argv = ["-H", f"Host: {host}"] if host else []
    if body is not None:
        argv += ["-H", "Content-Type: application/json", "--data", json.dumps(body)]
    path = route.path if route.exact else _below(route)
    return Request(label or route.path, (*argv, url + path), token and not route.open)


def _question(route: Route) -> dict[str, Any] | None:
    model = route.service.model if route.service is not None else ""
    short = {"max_tokens": 8, "temperature": 0, "stream": True}
    if route.service is None or not model:
        return None
    if route.path == CHAT:
        return {"model": model, "messages": [{"role": "user", "content": "Say: ready"}], **short}
    if route.path == COMPLETIONS:
        return {"model": model, "prompt": "One, two,", **short}
    if route.path == EMBEDDINGS:
        return {"model": model, "input": "ready"}
    return None


def _below(route: Route) -> str:
    role = route.service.role if route.service is not None else ""
    health = route.service.health if route.service is not None else ""
    path = route.check or DEFAULTS.get(role) or health or "/"
    return route.path.rstrip("/") + path if route.strip or route.path == "/" else route.path


def command(requests: Iterable[Request], seconds: int) -> str:
    """Return the shell that makes all requests side by side. On stdin it takes settings of curl's with
    the token; for `read`, it tells all answers."""
    asked = list(requests)
    once = f"curl -sS -k -N --noproxy '*' --max-time {seconds}"
    lines = [
        "command -v curl >/dev/null || exit 127",
        "umask 077; into=$(mktemp -d) || exit 9",
        "trap 'rm -rf \"$into\"' EXIT",
        'cat >"$into/token"; : >"$into/none"',
        'one() { at=$into/$1; settings=$into/$2; shift 2; : >"$at.head"; : >"$at.body"',
        f'{once} -K "$settings" -D "$at.head" -o "$at.body" "$@" 2>"$at.said"; echo $? >"$at.ended"; }}',
    ]
    for number, one in enumerate(asked):
        lines.append(f"one {number} {'token' if one.token else 'none'} {shlex.join(one.argv)} &")
    lines.append("wait")
    for number in range(len(asked)):
        tell = f'cat "$into/{number}.ended"; cat "$into/{number}.said"; printf "\\035"; '
        tell += f'cat "$into/{number}.head"; printf "\\035"; head -c 65536 "$into/{number}.body"'
        lines.append(f'printf "\\036"; {tell}')
    return "\n".join(lines)


def read(said: str) -> list[Answer]:
    """Return the answers that the command told."""
    return [_answer(part) for part in said.split(_CUT)[1:]]


def _answer(part: str) -> Answer:
    about, head, body = part.split(_PART, 2)
    ended, _, words = about.partition("\n")
    lines = [line.strip() for line in head.strip().splitlines()]
    first = next((line for line in reversed(lines) if line.startswith("HTTP/")), "")
    header = {
        name.strip().lower(): value.strip()
        for name, found, value in (line.partition(":") for line in lines)
        if found
    }
    status = first.split()[1] if len(first.split()) > 1 else "0"
    return Answer(int(ended or 99), int(status), header, body, words.strip())


def verdict(route: Route, answer: Answer) -> str:
    """Return `answers`, or what went wrong, with the backend it is about."""
    about = f"{route.backend.who} ({route.backend.place})"
    if answer.ended == 28:
        return f"{about}: no answer in time"
    if answer.ended:
        return f"the gateway itself does not answer: {answer.said or f'curl ended with {answer.ended}'}"
    own = answer.header.get(MARK.lower())
    if own == "backend_unavailable":
        return f"{about} does not answer"
    if own:
        return f"the gateway refuses: {own}"
    role = route.service.role if route.service is not None else ""
    limit = 400 if role and (route.exact or role in DEFAULTS) else 500
    if answer.status >= limit:
        return f"{about} says {answer.status}: {_short(answer.body)}"
    wrong = _content(route, answer)
    return f"{about}: {wrong}" if wrong else ANSWERS


def _content(route: Route, answer: Answer) -> str:
    """Return what is wrong with an answer of a path that is known; empty when nothing is."""
    if route.service is None or not route.service.model:
        return ""
    if route.path in (CHAT, COMPLETIONS):
        return _streamed(answer.body)
    if route.path not in (EMBEDDINGS, MODELS):
        return ""
    try:
        told = json.loads(answer.body)
        if route.path == MODELS:
            names = [one["id"] for one in told["data"]]
            model = route.service.model
            return "" if model in names else f"it has {', '.join(names) or 'no model'}, not {model}"
        length = len(told["data"][0]["embedding"])
    except (ValueError, KeyError, IndexError, TypeError):
        return f"not what the API answers: {_short(answer.body)}"
    wanted = route.service.dimension
    return "" if wanted in (None, length) else f"its embeddings have {length} numbers, not {wanted}"


def _streamed(body: str) -> str:
    events = [line[5:].strip() for line in body.splitlines() if line.startswith("data:")]
    try:
        choices = [json.loads(event)["choices"] for event in events if event != "[DONE]"]
    except (ValueError, KeyError, TypeError):
        return f"not a stream of choices: {_short(body)}"
    if not choices:
        return f"no stream: {_short(body)}"
    return "" if events[-1] == "[DONE]" else "the stream ended early"


def _short(body: str) -> str:
    line = " ".join(body.split())
    return line[:160] + ("…" if len(line) > 160 else "") or "nothing"
