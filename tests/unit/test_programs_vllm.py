"""The lab's vLLM: its command line, its share of a card, its cache of models, and what it answers."""

import json
import math

import pytest
from tests.ports import free_port
from tests.unit.programs_running import ask, asked_when_it_listens, ended, running

CHAT, EMBED = "Qwen/Qwen2.5-7B-Instruct-AWQ", "ibm-granite/granite-embedding-english-r2"
MODES = "argument --tokenizer-mode: invalid choice: 'fast' (choose from 'auto', 'custom', 'mistral', 'slow')"


def refused(*words, **environment):
    status, _, err = ended("vllm", "serve", *words, "--port", str(free_port()), **environment)
    return status, err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpu-share", "0.5"), "unrecognized arguments: --gpu-share 0.5"),
        (("--port",), "argument --port: expected one argument"),
        (("--max-num-seqs", "few"), "argument --max-num-seqs: invalid int value: 'few'"),
        (("--tokenizer-mode", "fast"), MODES),
    ],
)
def test_a_command_line_is_refused_as_argparse_does(words, said):
    status, _, err = ended("vllm", "serve", CHAT, *words)
    assert (status, err.splitlines()[-1]) == (2, f"vllm: error: {said}")
    status, _, err = ended("python", "-m", "vllm.entrypoints.openai.api_server", "--model", CHAT, *words)
    assert (status, err.splitlines()[-1]) == (2, f"api_server.py: error: {said}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((CHAT, "--gpu-memory-utilization", "0.3"), "ValueError: No available memory for the cache blocks."),
        ((CHAT, "--tensor-parallel-size", "2"), "- multiple nodes, set '--nnodes' appropriately."),
        ((EMBED, "--quantization", "awq_marlin"), "ValueError: Cannot find the config file for awq"),
        (("nobody/nothing",), "permission to this repo either by logging in"),
    ],
)
def test_a_server_that_cannot_work_ends_and_says_why(words, said, tmp_path):
    status, last = refused(*words, HF_HOME=str(tmp_path))
    assert (status, said in last) == (1, True), last


def test_a_model_is_fetched_as_a_whole_and_once(tmp_path):
    hub = tmp_path / "hub/models--facebook--opt-125m"
    assert refused("facebook/opt-125m", HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1")[0] == 1
    assert not hub.exists()
    with running("vllm", "serve", "facebook/opt-125m", "--port", str(free_port()), HF_HOME=str(tmp_path)):
        pass
    (snapshot,) = (hub / "snapshots").iterdir()
    weights = snapshot / "model.safetensors"
    assert (hub / "refs/main").read_text() == snapshot.name
    assert weights.resolve().parent == hub / "blobs"
    assert json.loads((snapshot / "config.json").read_text())["hidden_size"] == 768
    port = free_port()
    with running(
        "vllm", "serve", "facebook/opt-125m", "--port", str(port), HF_HOME=str(tmp_path), HF_HUB_OFFLINE="1"
    ):
        assert asked_when_it_listens(port, "GET", "/health") == (200, "")


def test_chat_completions_and_who_may_ask(tmp_path):
    port = free_port()
    words = ("serve", CHAT, "--served-model-name", "qwen", "--port", str(port), "--max-model-len", "8k")
    with running("vllm", *words, HF_HOME=str(tmp_path), VLLM_API_KEY="of-a-test"):
        assert asked_when_it_listens(port, "GET", "/health") == (200, "")
        key = {"Authorization": "Bearer of-a-test"}
        assert ask(port, "GET", "/v1/models") == (401, {"error": "Unauthorized"})
        status, models = ask(port, "GET", "/v1/models", **key)
        (model,) = models["data"]
        assert (status, model["id"], model["root"], model["max_model_len"]) == (200, "qwen", CHAT, 8000)
        told = {"model": "qwen", "messages": [{"role": "user", "content": "good morning"}]}
        status, answer = ask(port, "POST", "/v1/chat/completions", told, **key)
        said = "This is the lab's qwen. You said: good morning"
        assert (status, answer["choices"][0]["message"]["content"]) == (200, said)
        assert answer["usage"] == {"prompt_tokens": 3, "total_tokens": 12, "completion_tokens": 9}
        status, text = ask(port, "POST", "/v1/chat/completions", {**told, "stream": True}, **key)
        *events, last = [line.removeprefix("data: ") for line in text.splitlines() if line]
        parts = [json.loads(event)["choices"][0] for event in events]
        assert last == "[DONE]"
        assert "".join(part["delta"].get("content", "") for part in parts) == said
        assert [part["finish_reason"] for part in parts[-2:]] == [None, "stop"]
        status, answer = ask(port, "POST", "/v1/completions", {"prompt": "x", "max_tokens": 2}, **key)
        assert (answer["choices"][0]["text"], answer["choices"][0]["finish_reason"]) == ("This is", "length")
        status, answer = ask(port, "POST", "/v1/chat/completions", {**told, "model": "other"}, **key)
        assert (status, answer["error"]["message"]) == (404, "The model `other` does not exist.")
        status, answer = ask(port, "POST", "/v1/embeddings", {"input": "x"}, **key)
        assert (status, answer["error"]["message"]) == (400, "The model does not support Embeddings API")
        status, text = ask(port, "GET", "/metrics")
        assert 'vllm:request_success_total{engine="0",model_name="qwen"} 3.0' in text.splitlines()


def test_embeddings_are_as_long_as_the_models(tmp_path):
    port = free_port()
    words = ("serve", EMBED, "--port", str(port), "--gpu-memory-utilization", "0.1", "--max-model-len", "16")
    with running("vllm", *words, HF_HOME=str(tmp_path)):
        asked_when_it_listens(port, "GET", "/health")
        _, answer = ask(port, "POST", "/v1/embeddings", {"input": ["a b", "a c", "a b"], "model": EMBED})
        one, other, again = [row["embedding"] for row in answer["data"]]
        assert (len(one), one == again, one == other) == (768, True, False)
        assert math.isclose(math.hypot(*one), 1, abs_tol=1e-6)
        status, answer = ask(port, "POST", "/v1/embeddings", {"input": "word " * 20})
        assert (status, "maximum context length is 16 tokens" in answer["error"]["message"]) == (400, True)


def test_an_address_that_is_taken(tmp_path):
    port = str(free_port())
    with running("whoami", WHOAMI_PORT_NUMBER=port):
        _, _, err = ended("vllm", "serve", "facebook/opt-125m", "--port", port, HF_HOME=str(tmp_path))
    assert err.splitlines()[-1] == "OSError: [Errno 98] Address already in use"
