"""What nginx knows of one request: its variables, maps, and conditions."""

import re
import time
from typing import Any

from nginx_files import Row
from web import Request

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


class Values:
    """Variables of one request."""

    def __init__(self, request: Request, scheme: str, maps: dict[str, Row]) -> None:
        self.request, self.scheme = request, scheme
        self._maps = maps
        self.own: dict[str, str] = {}
        """What was set, and what became known on the way."""
        self.answered: dict[str, str] = {}
        """The backend's header, in small letters."""
        self.began = time.time()

    def text(self, written: str) -> str:
        """Return a text with all its variables in their places."""
        return _VARIABLE.sub(lambda found: self.value(found[1] or found[2]), written)

    def value(self, name: str) -> str:
        if name in self.own:
            return self.own[name]
        if name in self._maps:
            self.own[name] = self._mapped(self._maps[name])
            return self.own[name]
        if name.startswith("upstream_http_"):
            return self.answered.get(name[14:].replace("_", "-"), "")
        if name.startswith("http_"):
            return self.request.header(name[5:].replace("_", "-"))
        return str(self._built_in().get(name, ""))

    def _mapped(self, row: Row) -> str:
        source, default = self.text(row.words[0]), ""
        exact: dict[str, str] = {}
        for one in row.block or []:
            if one.name == "default":
                default = one.words[0]
            elif not one.name.startswith("~"):
                exact[one.name.lower()] = one.words[0]
        if source.lower() in exact:
            return self.text(exact[source.lower()])
        for one in row.block or []:
            found = one.name.startswith("~") and pattern(one.name[1:]).search(source)
            if found:
                value = one.words[0]
                for number, group in enumerate(found.groups(""), 1):
                    value = value.replace(f"${number}", group)
                return self.text(value)
        return self.text(default)

    def _built_in(self) -> dict[str, Any]:
        request = self.request
        host = request.header("Host")
        return {
            "request_id": self._drawn(),
            "request_uri": request.target,
            "uri": request.path,
            "host": host.rpartition(":")[0] if re.search(r":\d+$", host) else host,
            "remote_addr": request.client,
            "binary_remote_addr": request.client,
            "scheme": self.scheme,
            "request_method": request.method,
            "server_protocol": "HTTP/1.1",
            "time_iso8601": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
            "request_time": f"{time.time() - self.began:.3f}",
        }

    def _drawn(self) -> str:
        if "request_id" not in self.own:
            with open("/proc/sys/kernel/random/uuid", encoding="ascii") as file:
                self.own["request_id"] = file.read().strip().replace("-", "")
        return self.own["request_id"]


def pattern(written: str) -> "re.Pattern[str]":
    """Return a pattern of nginx's as Python has it."""
    flags = re.IGNORECASE if written.startswith("*") else 0
    text = re.sub(
        r"\\Q(.*?)\\E", lambda found: re.escape(found[1]), written.removeprefix("*"), flags=re.DOTALL
    )
    return re.compile(text, flags)


def holds(words: tuple[str, ...], values: Values) -> bool:
    """Tell whether a condition of `if` holds: `($a)`, `($a = b)`, `($a != b)`."""
    parts = [word for word in (" ".join(words).strip()[1:-1].strip().split(" ")) if word] or [""]
    left = values.text(parts[0])
    if len(parts) == 1:
        return left not in ("", "0")
    right = values.text(" ".join(parts[2:]))
    return (left == right) if parts[1] == "=" else (left != right)


def size(text: str) -> int:
    """Return a size of nginx's in bytes: `10m`."""
    unit = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}.get(text[-1:].lower())
    return int(text[:-1]) * unit if unit else int(text)
