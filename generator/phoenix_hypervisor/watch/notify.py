"""Telling people, once for each change of state: a program or a webhook. One that fails is only said."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from .. import process
from ..config.model import Notice
from ..errors import SecretError
from ..secrets import Secret, Store, Text
from .standing import BAD, News

VERSION = 1
SECONDS = 30.0


def document(site: str, news: Sequence[News]) -> str:
    """Return news as one JSON document."""
    rows = [{"sort": one.sort.value, "about": one.about, "said": one.said} for one in news]
    bad = any(one.sort in BAD for one in news)
    text = "\n".join(str(one) for one in news)  # what chat programs show
    return json.dumps({"version": VERSION, "site": site, "bad": bad, "text": text, "news": rows})


def notify(
    ways: Sequence[Notice],
    site: str,
    news: Sequence[News],
    warn: Callable[[str], None],
    store: Store | None = None,
) -> None:
    """Tell all ways; `warn` hears of each that failed. `store` has the values of secret addresses."""
    body = document(site, news)
    for way in ways:
        url = Secret(way.webhook.name, store) if isinstance(way.webhook, Secret) else way.webhook
        said = _run(list(way.command), Text(body)) if way.command else _post(url or "", body)
        if said:
            warn(f"nobody was told by {_shown(way)}: {said}")


def _post(url: Secret | str, body: str) -> str:
    """Post through curl: what may be secret in a URL is on its stdin, in nobody's arguments."""
    quoted = json.dumps(body)
    settings = [
        'url = "', url or "", '"\n',
        f"data = {quoted}\n",
        'header = "Content-Type: application/json"\n',
        f"max-time = {SECONDS:g}\nfail\nsilent\nshow-error\n",
    ]  # fmt: skip
    return _run(["curl", "--config", "-"], Text(*settings))


def _run(argv: Sequence[str], stdin: Text) -> str:
    """Why it failed; empty when it did not."""
    try:
        ended = process.run(argv, stdin, timeout=SECONDS + 5)
    except (process.Broken, SecretError) as error:
        return error.message
    if ended.status == 0:
        return ""
    said = stdin.conceal(ended.stderr).decode(errors="replace").strip().splitlines()
    return said[-1] if said else f"it ended with {ended.status}"


def _shown(way: Notice) -> str:
    return f"`{way.command[0]}`" if way.command else "the webhook"
