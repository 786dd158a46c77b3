"""Two gateways that differ in everything; each leads to itself, so that every route answers."""

from collections.abc import Mapping
from typing import Any

from ..secrets import Secret

FIRST: Mapping[str, Any] = {
    "server_names": ["one.example.org"],
    "routes": {"/one/": {"url": "http://127.0.0.1:80", "check": "/healthz"}},
    "tokens": {"editor": Secret("sample/first-token")},
    "tls": {"self_signed_days": 90},
    "probe_seconds": 4,
}
SECOND: Mapping[str, Any] = {
    "server_names": ["one.example.org", "two.example.org"],
    "replace_default_site": True,
    "port": 8080,
    "tls_port": 8443,
    "tls": {"self_signed_days": 90, "min_version": "1.3", "redirect": False, "hsts_seconds": 60},
    "routes": {"/two/": {"url": "http://127.0.0.1:8080", "check": "/healthz"}},
    "names": {"app.example.org": {"url": "http://127.0.0.1:8080", "check": "/healthz"}},
    "tokens": {"editor": Secret("sample/second-token"), "other": Secret("sample/first-token")},
    "max_body": "1G",
    "read_seconds": 60,
    "rate_limit": {"per_second": 100},
    "status": {"port": 8082, "clients": ["10.0.0.0/24"]},
    "log": "/var/log/nginx/other.log",
    "probe_seconds": 4,
}
