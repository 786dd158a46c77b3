"""qdrant: its REST API over collections on disk. Settings come from the environment (`QDRANT__SERVICE__…`).

Named and sparse vectors, filters of payloads but equality, and gRPC (its port only listens) are not
simulated.
"""

import contextlib
import os
import sys
import time
from typing import Any

import qdrant_store
import web
from qdrant_store import RefusedError, Store
from web import Reply, Request

VERSION = "1.15.4"
OPEN = ("/", "/healthz", "/readyz", "/livez")
"""What needs no key."""
PLAIN = "text/plain; charset=utf-8"
SETTINGS = (
    "SERVICE__HOST", "SERVICE__HTTP_PORT", "SERVICE__GRPC_PORT", "SERVICE__API_KEY",
    "SERVICE__READ_ONLY_API_KEY", "SERVICE__ENABLE_TLS", "SERVICE__ENABLE_CORS",
    "SERVICE__MAX_REQUEST_SIZE_MB", "SERVICE__JWT_RBAC", "STORAGE__STORAGE_PATH", "STORAGE__SNAPSHOTS_PATH",
    "STORAGE__TEMP_PATH", "STORAGE__ON_DISK_PAYLOAD", "STORAGE__WAL__WAL_CAPACITY_MB", "LOG_LEVEL",
    "TELEMETRY_DISABLED", "CLUSTER__ENABLED", "STORAGE__PERFORMANCE__MAX_SEARCH_THREADS",
    "SERVICE__MAX_WORKERS",
)  # fmt: skip


def main(argv: list[str]) -> int:
    if argv in (["--version"], ["-V"]):
        print(f"qdrant {VERSION}")
        return 0
    if argv and argv != ["--disable-telemetry"]:
        known = (
            "--config-path",
            "--snapshot",
            "--storage-snapshot",
            "--uri",
            "--bootstrap",
            "--force-snapshot",
        )
        if argv[0].partition("=")[0] in known:
            print(f"qdrant: not simulated: {' '.join(argv)}", file=sys.stderr)
            return 70
        print(f"error: unexpected argument '{argv[0]}' found\n\nUsage: qdrant [OPTIONS]", file=sys.stderr)
        return 2
    settings = {
        key[len("QDRANT__") :]: value for key, value in os.environ.items() if key.startswith("QDRANT__")
    }
    host = settings.get("SERVICE__HOST", "0.0.0.0")  # noqa: S104  (its default)
    folder = settings.get("STORAGE__STORAGE_PATH", "./storage")
    try:
        service = Service(Store(folder), settings)
        taken = web.listen(host, int(settings.get("SERVICE__HTTP_PORT", "6333")))
        grpc = web.listen(host, int(settings.get("SERVICE__GRPC_PORT", "6334")))
    except ValueError as error:
        print(f"Error: invalid configuration: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"Error: {error.strerror} (os error {error.errno})", file=sys.stderr)
        return 101 if error.filename else 1
    print(f"INFO qdrant::actix: Qdrant HTTP listening on {taken.getsockname()[1]}", flush=True)
    web.ready()
    try:
        web.serve(taken, service.answer)
    finally:
        grpc.close()
    return 0


class Service:
    """The answers."""

    def __init__(self, store: Store, settings: dict[str, str]) -> None:
        self.store = store
        self.key = settings.get("SERVICE__API_KEY", "")
        self.reading = settings.get("SERVICE__READ_ONLY_API_KEY", "")
        self.operation = 0
        for name in settings:
            if name not in SETTINGS:
                print(f"WARN qdrant::settings: not simulated: QDRANT__{name}", file=sys.stderr, flush=True)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        start = time.perf_counter()
        path = request.path.rstrip("/") or "/"
        refused = self._refusal(request, path)
        if refused:
            return Reply(401, refused.encode(), PLAIN)
        plain = {"/healthz": "healthz check passed", "/livez": "healthz check passed"}
        plain["/readyz"] = "all shards are ready"
        if path in plain:
            return Reply(200, plain[path].encode(), PLAIN)
        if path == "/":
            return web.said(200, {"title": "qdrant - vector search engine", "version": VERSION, "commit": ""})
        if path == "/metrics":
            return Reply(200, self._metrics(), PLAIN)
        try:
            result = self._result(request, [web.unquoted(part) for part in path[1:].split("/")])
        except RefusedError as error:
            if not error.text:
                return Reply(error.status)
            return web.said(
                error.status, {"status": {"error": error.text}, "time": time.perf_counter() - start}
            )
        return web.said(200, {"result": result, "status": "ok", "time": time.perf_counter() - start})

    def _refusal(self, request: Request, path: str) -> str:
        """Return why somebody is not let in; empty when he is."""
        if path in OPEN or not (self.key or self.reading):
            return ""
        key = request.header("api-key") or request.header("Authorization").removeprefix("Bearer ")
        if not key:
            return "Must provide an API key or an Authorization bearer token"
        reads = request.method in ("GET", "HEAD") or path.endswith(("/search", "/scroll", "/count", "/query"))
        if key == self.key or (self.reading and key == self.reading and reads):
            return ""
        return "Invalid API key or JWT"

    def _metrics(self) -> bytes:
        names = self.store.names()
        count = 0
        for name in names:
            with contextlib.suppress(RefusedError):  # somebody removed it just now
                count += len(self.store.points(name))
        return (
            f'# TYPE app_info gauge\napp_info{{name="qdrant",version="{VERSION}"}} 1\n'
            f"# TYPE collections_total gauge\ncollections_total {len(names)}\n"
            f"# TYPE collections_vector_total gauge\ncollections_vector_total {count}\n"
        ).encode()

    def _result(self, request: Request, parts: list[str]) -> Any:
        """Return the result of a request below /collections. Raises RefusedError."""
        if parts[0] != "collections" or len(parts) > 4:
            raise RefusedError(404, "")
        if len(parts) == 1:
            if request.method != "GET":
                raise RefusedError(404, "")
            return {"collections": [{"name": name} for name in self.store.names()]}
        told: Any = {}
        if request.method in ("PUT", "POST", "PATCH"):
            try:
                told = request.json()
            except ValueError as error:
                raise RefusedError(400, f"Format error in JSON body: {error}") from None
        what = (request.method, *parts[2:])
        name = parts[1]
        if what == ("PUT",):
            self.store.create(name, told)
            return True
        if what == ("DELETE",):
            return self.store.remove(name)
        if what == ("GET", "exists"):
            return {"exists": name in self.store.names()}
        if what == ("GET",):
            return self._described(name)
        if len(parts) > 2 and parts[2] == "points":
            self.store.params(name)
            return self._points(request, name, parts[3:], told)
        if what == ("PUT", "index"):
            self.store.params(name)
            return self._done(request)
        raise RefusedError(404, "")

    def _described(self, name: str) -> dict[str, Any]:
        params = self.store.params(name) | {"replication_factor": 1, "write_consistency_factor": 1}
        return {
            "status": "green", "optimizer_status": "ok", "indexed_vectors_count": 0,
            "points_count": len(self.store.points(name)), "segments_count": 2,
            "config": {"params": params | {"on_disk_payload": True}}, "payload_schema": {},
        }  # fmt: skip

    def _points(self, request: Request, name: str, parts: list[str], told: Any) -> Any:
        what = (request.method, *parts)
        if what == ("PUT",):
            if not (isinstance(told, dict) and isinstance(told.get("points"), list)):
                raise RefusedError(
                    400, "Format error in JSON body: data did not match any variant of untagged enum"
                )
            self.store.upsert(name, told["points"])
            return self._done(request)
        points = self.store.points(name)
        if what == ("POST",):
            wanted = [str(qdrant_store.identity(number)) for number in told.get("ids", [])]
            return [_shown(points[number], told) for number in wanted if number in points]
        if what == ("POST", "delete"):
            self.store.delete(name, told.get("points", []))
            return self._done(request)
        if what == ("POST", "count"):
            return {"count": len(_filtered(list(points.values()), told))}
        if what == ("POST", "scroll"):
            rows = sorted(
                _filtered(list(points.values()), told), key=lambda point: str(point["id"]).zfill(40)
            )
            return {"points": [_shown(point, told) for point in rows], "next_page_offset": None}
        if what in (("POST", "search"), ("POST", "query")):
            vector = told.get("vector") if parts == ["search"] else told.get("query")
            if not isinstance(vector, list):
                raise RefusedError(501, "not simulated: a search by anything but a vector")
            found = self.store.search(name, vector, len(points) or 1)
            kept = [row for row in found if _filtered([row[1]], told)]
            hits = [
                _shown(point, {"with_payload": False, **told}) | {"version": 0, "score": score}
                for score, point in kept[: told.get("limit", 10)]
            ]
            return hits if parts == ["search"] else {"points": hits}
        if request.method == "GET" and len(parts) == 1:
            if parts[0] not in points:
                raise RefusedError(404, f"Not found: Point with id {parts[0]} does not exists!")
            return _shown(points[parts[0]], {"with_payload": True, "with_vector": True})
        raise RefusedError(404, "")

    def _done(self, request: Request) -> dict[str, Any]:
        self.operation += 1
        status = "completed" if request.query.get("wait") == "true" else "acknowledged"
        return {"operation_id": self.operation, "status": status}


Point = dict[str, Any]


def _shown(point: Point, told: Any) -> Point:
    row: Point = {"id": point["id"]}
    if told.get("with_payload", True):
        row["payload"] = point["payload"]
    if told.get("with_vector"):
        row["vector"] = point["vector"]
    return row


def _filtered(points: list[Point], told: Any) -> list[Point]:
    wanted = (told.get("filter") or {}) if isinstance(told, dict) else {}
    rules = wanted.get("must", [])
    if wanted.keys() - {"must"} or any(set(rule) != {"key", "match"} for rule in rules):
        raise RefusedError(501, f"not simulated: the filter {wanted}")
    pairs = [(rule["key"], rule["match"].get("value")) for rule in rules]
    return [point for point in points if all(point["payload"].get(key) == value for key, value in pairs)]
