"""open-webui: the web interface in front of Ollama, as far as the lab needs it: health, models, a page.

What it knows of models it asks the Ollama it is told of, as the real one does.
"""

import json
import os
import sys
import urllib.request

import web

VERSION = "0.6.36"


def main(argv: list[str]) -> int:
    if argv:
        print(f"open-webui: not simulated: {' '.join(argv)}", file=sys.stderr)
        return 70
    port = int(os.environ.get("PORT", "8080"))
    data = os.environ.get("DATA_DIR", "/app/backend/data")
    try:
        os.makedirs(data, exist_ok=True)
        with open(f"{data}/webui.db", "a", encoding="ascii"):
            pass
        taken = web.listen("0.0.0.0", port)  # noqa: S104  (as it does)
    except OSError as error:
        print(f"[Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return 1
    print(f"Uvicorn running on http://0.0.0.0:{port} (Press CTRL+C to quit)", flush=True)
    web.ready()
    web.serve(taken, _answer)
    return 0


def _answer(request: web.Request) -> web.Reply:
    if request.path == "/health":
        return web.said(200, {"status": True})
    if request.path == "/api/version":
        return web.said(200, {"version": VERSION})
    if request.path == "/api/config":
        return web.said(
            200, {"status": True, "name": os.environ.get("WEBUI_NAME", "Open WebUI"), "version": VERSION}
        )
    if request.path == "/ollama/api/tags":
        return _models()
    if request.path.startswith("/api/"):
        return web.said(401, {"detail": "Not authenticated"})
    return web.Reply(200, b"<!doctype html><title>Open WebUI</title>", "text/html; charset=utf-8")


def _models() -> web.Reply:
    """What its Ollama has; the real one asks for a session first."""
    url = os.environ.get("OLLAMA_BASE_URL", "http://localhost:11434").rstrip("/")
    try:
        with urllib.request.urlopen(f"{url}/api/tags", timeout=5) as answer:  # noqa: S310  (http, as declared)
            return web.said(200, json.load(answer))
    except OSError as error:
        return web.said(500, {"detail": f"Ollama: {error}"})
