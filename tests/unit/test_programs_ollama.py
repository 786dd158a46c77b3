"""The lab's Ollama: models that are pulled as a whole, its commands, its answers."""

import hashlib
import json

from tests.ports import free_port
from tests.unit.programs_running import ask, ended, running


def told(folder):
    port = free_port()
    return port, {"OLLAMA_HOST": f"127.0.0.1:{port}", "OLLAMA_MODELS": str(folder), "HOME": str(folder)}


def test_a_model_is_pulled_and_answers(tmp_path):
    port, settings = told(tmp_path)
    with running("ollama", "serve", **settings, PHOENIX_LAB_VERSION="0.12.11"):
        assert ask(port, "GET", "/api/version") == (200, {"version": "0.12.11"})
        assert ask(port, "GET", "/api/tags") == (200, {"models": []})
        _, text = ask(port, "POST", "/api/pull", {"model": "llama3.2:1b"})
        rows = [json.loads(line) for line in text.splitlines()]
        assert [rows[0], *rows[-3:]] == [
            {"status": word}
            for word in ("pulling manifest", "verifying sha256 digest", "writing manifest", "success")
        ]
        told_of = [row["completed"] for row in rows if row.get("total") == 65536 and "completed" in row]
        assert (told_of[0], told_of[-1], told_of == sorted(told_of)) == (8192, 65536, True)
        manifest = tmp_path / "manifests/registry.ollama.ai/library/llama3.2/1b"
        parts = json.loads(manifest.read_text())
        for part in [parts["config"], *parts["layers"]]:
            blob = (tmp_path / "blobs" / part["digest"].replace(":", "-")).read_bytes()
            assert (len(blob), f"sha256:{hashlib.sha256(blob).hexdigest()}") == (part["size"], part["digest"])
        (model,) = ask(port, "GET", "/api/tags")[1]["models"]
        assert model["digest"] == hashlib.sha256(manifest.read_bytes()).hexdigest()
        asked = {"model": "llama3.2:1b", "prompt": "hello", "stream": False, "options": {"num_predict": 3}}
        _, answer = ask(port, "POST", "/api/generate", asked)
        assert (answer["response"], answer["done"], answer["done_reason"]) == ("This is the", True, "length")
        _, text = ask(port, "POST", "/api/chat", {"model": "llama3.2:1b", "messages": [{"content": "hello"}]})
        rows = [json.loads(line) for line in text.splitlines()]
        said = "".join(row["message"]["content"] for row in rows)
        assert (said, rows[-1]["done"]) == ("This is the lab's llama3.2:1b. You said: hello", True)
        _, answer = ask(port, "POST", "/api/embed", {"model": "llama3.2:1b", "input": "a"})
        assert len(answer["embeddings"][0]) == 2048


def test_what_came_in_part_is_no_model_and_is_gone_on_with(tmp_path):
    port, settings = told(tmp_path)
    with running("ollama", "serve", **settings):
        _, text = ask(port, "POST", "/api/pull", {"model": "llama3.2:1b"})
        (weights,) = {
            row["digest"] for row in map(json.loads, text.splitlines()) if row.get("total") == 65536
        }
        blob = tmp_path / "blobs" / weights.replace(":", "-")
        blob.with_name(blob.name + "-partial").write_bytes(blob.read_bytes()[:24576])
        blob.unlink()
        assert ask(port, "GET", "/api/tags") == (200, {"models": []})
        assert ask(port, "POST", "/api/generate", {"model": "llama3.2:1b"})[0] == 404
        _, text = ask(port, "POST", "/api/pull", {"model": "llama3.2:1b"})
        first = next(row for row in map(json.loads, text.splitlines()) if row.get("digest") == weights)
        assert (first["completed"], blob.stat().st_size) == (24576, 65536)


def test_its_commands(tmp_path):
    port, settings = told(tmp_path)
    silent = "Error: could not connect to ollama server, run 'ollama serve' to start it\n"
    assert ended("ollama", "list", **settings)[::2] == (1, silent)
    with running("ollama", "serve", **settings):
        status, out, err = ended("ollama", "pull", "qwen2.5:0.5b", **settings)
        assert (status, out, err.splitlines()[-1]) == (0, "", "success")
        status, out, _ = ended("ollama", "list", **settings)
        assert [line.split()[0] for line in out.splitlines()] == ["NAME", "qwen2.5:0.5b"]
        failed = ended("ollama", "pull", "nothing", **settings)
        assert (failed[0], failed[2].splitlines()[-1]) == (
            1,
            "Error: pull model manifest: file does not exist",
        )
        assert ended("ollama", "rm", "qwen2.5:0.5b", **settings)[:2] == (0, "deleted 'qwen2.5:0.5b'\n")
        taken = f"Error: listen tcp 127.0.0.1:{port}: bind: address already in use\n"
        assert ended("ollama", "serve", **settings)[::2] == (1, taken)
    assert ended("ollama", "start")[::2] == (1, 'Error: unknown command "start" for "ollama"\n')
