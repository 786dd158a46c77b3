"""invokeai: what is in its image, as far as the lab needs it: its version, its lists, an empty queue."""

import os
import sys

import web

VERSION = "6.14.1"
EMPTY = {"offset": 0, "limit": 10, "total": 0, "items": []}
QUEUE = {"pending": 0, "in_progress": 0, "completed": 0, "failed": 0, "canceled": 0, "total": 0}
LISTS = {
    "/api/v1/app/version": {"version": VERSION},
    "/api/v2/models/": {"models": []},
    "/api/v1/images/": EMPTY,
    "/api/v1/queue/default/status": {
        "queue": {"queue_id": "default", **QUEUE},
        "processor": {"is_started": True, "is_processing": False},
    },
}


def main(argv: list[str]) -> int:
    if argv:
        print(f"invokeai-web: not simulated: {' '.join(argv)}", file=sys.stderr)
        return 70
    host = os.environ.get("INVOKEAI_HOST", "127.0.0.1")
    port, root = int(os.environ.get("INVOKEAI_PORT", "9090")), os.environ.get("INVOKEAI_ROOT", "/invokeai")
    try:
        for folder in ("databases", "models", "outputs/images"):
            os.makedirs(f"{root}/{folder}", exist_ok=True)
        with open(f"{root}/databases/invokeai.db", "a", encoding="ascii"):
            pass
        taken = web.listen(host, port)
    except OSError as error:
        print(f"[Errno {error.errno}] {error.strerror}", file=sys.stderr)
        return 1
    print(f"Invoke running on http://{host}:{port} (Press CTRL+C to quit)", flush=True)
    web.ready()
    web.serve(taken, _answer)
    return 0


def _answer(request: web.Request) -> web.Reply:
    found = LISTS.get(request.path)
    if request.method == "GET" and found is not None:
        return web.said(200, found)
    if request.path == "/":
        return web.Reply(200, b"<!doctype html><title>Invoke</title>", "text/html; charset=utf-8")
    return web.said(404, {"detail": "Not Found"})
