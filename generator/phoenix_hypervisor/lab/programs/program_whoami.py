"""whoami: what the image traefik/whoami has: a server that tells of the request it got, and is well."""

import json
import os
import sys

import web


def main(argv: list[str]) -> int:
    if argv:
        print(f"flag provided but not defined: {argv[0]}", file=sys.stderr)
        return 2
    port = int(os.environ.get("WHOAMI_PORT_NUMBER", "80"))
    try:
        taken = web.listen("0.0.0.0", port)  # noqa: S104  (as it does)
    except OSError as error:
        print(f"listen tcp :{port}: bind: {(error.strerror or '').lower()}", file=sys.stderr)
        return 1
    print(f"Starting up on port {port}", flush=True)
    web.ready()
    web.serve(taken, _answer)
    return 0


def _answer(request: web.Request) -> web.Reply:
    if request.path == "/health":
        return web.Reply(200, b"", "")
    name = os.environ.get("WHOAMI_NAME", "")
    if request.path == "/api":
        told = {"hostname": os.uname().nodename, "name": name, "headers": dict(request.headers)}
        return web.Reply(200, json.dumps(told).encode())
    lines = [f"Name: {name}"] if name else []
    lines += [f"Hostname: {os.uname().nodename}", f"{request.method} {request.target} HTTP/1.1"]
    lines += [f"{key}: {value}" for key, value in request.headers]
    return web.Reply(200, "".join(f"{line}\n" for line in lines).encode(), "text/plain; charset=utf-8")
