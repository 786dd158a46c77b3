"""Collections of points on disk, as the lab's Qdrant keeps them: a folder for each, read anew every time.

So several servers on the same files (one in each connection) always agree, and what was written is there
whatever happens to a server.
"""

import contextlib
import fcntl
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

DISTANCES = ("Cosine", "Dot", "Euclid", "Manhattan")
Point = dict[str, Any]


class RefusedError(Exception):
    """What Qdrant refuses, with the status it has in HTTP."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


class Store:
    """The collections below a folder."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.join(folder, "collections")
        os.makedirs(self.folder, exist_ok=True)
        with self._locked():
            pass  # a folder nobody may write in is found out now

    def names(self) -> list[str]:
        return sorted(name for name in os.listdir(self.folder) if not name.startswith("."))

    def create(self, name: str, told: Any) -> None:
        """Make a collection. Raises RefusedError."""
        vectors = told.get("vectors") if isinstance(told, dict) else None
        if not isinstance(vectors, dict):
            raise RefusedError(400, "Format error in JSON body: missing field `vectors`")
        if "size" not in vectors:
            raise RefusedError(501, "not simulated: named vectors")
        size, distance = vectors["size"], vectors.get("distance")
        if not isinstance(size, int) or not 1 <= size <= 65536:
            raise RefusedError(422, f"Validation error in JSON body: [vectors.size: value {size} invalid]")
        if distance not in DISTANCES:
            known = ", ".join(f"`{one}`" for one in DISTANCES)
            raise RefusedError(
                400, f"Format error in JSON body: unknown variant `{distance}`, expected one of {known}"
            )
        with self._locked():
            place = self._place(name)
            if os.path.exists(place):
                raise RefusedError(409, f"Wrong input: Collection `{name}` already exists!")
            os.makedirs(place)
            self._write(name, "points.json", {})
            kept = {"size": size, "distance": distance}
            self._write(name, "config.json", {"params": {"vectors": kept, "shard_number": 1}})

    def remove(self, name: str) -> bool:
        with self._locked():
            there = os.path.exists(self._place(name))
            if there:
                shutil.rmtree(self._place(name))
            return there

    def params(self, name: str) -> dict[str, Any]:
        """Return what a collection was made with. Raises RefusedError."""
        found: dict[str, Any] = self._read(name, "config.json")["params"]
        return found

    def points(self, name: str) -> dict[str, Point]:
        """Return all points by their ids. Raises RefusedError."""
        found: dict[str, Point] = self._read(name, "points.json")
        return found

    def upsert(self, name: str, points: list[Any]) -> None:
        """Write points over those with their ids; all of them or none. Raises RefusedError."""
        size = self.params(name)["vectors"]["size"]
        new: dict[str, Point] = {}
        for point in points:
            if not isinstance(point, dict) or "vector" not in point:
                raise RefusedError(400, "Format error in JSON body: missing field `vector`")
            vector = point["vector"]
            if not isinstance(vector, list) or len(vector) != size:
                got = len(vector) if isinstance(vector, list) else 0
                raise RefusedError(
                    400, f"Wrong input: Vector dimension error: expected dim: {size}, got {got}"
                )
            number = identity(point.get("id"))
            payload = point.get("payload") or {}
            new[str(number)] = {"id": number, "vector": list(map(float, vector)), "payload": payload}
        with self._locked():
            self._write(name, "points.json", self.points(name) | new)

    def delete(self, name: str, numbers: list[Any]) -> None:
        gone = {str(identity(number)) for number in numbers}
        with self._locked():
            kept = {key: point for key, point in self.points(name).items() if key not in gone}
            self._write(name, "points.json", kept)

    def search(self, name: str, vector: list[float], limit: int) -> list[tuple[float, Point]]:
        """Return the nearest points with their scores, the nearest first. Raises RefusedError."""
        params = self.params(name)["vectors"]
        if len(vector) != params["size"]:
            raise RefusedError(
                400, f"Wrong input: Vector dimension error: expected dim: {params['size']}, got {len(vector)}"
            )
        rows = [
            (score(params["distance"], vector, point["vector"]), point)
            for point in self.points(name).values()
        ]
        near = params["distance"] in ("Euclid", "Manhattan")
        return sorted(rows, key=lambda row: row[0] if near else -row[0])[:limit]

    def _place(self, name: str) -> str:
        if "/" in name or name.startswith(".") or not name:
            raise RefusedError(422, f"Validation error in path: [name: value {name!r} invalid]")
        return os.path.join(self.folder, name)

    def _read(self, name: str, file: str) -> dict[str, Any]:
        try:
            with open(os.path.join(self._place(name), file), encoding="utf-8") as content:
                found: dict[str, Any] = json.load(content)
                return found
        except FileNotFoundError:
            raise RefusedError(404, f"Not found: Collection `{name}` doesn't exist!") from None

    def _write(self, name: str, file: str, content: dict[str, Any]) -> None:
        place = os.path.join(self._place(name), file)
        try:
            with open(place + ".new", "w", encoding="utf-8") as text:
                json.dump(content, text)
                text.flush()
                os.fsync(text.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(place + ".new")
            raise RefusedError(
                500, f"Service internal error: {error.strerror} (os error {error.errno})"
            ) from None
        os.replace(place + ".new", place)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(os.path.join(self.folder, ".lock"), "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def identity(given: Any) -> int | str:
    """Return a point's id: a number that is not negative, or a UUID. Raises RefusedError."""
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return given
    try:
        return str(uuid.UUID(given))
    except (ValueError, AttributeError, TypeError):
        raise RefusedError(
            400,
            f"Format error in JSON body: value {given} is not a valid point ID, valid values are either an "
            "unsigned integer or a UUID",
        ) from None


def score(distance: str, one: list[float], other: list[float]) -> float:
    """Return how near two vectors are; of Euclid and Manhattan, how far."""
    if distance == "Euclid":
        return math.dist(one, other)
    if distance == "Manhattan":
        return sum(abs(a - b) for a, b in zip(one, other, strict=True))
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    if distance == "Dot":
        return dot
    lengths = math.hypot(*one) * math.hypot(*other)
    return dot / lengths if lengths else 0.0
