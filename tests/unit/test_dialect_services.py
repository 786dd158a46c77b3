"""What units, vLLM, Ollama and OpenAI's API say and understand."""

import json

import pytest

from phoenix_hypervisor.dialects import ollama, openai, systemd, vllm
from phoenix_hypervisor.kinds.systemd_unit import SystemdUnit
from phoenix_hypervisor.kinds.vllm_server import VllmServer
from phoenix_hypervisor.units import UnitFile

UNIT = {
    "Unit": {"Description": "A thing", "After": ("a.service", "b.service")},
    "Service": {"ExecStart": "/usr/bin/thing", "RemainAfterExit": True, "TimeoutStopSec": 5},
}
TEXT = """\
[Unit]
Description=A thing
After=a.service
After=b.service

[Service]
ExecStart=/usr/bin/thing
RemainAfterExit=yes
TimeoutStopSec=5
"""
SETTINGS = {
    "Unit.Description": ("A thing",),
    "Unit.After": ("a.service", "b.service"),
    "Service.ExecStart": ("/usr/bin/thing",),
    "Service.RemainAfterExit": ("yes",),
    "Service.TimeoutStopSec": ("5",),
}


def test_a_unit_is_written_from_its_sections_and_read_back() -> None:
    assert systemd.text(UNIT) == TEXT
    assert systemd.parse(TEXT) == SETTINGS


def test_units_are_compared_in_meaning() -> None:
    otherwise = "# a comment\n[Service]\nExecStart = /usr/bin/thing\nTimeoutStopSec=5\n; another\n"
    otherwise += "RemainAfterExit=yes\n[Unit]\nAfter=a.service\nDescription=A \\\nthing\nAfter=b.service\n"
    assert systemd.parse(otherwise.replace("A \\\nthing", "A thing")) == SETTINGS
    assert systemd.parse(otherwise)["Unit.Description"] == ("A  thing",)


@pytest.mark.parametrize("line", ["Description", "Description A thing", "After=a.service"])
def test_a_line_that_is_no_setting_never_passes_for_nothing(line: str) -> None:
    section = "" if "=" in line else "[Unit]\n"
    assert () in systemd.parse(section + line + "\n").values()


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["/bin/a", "b"], "/bin/a b"),
        (["a", "two words"], 'a "two words"'),
        (["a", ""], 'a ""'),
        (["a", "100%"], "a 100%%"),
        (["a", "$HOME"], "a $$HOME"),
        (["a", '{"k":"v"}'], 'a "{\\"k\\":\\"v\\"}"'),
        (["a", "back\\slash"], 'a "back\\\\slash"'),
        (["a", ";"], 'a ";"'),
    ],
)
def test_a_command_line_means_the_same_to_systemd(words: list[str], line: str) -> None:
    assert systemd.command_line(words) == line


def test_the_loaded_command_is_found_in_what_systemctl_prints() -> None:
    shown = '{ path=/bin/a ; argv[]=/bin/a {"x":1} ; y ; ignore_errors=no ; start_time=[n/a] ; pid=0 }'
    assert systemd.shown_command(shown) == '/bin/a {"x":1} ; y'
    assert systemd.loaded_command(["/bin/a", '{"x":1}', ";", "y"]) == '/bin/a {"x":1} ; y'
    assert systemd.shown_command("") == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "needs one of `sections` and `content`"),
        ({"content": "x", "sections": {}}, "needs one of `sections` and `content`"),
        ({"sections": {"Timer": {"OnCalendar": "daily"}}}, "[Timer] does not belong into x.service"),
        ({"content": "[Service]\nExecStart\n"}, "`ExecStart` is no setting"),
        ({"sections": {"Service": {"ExecStart": "/a"}}, "enabled": True}, "needs an [Install] section"),
        (
            {"sections": {"Service": {"Type": "oneshot", "ExecStart": "/a"}}, "active": True},
            "a oneshot without RemainAfterExit is never active",
        ),
    ],
)
def test_a_unit_that_makes_no_sense_is_refused(settings: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match="1 validation error") as refused:
        SystemdUnit.model_validate({"name": "x.service", **settings})
    assert said in str(refused.value)


def test_what_is_installed_is_enabled_and_runs_and_a_template_never() -> None:
    install = {"Service": {"ExecStart": "/a"}, "Install": {"WantedBy": "multi-user.target"}}
    plain = SystemdUnit.model_validate({"name": "x.service", "sections": install})
    template = SystemdUnit.model_validate({"name": "x@.service", "sections": install})
    drop_in = SystemdUnit.model_validate({"name": "x.service", "sections": install, "drop_in": True})
    assert [(one.starts, one.running) for one in (plain, template, drop_in)] == [
        (True, True),
        (None, None),
        (None, None),
    ]
    assert drop_in.unit.path == "/etc/systemd/system/x.service.d/zz-phoenix.conf"


def test_a_unit_of_somebody_else_that_says_the_same_is_not_in_the_way() -> None:
    unit = UnitFile("systemd_unit", "x.service", "x.service", TEXT)
    from phoenix_hypervisor.units import Found

    there = Found("file", False, False, SETTINGS, True)
    assert unit.foreign(there) == ""
    assert (
        unit.foreign(there._replace(settings={})) == "/etc/systemd/system/x.service is somebody else's unit"
    )
    assert unit.foreign(there._replace(settings={}, noted=True)) == ""
    assert unit.foreign(there._replace(sort="other")) == "/etc/systemd/system/x.service is not a file"


# vLLM


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("max-num-seqs", 1, ""),
        ("max-num-seqs", "1", "`max-num-seqs` takes a whole number"),
        ("max-num-seqs", True, "`max-num-seqs` takes a whole number"),
        ("trust-remote-code", True, ""),
        ("trust-remote-code", "yes", "`trust-remote-code` takes `true` or `false`"),
        (
            "kv-cache-dtype",
            "fp9",
            "`kv-cache-dtype` is one of auto, bfloat16, fp8, fp8_e4m3, fp8_e5m2, fp8_inc",
        ),
        ("hf-overrides", {"a": 1}, ""),
        ("port", 8000, "`port` has a field of its own: `port`"),
        ("served-model-name", "x", "`served-model-name` has a field of its own: `served_name`"),
        ("api-key", "x", "`api-key` would be shown to everybody who lists processes"),
        ("max-num-sequences", 1, "vLLM knows no option `max-num-sequences`: did you mean `max-num-seqs`?"),
        ("nonsense", 1, "vLLM knows no option `nonsense`"),
    ],
)
def test_arguments_are_held_against_what_vllm_knows(name: str, value: vllm.Value, said: str) -> None:
    assert vllm.wrong(name, value) == said


def test_arguments_become_the_words_of_a_command_line() -> None:
    arguments: dict[str, vllm.Value] = {
        "trust-remote-code": True,
        "enable-prefix-caching": False,
        "disable-log-stats": False,
        "swap-space": 2.5,
        "lora-modules": ("a=/x", "b=/y"),
        "hf-overrides": {"k": [1]},
    }
    assert vllm.words(arguments) == [
        *("--trust-remote-code", "--no-enable-prefix-caching", "--swap-space", "2.5"),
        *("--lora-modules", "a=/x", "b=/y", "--hf-overrides", '{"k":[1]}'),
    ]


@pytest.mark.parametrize(
    ("model", "quantization", "size"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", None, 14e9),
        ("Qwen/Qwen2.5-7B-Instruct-AWQ", "awq_marlin", 4.9e9),
        ("Qwen/Qwen3-4B-Thinking-2507-FP8", None, 4e9),
        ("facebook/opt-125m", None, 0.25e9),
        ("ibm-granite/granite-embedding-english-r2", None, None),
        ("/models/mine", None, None),
    ],
)
def test_a_models_name_says_how_large_it_is(model: str, quantization: str | None, size: float | None) -> None:
    assert vllm.weights(model, quantization) == size


def test_the_token_is_in_a_file_and_on_no_command_line() -> None:
    from phoenix_hypervisor.secrets import Secret

    server = VllmServer.model_validate({"name": "chat", "model": "a/b", "token": Secret("hf/token")})
    assert "token" not in " ".join(server.argv)
    assert "hf/token" not in server.unit.text
    assert "EnvironmentFile=/etc/phoenix/vllm-chat.environment" in server.unit.text
    assert [one.mode for one in server.artifacts() if one.path == server.secret_file] == [0o600]


# Ollama


@pytest.mark.parametrize(
    ("written", "name", "manifest"),
    [
        ("llama3.2:1b", "llama3.2:1b", "registry.ollama.ai/library/llama3.2/1b"),
        ("llama3.2", "llama3.2:latest", "registry.ollama.ai/library/llama3.2/latest"),
        ("me/mine:q4", "me/mine:q4", "registry.ollama.ai/me/mine/q4"),
        ("hf.co/org/m:Q4_0", "hf.co/org/m:Q4_0", "hf.co/org/m/Q4_0"),
        ("a.b:5000/org/m", "a.b:5000/org/m:latest", "a.b:5000/org/m/latest"),
    ],
)
def test_a_models_manifest_is_where_ollama_has_it(written: str, name: str, manifest: str) -> None:
    assert ollama.model(written) == (name, "")
    assert ollama.model(f"{written}@0123abcd") == (name, "0123abcd")
    assert ollama.model(written).manifest == manifest


PARTS = {"config": {"digest": "sha256:c", "size": 2}, "layers": [{"digest": "sha256:l", "size": 9}]}


@pytest.mark.parametrize(
    ("manifest", "blobs", "missing"),
    [
        (json.dumps(PARTS), {"sha256-c": 2, "sha256-l": 9}, ""),
        (json.dumps(PARTS), {"sha256-c": 2, "sha256-l": 8}, "1 of its 2 parts"),
        (json.dumps(PARTS), {"sha256-c": 2, "sha256-l-partial": 9}, "1 of its 2 parts"),
        (json.dumps(PARTS), {}, "2 of its 2 parts"),
        ("{", {}, "its manifest is no manifest"),
        ("[]", {}, "its manifest is no manifest"),
    ],
)
def test_a_model_pulled_in_part_is_not_taken_for_whole(
    manifest: str, blobs: dict[str, int], missing: str
) -> None:
    assert ollama.whole(manifest, blobs) == missing


# OpenAI's API


def test_a_stream_tells_its_text_and_its_end() -> None:
    def event(text: str) -> str:
        return f'data: {{"choices":[{{"delta":{{"content":{json.dumps(text)}}}}}]}}\n\n'

    whole = event("Hel") + event("lo") + 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
    assert openai.streamed(whole + "data: [DONE]\n\n") == ("Hello", 2, True)
    assert openai.streamed(whole) == ("Hello", 2, False)
    assert openai.streamed('{"error": {"message": "no such model"}}') == ("", 0, False)
    assert openai.streamed("data: {\n\ndata: []\n") == ("", 0, False)


def test_answers_that_are_none_give_nothing() -> None:
    assert openai.models('{"data":[{"id":"a"},{"id":"b"}]}') == ["a", "b"]
    assert openai.embedding_length('{"data":[{"embedding":[0.1,0.2]}]}') == 2
    for answer in ("", "<html>", "[]", '{"data":5}', '{"data":[1]}', '{"data":[{"embedding":"x"}]}'):
        assert (openai.embedding_length(answer), [m for m in openai.models(answer) if m]) == (0, [])
