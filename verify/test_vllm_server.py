"""Model servers: their unit as declared, loaded and running; the model answers as it should."""

import json
import shlex

import pytest

from phoenix_hypervisor import units
from phoenix_hypervisor.dialects import openai, systemd
from phoenix_hypervisor.secrets import RUN_KEY

# `cat` is asked twice, for a pipe ends as its last part does.
SECRET = f"""\
set -e
path=%s
if [ ! -f "$path" ]; then echo missing
else
    stat -c '%%U %%a' "$path"
    cat "$path" >/dev/null
    {{ printf '%%s:' {RUN_KEY}; cat "$path"; }} | sha256sum | cut -c1-64
fi
"""
# An empty line now and then, so that nobody takes the host for dead while a model is loaded.
HEALTHY = """\
end=$(($(date +%%s) + %s))
while :; do
    code=$(curl -s -o /dev/null -m 5 -w '%%{http_code}' %s) || [ $? -lt 126 ] || exit 127
    [ "$code" != 200 ] || exit 0
    systemctl is-active -q %s || exit 1
    [ "$(date +%%s)" -lt "$end" ] || exit 1
    echo
    sleep 1
done
"""
ASKED = "curl -sS -N -m 120 -H 'Content-Type: application/json' -d %s %s"
NO_ANSWER = [0, 7, 18, 22, 28, 52, 56]
"""How curl ends with a server that answers, or wrongly, or not at all."""


def test_present(host, vllm_server):
    assert (vllm_server.unit.look(host).sort != "missing") == vllm_server.present


def test_foreign(host, vllm_server):
    """Somebody else's unit is not ours to change."""
    unit = vllm_server.unit
    assert {"foreign": unit.foreign(unit.look(host))} == {"foreign": ""}


def test_settings(host, vllm_server):
    actual, desired = vllm_server.unit.look(host).differing(vllm_server.unit.text)
    assert actual == desired


def test_token(host, vllm_server):
    """The file with the token: the declared one, only root's, and none where none is declared."""
    found = host.run_expect([0], SECRET % shlex.quote(vllm_server.secret_file)).stdout.split()
    if vllm_server.token is None:
        assert {"token": found} == {"token": ["missing"]}
    else:
        same = found == ["root", "600", vllm_server.secret_text.keyed_digest()]
        assert {"token": "as declared" if same else "another one"} == {"token": "as declared"}


def test_read(host, vllm_server):
    """systemd knows the file as it is now."""
    assert {"daemon_reload": vllm_server.unit.state(host)["NeedDaemonReload"]} == {"daemon_reload": "no"}


def test_command(host, vllm_server):
    """What systemd would run, with whatever others have added."""
    actual = systemd.shown_command(vllm_server.unit.state(host).get("ExecStart", ""))
    assert {"command": actual} == {"command": vllm_server.command}


def test_told(host, vllm_server):
    """No change still waits for the server to be started anew."""
    assert {"waiting": vllm_server.unit.look(host).waiting} == {"waiting": False}


def test_enabled(host, vllm_server):
    assert {"enabled": vllm_server.unit.state(host)["UnitFileState"]} == {"enabled": "enabled"}


def test_active(host, vllm_server):
    assert {"active": vllm_server.unit.active(host)} == {"active": "active"}


@pytest.mark.probe
def test_health(host, vllm_server):
    """It answers that it works, within the time that its model may take to be loaded."""
    url = shlex.quote(f"{vllm_server.local}/health")
    asked = HEALTHY % (vllm_server.ready_seconds, url, vllm_server.unit.unit)
    well = host.run_expect([0, 1], asked).rc == 0
    said = "answers" if well else f"does not answer: {vllm_server.unit.last_words(host)}"
    assert {"health": said} == {"health": "answers"}


@pytest.mark.probe
def test_model(host, vllm_server):
    """The model has the name by which it is asked for."""
    said = host.run_expect(NO_ANSWER, f"curl -sS -m 30 {vllm_server.local}/v1/models").stdout
    named = [name for name in openai.models(said) if name == vllm_server.called]
    assert {"models": named or openai.models(said)} == {"models": [vllm_server.called]}


@pytest.mark.probe
def test_completion(host, vllm_server):
    """It completes a chat, and tells it piece by piece."""
    if vllm_server.task != "chat":
        pytest.skip("it makes embeddings")
    asked = {"model": vllm_server.called, "messages": [{"role": "user", "content": "Say hello."}]}
    said = _asked(host, vllm_server, "/v1/chat/completions", {**asked, "max_tokens": 8, "stream": True})
    found = openai.streamed(said)
    actual = {"completion": "a text" if found.text else said[:200], "end": found.whole}
    assert actual == {"completion": "a text", "end": True}


@pytest.mark.probe
def test_embedding(host, vllm_server):
    """It makes an embedding of the declared length."""
    if vllm_server.task != "embed":
        pytest.skip("it completes chats")
    asked = {"model": vllm_server.called, "input": "hello"}
    length = openai.embedding_length(_asked(host, vllm_server, "/v1/embeddings", asked))
    assert {"dimension": length} == {"dimension": vllm_server.dimension or max(length, 1)}


@pytest.mark.probe
def test_metrics(host, vllm_server):
    """It tells Prometheus how it is doing."""
    said = host.run_expect(NO_ANSWER, f"curl -sS -m 30 {vllm_server.local}/metrics").stdout
    assert {"metrics": any(line.startswith("vllm:") for line in said.splitlines())} == {"metrics": True}


def seen(host, vllm_server):
    """Whether it is ours: what we did not make is not removed."""
    return vllm_server.unit.look(host)


def owned(host):
    """Servers we noted as made by us whose unit is still there."""
    return units.owned(host, "vllm_server")


def _asked(host, vllm_server, path, document):
    words = (shlex.quote(json.dumps(document)), shlex.quote(f"{vllm_server.local}{path}"))
    return host.run_expect(NO_ANSWER, ASKED % words).stdout
