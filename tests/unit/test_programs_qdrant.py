"""The lab's Qdrant: collections and points on disk, what it refuses, who may ask."""

from tests.ports import free_port
from tests.unit.programs_running import ask, ended, running

IDENTITY = (
    "Format error in JSON body: value one is not a valid point ID, valid values are either an unsigned "
    "integer or a UUID"
)
VARIANT = (
    "Format error in JSON body: unknown variant `Far`, expected one of `Cosine`, `Dot`, `Euclid`, `Manhattan`"
)


def settings(folder, **more):
    ports = {"HTTP": free_port(), "GRPC": free_port()}
    found = {f"QDRANT__SERVICE__{name}_PORT": str(port) for name, port in ports.items()}
    found |= {"QDRANT__SERVICE__HOST": "127.0.0.1", "QDRANT__STORAGE__STORAGE_PATH": str(folder)}
    return ports["HTTP"], found | more


def test_what_was_written_is_there_after_a_kill(tmp_path):
    port, told = settings(tmp_path)
    with running("qdrant", **told):
        assert ask(port, "GET", "/readyz") == (200, "all shards are ready")
        status, answer = ask(
            port, "PUT", "/collections/notes", {"vectors": {"size": 2, "distance": "Cosine"}}
        )
        assert (status, answer["result"], answer["status"]) == (200, True, "ok")
        points = [
            {"id": 1, "vector": [1, 0], "payload": {"sort": "a"}},
            {"id": 2, "vector": [0.6, 0.8], "payload": {"sort": "b"}},
        ]
        status, answer = ask(port, "PUT", "/collections/notes/points?wait=true", {"points": points})
        assert (status, answer["result"]["status"]) == (200, "completed")
    with running("qdrant", **told):
        _, answer = ask(port, "GET", "/collections/notes")
        assert answer["result"]["points_count"] == 2
        assert answer["result"]["config"]["params"]["vectors"] == {"size": 2, "distance": "Cosine"}
        asked = {"vector": [0, 1], "limit": 1, "with_payload": True}
        _, answer = ask(port, "POST", "/collections/notes/points/search", asked)
        assert answer["result"] == [{"id": 2, "payload": {"sort": "b"}, "version": 0, "score": 0.8}]
        only = {"filter": {"must": [{"key": "sort", "match": {"value": "a"}}]}}
        _, answer = ask(port, "POST", "/collections/notes/points/search", {"vector": [0, 1], **only})
        assert [row["id"] for row in answer["result"]] == [1]
        assert ask(port, "DELETE", "/collections/notes")[1]["result"] is True
        assert ask(port, "GET", "/collections")[1]["result"] == {"collections": []}


def test_what_is_refused_changes_nothing(tmp_path):
    port, told = settings(tmp_path)
    with running("qdrant", **told):
        ask(port, "PUT", "/collections/notes", {"vectors": {"size": 2, "distance": "Dot"}})
        good, short = {"id": 1, "vector": [1, 2]}, {"id": 2, "vector": [1]}
        said = [
            ask(port, "PUT", "/collections/notes/points", {"points": [good, short]}),
            ask(port, "PUT", "/collections/notes/points", {"points": [{**good, "id": "one"}]}),
            ask(port, "PUT", "/collections/notes", {"vectors": {"size": 2, "distance": "Dot"}}),
            ask(port, "PUT", "/collections/more", {"vectors": {"size": 2, "distance": "Far"}}),
            ask(port, "GET", "/collections/nothing"),
        ]
        assert [(status, answer["status"]["error"]) for status, answer in said] == [
            (400, "Wrong input: Vector dimension error: expected dim: 2, got 1"),
            (400, IDENTITY),
            (409, "Wrong input: Collection `notes` already exists!"),
            (400, VARIANT),
            (404, "Not found: Collection `nothing` doesn't exist!"),
        ]
        assert ask(port, "GET", "/collections/notes")[1]["result"]["points_count"] == 0


def test_who_has_no_key_reads_nothing(tmp_path):
    port, told = settings(tmp_path, QDRANT__SERVICE__API_KEY="k", QDRANT__SERVICE__READ_ONLY_API_KEY="r")
    with running("qdrant", **told):
        assert ask(port, "GET", "/healthz")[0] == 200
        assert ask(port, "GET", "/collections") == (
            401,
            "Must provide an API key or an Authorization bearer token",
        )
        assert ask(port, "GET", "/collections", api_key="other") == (401, "Invalid API key or JWT")
        assert ask(port, "GET", "/collections", api_key="r")[0] == 200
        assert ask(port, "PUT", "/collections/notes", {}, api_key="r")[0] == 401
        assert ask(port, "GET", "/metrics", Authorization="Bearer k")[0] == 200


def test_a_port_that_is_taken_and_an_option_it_does_not_know(tmp_path):
    _, told = settings(tmp_path)
    with running("qdrant", **told):
        assert ended("qdrant", **told)[::2] == (1, "Error: Address already in use (os error 98)\n")
    status, _, err = ended("qdrant", "--port", "1", **told)
    assert (status, err.splitlines()[0]) == (2, "error: unexpected argument '--port' found")
