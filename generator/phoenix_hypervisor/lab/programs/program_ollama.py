"""ollama: `serve`, and the commands that ask a server: `list`, `pull`, `rm`, `show`, `ps`.

PHOENIX_LAB_VERSION says of which version it is: whoever brings it into a guest knows.
"""

import json
import os
import socket
import sys
from typing import Any

import hub
import ollama_api
import web
from ollama_store import Store, full

VERSION = "0.12.6"
COMMANDS = ("serve", "create", "show", "run", "stop", "pull", "push", "list", "ls", "ps", "cp", "rm", "help")
USAGE = """Large language model runner

Usage:
  ollama [flags]
  ollama [command]
"""


def main(argv: list[str]) -> int:
    verb, words = (argv[0], argv[1:]) if argv else ("help", [])
    if verb in ("-v", "--version"):
        return _version()
    if verb in ("help", "-h", "--help"):
        print(USAGE)
        return 0
    if verb.startswith("-"):
        return _failed(f"unknown flag: {verb}")
    if verb not in COMMANDS:
        return _failed(f'unknown command "{verb}" for "ollama"')
    if any(word.startswith("-") for word in words) or verb not in VERBS:
        print(f"ollama: not simulated: {' '.join(argv)}", file=sys.stderr)
        return 70
    if len(words) != (verb in ("pull", "rm", "show")):
        wanted = "accepts 1 arg(s)" if verb in ("pull", "rm", "show") else "accepts 0 arg(s)"
        return _failed(f"{wanted}, received {len(words)}")
    try:
        return VERBS[verb](words)
    except OSError:
        return _failed("could not connect to ollama server, run 'ollama serve' to start it")


def address() -> tuple[str, int]:
    """Return where the server is, from OLLAMA_HOST: `host`, `host:port`, `:port`, perhaps with a scheme."""
    text = os.environ.get("OLLAMA_HOST", "").strip().strip("\"'")
    scheme, found, rest = text.partition("://")
    default = {"http": "80", "https": "443"}.get(scheme, "11434") if found else "11434"
    text = (rest if found else text).partition("/")[0]
    host, _, port = text.rpartition(":") if ":" in text and not text.endswith("]") else (text, "", "")
    return host.strip("[]") or "127.0.0.1", int(port or default)


def _serve(_: list[str]) -> int:
    host, port = address()
    home = os.environ.get("HOME", "")
    folder = os.environ.get("OLLAMA_MODELS") or f"{home}/.ollama/models"
    if not home and "OLLAMA_MODELS" not in os.environ:
        return _failed("$HOME is not defined")
    try:
        taken = web.listen(host, port)
    except OSError as error:
        reason = {98: "address already in use", 99: "cannot assign requested address"}.get(error.errno or 0)
        return _failed(f"listen tcp {host}:{port}: bind: {reason or error.strerror}")
    try:
        store = Store(folder)
    except OSError as error:
        return _failed(f"mkdir {folder}: {(error.strerror or '').lower()}")
    version = os.environ.get("PHOENIX_LAB_VERSION", VERSION)
    shown = f"{host}:{port}" if ":" not in host else f"[{host}]:{port}"
    print(
        f'level=INFO source=routes.go msg="Listening on {shown} (version {version})"',
        file=sys.stderr,
        flush=True,
    )
    web.ready()
    web.serve(taken, ollama_api.Service(store, version).answer)
    return 0


def _list(_: list[str]) -> int:
    rows = [["NAME", "ID", "SIZE", "MODIFIED"]]
    for model in _ask("GET", "/api/tags")["models"]:
        size = f"{model['size'] / 1000:.0f} KB"
        rows.append([model["name"], model["digest"][:12], size, "Less than a second ago"])
    widths = [max(len(row[at]) for row in rows) for at in range(4)]
    for row in rows:
        print("    ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
    return 0


def _ps(_: list[str]) -> int:
    _ask("GET", "/api/ps")
    print("NAME    ID    SIZE    PROCESSOR    CONTEXT    UNTIL ")
    return 0


def _pull(words: list[str]) -> int:
    last = ""
    for line in _lines("POST", "/api/pull", {"model": words[0]}):
        told = json.loads(line)
        if "error" in told:
            return _failed(told["error"])
        if told["status"] != last:
            print(told["status"], file=sys.stderr, flush=True)
        last = told["status"]
    return 0 if last == "success" else 1


def _remove(words: list[str]) -> int:
    told = _ask("DELETE", "/api/delete", {"model": words[0]})
    if told and "error" in told:
        return _failed(told["error"])
    print(f"deleted '{words[0]}'")
    return 0


def _show(words: list[str]) -> int:
    told = _ask("POST", "/api/show", {"model": full(words[0])})
    if "error" in told:
        return _failed(told["error"])
    details = told["details"]
    print(f"  Model\n    architecture        {details['family']}")
    print(f"    parameters          {details['parameter_size']}")
    print(f"    quantization        {details['quantization_level']}")
    return 0


def _version() -> int:
    own = os.environ.get("PHOENIX_LAB_VERSION", VERSION)
    try:
        print(f"ollama version is {_ask('GET', '/api/version')['version']}")
    except OSError:
        print("Warning: could not connect to a running Ollama instance")
        print(f"Warning: client version is {own}")
    return 0


def _failed(text: str) -> int:
    print(f"Error: {text}", file=sys.stderr)
    return 1


def _ask(method: str, path: str, told: Any = None) -> Any:
    return json.loads(b"".join(_lines(method, path, told)) or b"null")


def _lines(method: str, path: str, told: Any = None) -> Any:
    """Ask the server, and yield the lines of its answer as they come. Raises OSError where there is none."""
    hub.ask("look")
    host, port = address()
    connection = socket.create_connection((host.replace("0.0.0.0", "127.0.0.1"), port), 60)  # noqa: S104
    body = json.dumps(told).encode() if told is not None else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
    connection.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    stream = connection.makefile("rb")
    stream.readline()
    headers = {name.lower(): value for name, value in web.read_headers(stream)}
    if "chunked" in headers.get("transfer-encoding", ""):
        yield from web.chunks(stream)
    else:
        yield stream.read(int(headers.get("content-length", "0")))


VERBS = {
    "serve": _serve, "list": _list, "ls": _list, "ps": _ps, "pull": _pull, "rm": _remove, "show": _show,
}  # fmt: skip
