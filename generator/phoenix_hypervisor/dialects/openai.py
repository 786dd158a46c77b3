"""What servers with OpenAI's API answer: models, a streamed completion, an embedding."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

DATA = "data:"
END = "[DONE]"


class Streamed(NamedTuple):
    """A streamed chat completion."""

    text: str
    pieces: int
    """In how many parts it came."""
    whole: bool
    """Whether the end was told."""


def models(answer: str) -> list[str]:
    """Return the names of the models in an answer of /v1/models; none if it is no such answer."""
    return [str(row.get("id", "")) for row in _rows(answer)]


def embedding_length(answer: str) -> int:
    """Return how long the first embedding in an answer of /v1/embeddings is; 0 if there is none."""
    found = next((row.get("embedding") for row in _rows(answer)), None)
    return len(found) if isinstance(found, list) else 0


def streamed(answer: str) -> Streamed:
    """Return what a stream of server-sent events says; lines that say nothing are left out."""
    said = [line.removeprefix(DATA).strip() for line in answer.splitlines() if line.startswith(DATA)]
    pieces = [piece for line in said if line != END for piece in _content(_document(line))]
    return Streamed("".join(pieces), len(pieces), END in said)


def _content(event: dict[str, Any]) -> Iterator[str]:
    choices = event.get("choices")
    for choice in choices if isinstance(choices, list) else ():
        delta = choice.get("delta") if isinstance(choice, dict) else None
        if isinstance(delta, dict) and isinstance(delta.get("content"), str) and delta["content"]:
            yield delta["content"]


def _rows(answer: str) -> list[dict[str, Any]]:
    found = _document(answer).get("data")
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
