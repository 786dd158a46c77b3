"""Qdrant: its files, its container, its collections, and that it keeps a point."""

import json
import shlex

import pytest

from phoenix_hypervisor.compose import sight
from phoenix_hypervisor.kinds.qdrant import SCRATCH

# Called with the address; the key is on stdin, and an argument of nothing but what the shell has built in.
ASK = """\
address=$1
IFS= read -r key || :
ask() {
    printf 'header = "api-key: %s"\\n' "$key" | curl -sS --max-time 20 -K - "$@"
}
"""
COLLECTIONS = (
    ASK
    + """\
end=$(($(date +%s) + $2))
shift 2
while :; do
    status=0
    ask -o /dev/null "$address/" 2>/dev/null || status=$?
    [ "$status" = 7 ] && [ "$(date +%s)" -lt "$end" ] || break
    echo
    sleep 1
done
for name; do
    printf '\\036'
    ask -w '\\n%{http_code}' "$address/collections/$name" || exit
done
"""
)
"""One that was only just started refuses connections (curl's 7) until it has read its data: that is waited
for, and an empty line now and then says so."""
POINT = (
    ASK
    + """\
place=$address/collections/$2 end=$(($(date +%s) + $3))
say() {
    ask -X "$1" -H 'Content-Type: application/json' --data "$3" "$place$2"
    echo
}
until [ "$(ask -o /dev/null -w '%{http_code}' "$address/readyz" 2>/dev/null)" = 200 ]; do
    [ "$(date +%s)" -lt "$end" ] || break
    sleep 1
done
say PUT '' '{"vectors":{"size":4,"distance":"Dot"}}'
point='{"id":1,"vector":[0.25,0.5,0.75,1],"payload":{"by":"phoenix"}}'
say PUT '/points?wait=true' "{\\"points\\":[$point]}"
say POST '/points' '{"ids":[1],"with_vector":true,"with_payload":true}'
ask -X DELETE "$place"
"""
)
MOMENT = 30
"""Seconds for which a state check waits at most: a plan should not take as long as a start may."""
SILENT = (7, 28, 52, 56)
"""curl's words for one that nobody answers: it refuses, takes too long, says nothing, breaks off."""
WRITTEN = {"id": 1, "vector": [0.25, 0.5, 0.75, 1.0], "payload": {"by": "phoenix"}}


def test_present(host, qdrant):
    assert sight.present(host, qdrant) == qdrant.present


@pytest.mark.precondition
def test_nobody_elses(host, qdrant):
    assert {"foreign": sight.foreign(host, qdrant)} == {"foreign": ""}


def test_foreign(host, qdrant):
    assert {"foreign": sight.foreign(host, qdrant)} == {"foreign": ""}


def test_compose(host, qdrant):
    assert sight.compose(host, qdrant) == {"compose": qdrant.text}


def test_env(host, qdrant):
    assert sight.env(host, qdrant) == {"env": "as declared", "env access": "600 root"}


def test_services(host, qdrant):
    actual, desired = sight.services(host, qdrant)
    assert actual == desired


def test_loaded(host, qdrant):
    """No change of its files still waits for its container."""
    assert {"loaded": sight.loaded(host, qdrant)} == {"loaded": True}


def test_collections(host, qdrant, feed):
    """There, and for vectors of the declared length; looked at while it runs as declared."""
    actual, desired = sight.services(host, qdrant)
    keyed = sight.env(host, qdrant)["env"] == "as declared"
    if actual != desired or not keyed or not sight.loaded(host, qdrant):
        pytest.skip("it does not run as declared")
    found = _collections(feed, qdrant)
    assert found == {f"collection {name}": one.said for name, one in qdrant.collections.items()}


@pytest.mark.probe
def test_keeps_a_point(host, qdrant, feed):
    """One written into a collection of our own, read again, and removed with it."""
    words = (qdrant.address, SCRATCH, str(qdrant.ready_seconds))
    said = feed(_called(POINT, *words), qdrant.key_line)
    lines = said.stdout.splitlines()
    if said.rc not in (0, *SILENT):
        raise RuntimeError(said.stderr.strip())
    assert {"answers": said.rc == 0} == {"answers": True}
    assert _result(lines[2] if len(lines) > 2 else "") == [WRITTEN]


def owned(host):
    """Qdrant, if we made it on this host."""
    return sight.owned(host, "qdrant")


def _collections(feed, qdrant):
    if not qdrant.collections:
        return {}
    said = feed(
        _called(COLLECTIONS, qdrant.address, str(min(qdrant.ready_seconds, MOMENT)), *qdrant.collections),
        qdrant.key_line,
    )
    if said.rc:
        raise RuntimeError(said.stderr.strip())
    answers = said.stdout.split("\036")[1:]
    return {
        f"collection {name}": _vectors(answer)
        for name, answer in zip(qdrant.collections, answers, strict=True)
    }


def _vectors(answer):
    body, _, code = answer.rpartition("\n")
    if code == "404":
        return "missing"
    vectors = json.loads(body)["result"]["config"]["params"]["vectors"]
    return f"{vectors['size']} {vectors['distance']}"


def _called(script, *words):
    return f"set -- {shlex.join(words)}\n{script}"


def _result(text):
    try:
        found = json.loads(text).get("result")
    except ValueError:
        return text
    return [{key: row.get(key) for key in WRITTEN} for row in found] if isinstance(found, list) else found
