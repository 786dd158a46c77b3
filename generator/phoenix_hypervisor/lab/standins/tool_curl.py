"""curl: from servers that the lab has something of it brings that; all else is the real tool's to try.

What there is, and from where, is said by the modules `mirror_*.py` beside this one. Each has
`HOSTS`, the names of servers, and `served(url) -> bytes | None`, what lies at an address of theirs.
"""

import importlib
import os
import subprocess
import sys
from typing import Any

import model
import runtime

REAL = os.access("/usr/bin/curl", os.X_OK)
SWITCHES = frozenset((
    "-f", "-s", "-S", "-L", "-fsSL", "-fsS", "-sSL", "-sS", "-sSfL", "--fail", "--silent", "--show-error",
    "--location", "--no-progress-meter", "--parallel",
))  # fmt: skip
VALUES = frozenset(("--retry", "--connect-timeout", "--speed-limit", "--speed-time", "--max-time", "-m"))


def main(argv: list[str]) -> int:
    url = next((word for word in argv if "://" in word), "")
    if runtime.offline() and not _near(url):
        return nowhere(url)
    if mirror_of(url) is None and (url or not {"-K", "--config"} & {*argv}):
        return fallback(argv)
    target, files, words = "", [], [word for word in argv if word != url]
    while words:
        word = words.pop(0)
        if word in ("-o", "--output") and words:
            target = words.pop(0)
        elif word in ("-K", "--config") and words:
            files += _configured(words.pop(0))
        elif word in VALUES and words:
            words.pop(0)
        elif word not in SWITCHES:
            model.not_simulated("curl", argv)
    return max([_fetched(one, to) for one, to in [*files, *([(url, target)] if url else [])]], default=2)


def _configured(file: str) -> list[tuple[str, str]]:
    """Return addresses and files of a configuration that has nothing but these."""
    with open(file, encoding="ascii") as lines:
        words = [line.strip().partition(" = ")[::2] for line in lines]
    if [word for word, _ in words] != ["url", "output"] * (len(words) // 2):
        model.not_simulated("curl", ["--config", file])
    values = [value.strip('"') for _, value in words]
    return list(zip(values[::2], values[1::2], strict=True))


def _fetched(url: str, target: str) -> int:
    mirror = mirror_of(url)
    if mirror is None:
        words = ["-fsSL", *(["--output", target] if target else []), url]
        return subprocess.run(["/usr/bin/curl", *words], check=False).returncode if REAL else nowhere(url)
    if runtime.offline() and not _near(url):
        return nowhere(url)
    # what is fetched lies under the checksum that it should have
    wanted = target.rpartition("-")[2] if hasattr(mirror, "standing_for") else ""
    content: bytes | None = mirror.standing_for(url, wanted) if wanted else mirror.served(url)
    if content is None:
        print("curl: (22) The requested URL returned error: 404", file=sys.stderr)
        return 22
    return _given(content, target)


def mirror_of(url: str) -> Any:
    """Return the module that has what is on a server, if the lab has any of it."""
    if _near(url):
        return None
    host = _host(url)
    found: list[Any] = []
    for file in sorted(os.listdir(os.path.dirname(__file__))):
        if file.startswith("mirror_") and file.endswith(".py"):
            module = importlib.import_module(file.removesuffix(".py"))
            found += [module] if host in module.HOSTS else []
    # of one server several may have something
    having = [module for module in found if len(found) == 1 or module.served(url) is not None]
    return (having or found or [None])[0]


def _near(url: str) -> bool:
    """Tell whether an address is in the node's own networks, or this very machine: no name of the outside."""
    host = _host(url or "://localhost").rpartition("@")[2].strip("[]").rsplit(":", 1)[0]
    return host == "localhost" or host.replace(".", "").isdigit() or ":" in host or "." not in host


def fallback(argv: list[str]) -> int:
    try:
        runtime.look()  # what is said to run in guests runs when somebody asks for it
    except runtime.RuntimeDownError as error:
        print(f"curl: {error}", file=sys.stderr)
    if REAL:
        os.execv("/usr/bin/curl", ["curl", *argv])  # noqa: S606 - this process becomes the real tool
    import curl_plain

    return curl_plain.main(argv)


def nowhere(url: str) -> int:
    print(f"curl: (6) Could not resolve host: {_host(url)}", file=sys.stderr)
    return 6


def _host(url: str) -> str:
    return url.partition("://")[2].partition("/")[0]


def _given(content: bytes, target: str) -> int:
    """Write it as curl does: a full disk is its status 23, and what was written so far stays."""
    if not target:
        sys.stdout.buffer.write(content)
        return 0
    try:
        with open(target, "wb") as file:
            file.write(content)
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        print(f"curl: (23) Failure writing output to destination: {target}: {reason}", file=sys.stderr)
        return 23
    return 0
