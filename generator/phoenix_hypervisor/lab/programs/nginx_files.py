"""nginx's configuration files: read with their includes, and refused in nginx's words, with file and line.

Only directives that the lab's nginx does something with, or may rightly do nothing with, are known.
"""

import glob
import os
import re
from typing import NamedTuple

ESCAPED = {'"': '"', "'": "'", "\\": "\\", "n": "\n", "t": "\t", "r": "\r"}
MAIN, EVENTS, HTTP, SERVER, LOCATION = "main", "events", "http", "server", "location"
UPSTREAM, IF, MAP, TYPES = "upstream", "if", "map", "types"
INNER = frozenset((EVENTS, HTTP, SERVER, LOCATION, UPSTREAM, IF, MAP, TYPES))
_TABLE = """\
main 1-2: user
main 1: worker_processes pid daemon master_process
main 0: events http
events 1: worker_connections multi_accept
http 2: map
http 1: upstream
http upstream 0-5: server
http 3-4: limit_req_zone
http 2-99: log_format
upstream 1: keepalive
upstream http server location 1-2: keepalive_timeout
server 1-5: listen
server 1-99: server_name
server 1-2: location
server location 1-99: if
server location if 2: set
server location if 1-2: return
server location 2-99: try_files
location if 1: proxy_pass
location 0: stub_status
http server location 0: types
main http server location 1-2: error_log
http server location 2-99: error_page
http server location if 2-3: add_header
http server location 1-3: access_log
http server location 1-2: proxy_redirect
http server location 1-99: index gzip_types
http server location 1-4: limit_req
http server location 2: proxy_set_header proxy_buffers
http server 1-99: ssl_protocols
http server location 1: root client_max_body_size default_type server_tokens absolute_redirect gzip sendfile
http server location 1: tcp_nopush tcp_nodelay types_hash_max_size server_names_hash_bucket_size gzip_vary
http server location 1: proxy_http_version proxy_hide_header proxy_connect_timeout proxy_read_timeout deny
http server location 1: proxy_send_timeout proxy_buffering proxy_request_buffering proxy_buffer_size
http server location 1: proxy_socket_keepalive proxy_ssl_server_name client_body_timeout allow
http server location 1: limit_req_status
http server location 1-4: client_body_temp_path proxy_temp_path fastcgi_temp_path uwsgi_temp_path
http server location 1-4: scgi_temp_path
http server 1: ssl_certificate ssl_certificate_key ssl_ciphers ssl_session_cache ssl_session_tickets
http server 1: ssl_session_timeout ssl_prefer_server_ciphers
"""
"""Where each directive may stand, and how many arguments it takes."""


def _known() -> dict[str, tuple[tuple[str, ...], int, int]]:
    found: dict[str, tuple[tuple[str, ...], int, int]] = {}
    for line in _TABLE.splitlines():
        about, _, names = line.partition(": ")
        *contexts, count = about.split()
        least, _, most = count.partition("-")
        found |= {name: (tuple(contexts), int(least), int(most or least)) for name in names.split()}
    return found


KNOWN = _known()
REAL = (
    "proxy_", "ssl_", "http2", "gzip_", "client_", "limit_", "fastcgi_", "uwsgi_", "auth_", "sub_", "open_",
    "resolver", "rewrite", "alias", "expires", "geo", "split_clients", "worker_", "load_module", "real_ip",
    "set_real_ip", "internal", "mirror", "lingering_", "underscores_", "large_", "reset_", "send_", "satisfy",
)  # fmt: skip
"""Beginnings of directives that nginx has and the lab has not."""


class EmergError(Exception):
    """Why nginx does not take its files."""


class NotSimulatedError(Exception):
    """What nginx would take, and the lab does not know."""


class Row(NamedTuple):
    """One directive, where it stands, and its block."""

    name: str
    words: tuple[str, ...]
    at: str
    block: "list[Row] | None" = None


class _Token(NamedTuple):
    text: str
    line: int
    quoted: bool


def load(path: str) -> list[Row]:
    """Read a main file. Raises EmergError, NotSimulatedError."""
    return _rows(path, MAIN, os.path.dirname(path), "")


def _rows(path: str, context: str, prefix: str, asked_at: str) -> list[Row]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            text = file.read()
    except OSError as error:
        raise EmergError(f'open() "{path}" failed ({error.errno}: {error.strerror}){asked_at}') from None
    tokens = _tokens(text, path)
    found, at = _block(tokens, 0, context, path, prefix)
    if at < len(tokens):
        raise EmergError(f'unexpected "}}" in {path}:{tokens[at].line}')
    return found


def _block(tokens: list[_Token], at: int, context: str, path: str, prefix: str) -> tuple[list[Row], int]:
    """Read directives up to the end of the block; where that is."""
    found: list[Row] = []
    words: list[_Token] = []
    while at < len(tokens):
        token = tokens[at]
        if token.quoted or token.text not in (";", "{", "}"):
            words.append(token)
            at += 1
            continue
        where = f" in {path}:{token.line}"
        if token.text == "}" and not words:
            return found, at
        if token.text == "}" or not words:
            raise EmergError(f'unexpected "{token.text}"{where}')
        name, more = words[0].text, tuple(word.text for word in words[1:])
        words, at = [], at + 1
        if name == "include" and token.text == ";":
            found += _included(more, context, prefix, where)
            continue
        if context in ("map", "types"):
            found.append(Row(name, more, where))
            continue
        _check(name, more, context, where)
        below = None
        if token.text == "{":
            if name not in INNER or (name == "server" and context == UPSTREAM):
                raise EmergError(f'directive "{name}" is not terminated by ";"{where}')
            below, at = _block(tokens, at, name, path, prefix)
            if at >= len(tokens):
                raise EmergError(f'unexpected end of file, expecting "}}" in {path}:{tokens[-1].line + 1}')
            at += 1
        elif name in INNER and not (name == "server" and context == UPSTREAM):
            raise EmergError(f'directive "{name}" has no opening "{{"{where}')
        found.append(Row(name, more, where, below))
    if words:
        raise EmergError(f'unexpected end of file, expecting ";" or "}}" in {path}:{tokens[-1].line + 1}')
    return found, at


def _check(name: str, words: tuple[str, ...], context: str, where: str) -> None:
    if name not in KNOWN:
        if re.fullmatch("[a-z_0-9]+", name) and name.startswith(REAL):
            raise NotSimulatedError(f"directive {name}{where}")
        raise EmergError(f'unknown directive "{name}"{where}')
    contexts, least, most = KNOWN[name]
    if context not in contexts:
        raise EmergError(f'"{name}" directive is not allowed here{where}')
    if not least <= len(words) <= most:
        raise EmergError(f'invalid number of arguments in "{name}" directive{where}')


def _included(words: tuple[str, ...], context: str, prefix: str, where: str) -> list[Row]:
    pattern = os.path.join(prefix, words[0])
    several = any(sign in pattern for sign in "*?[")
    paths = sorted(glob.glob(pattern)) if several else [pattern]
    return [row for path in paths for row in _rows(path, context, prefix, where)]


def _tokens(text: str, path: str) -> list[_Token]:
    found: list[_Token] = []
    at, line = 0, 1
    while at < len(text):
        char = text[at]
        if char == "\n":
            line += 1
        if char.isspace():
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif char in ";{}":
            found.append(_Token(char, line, quoted=False))
            at += 1
        else:
            word, end = _word(text, at, f"{path}:{line}")
            found.append(_Token(word, line, quoted=True))
            line += text.count("\n", at, end)
            at = end
    return found


def _word(text: str, at: int, where: str) -> tuple[str, int]:
    sign = text[at] if text[at] in "\"'" else ""
    at += len(sign)
    parts: list[str] = []
    while at < len(text):
        char = text[at]
        if char == sign or (not sign and (char.isspace() or char in ";{")):
            break
        if char == "\\" and at + 1 < len(text):
            parts.append(ESCAPED.get(text[at + 1], text[at : at + 2]))
            at += 2
        elif not sign and text.startswith("${", at):
            end = text.find("}", at)
            parts.append(text[at : end + 1])
            at = end + 1
        else:
            parts.append(char)
            at += 1
    if sign and at >= len(text):
        raise EmergError(f'unexpected end of file, expecting ";" or "}}" in {where}')
    if sign and at + 1 < len(text) and not (text[at + 1].isspace() or text[at + 1] in ";{)"):
        raise EmergError(f'unexpected "{text[at + 1]}" in {where}')
    return "".join(parts), at + len(sign)
