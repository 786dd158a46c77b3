"""jupyter-lab: the parts of Jupyter Server's API that tell of it; who may ask, by its token; no kernels.

`/api` tells the version to everybody. What else there is wants the token, in a header or in the address, as
Jupyter Server 2 does (jupyter_server/auth/identity.py).
"""

import json
import os
import sys

import web

SWITCHES = frozenset({"no-browser"})
KNOWN = frozenset({
    "ip", "port", "notebook-dir", "ServerApp.ip", "ServerApp.port", "ServerApp.open_browser",
    "ServerApp.root_dir", "ServerApp.port_retries",
})  # fmt: skip
CONFIG = "/etc/jupyter/jupyter_server_config.json"
EMPTY = ("/api/kernels", "/api/sessions", "/api/terminals")


def main(argv: list[str]) -> int:
    if argv == ["--version"]:
        print(_version("jupyterlab"))
        return 0
    options: dict[str, str] = {}
    for word in argv:
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and (name in SWITCHES or (equals and name in KNOWN)):
            options[name.removeprefix("ServerApp.")] = value
        else:
            print(f"jupyter-lab: not simulated: {word}", file=sys.stderr)
            return 70
    token, host = _token(), options.get("ip", "localhost").replace("localhost", "127.0.0.1")
    if token is None:
        return 1
    folder = options.get("root_dir", options.get("notebook-dir", "."))
    if not os.path.isdir(folder):
        print(f"[C ServerApp] Bad config encountered during initialization: No such directory: {folder!r}",
              file=sys.stderr)  # fmt: skip
        return 1
    port = int(options.get("port", "8888"))
    try:
        taken = web.listen(host, port)
    except OSError as error:
        print(f"[C ServerApp] ERROR: the port {port}: {(error.strerror or '').lower()}", file=sys.stderr)
        return 1
    version = _version("jupyter_server")
    print(f"[I ServerApp] Jupyter Server {version} is running at:\n[I ServerApp] http://{host}:{port}/lab",
          file=sys.stderr, flush=True)  # fmt: skip
    web.ready()
    web.serve(taken, lambda request: answer(request, token, version))
    return 0


def _token() -> str | None:
    """Return the token, by its settings or the environment; None, and said, when a file cannot be read."""
    try:
        with open(CONFIG, encoding="utf-8") as opened:
            settings = json.load(opened)
    except FileNotFoundError:
        settings = {}
    except ValueError as error:
        print(f"[C ServerApp] Bad config file {CONFIG}: {error}", file=sys.stderr)
        return None
    if "token" in settings.get("IdentityProvider", {}):
        return str(settings["IdentityProvider"]["token"])
    if os.environ.get("JUPYTER_TOKEN"):
        return os.environ["JUPYTER_TOKEN"]
    file = os.environ.get("JUPYTER_TOKEN_FILE")
    if not file:
        return os.urandom(24).hex()
    try:
        with open(file, encoding="utf-8") as opened:
            return opened.read()  # as it is, with a line's end if there is one
    except OSError as error:
        print(f"{type(error).__name__}: [Errno {error.errno}] {error.strerror}: {file!r}", file=sys.stderr)
        return None


def _version(name: str) -> str:
    """Return the version of a package of the environment, by its records."""
    top = os.path.join(os.environ.get("PHOENIX_LAB_ENV", ""), "lib")
    for minor in sorted(os.listdir(top)) if os.path.isdir(top) else ():
        for folder in os.listdir(f"{top}/{minor}/site-packages"):
            if folder.startswith(f"{name}-") and folder.endswith(".dist-info"):
                return folder.removeprefix(f"{name}-").removesuffix(".dist-info")
    return "0"


def answer(request: web.Request, token: str, version: str) -> web.Reply:
    if request.path == "/api":
        return web.said(200, {"version": version})
    scheme, _, given = request.header("Authorization").partition(" ")
    in_header = given.strip() if scheme.lower() in ("token", "bearer") else ""
    known = token and token in (in_header, request.query.get("token"))
    if not known and request.path.startswith("/api/"):
        return web.said(403, {"message": "Forbidden", "reason": None})
    if not known:
        return web.Reply(302, b"", "", (("Location", f"/login?next={request.path}"),))
    if request.path in EMPTY:
        return web.said(200, [])
    if request.path == "/api/status":
        return web.said(200, {"connections": 0, "kernels": 0})
    if request.path == "/lab":
        return web.Reply(200, b"<!doctype html><title>JupyterLab</title>", "text/html; charset=utf-8")
    return web.said(404, {"message": "Not Found", "reason": None})
