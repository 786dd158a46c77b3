"""The scripts that start services and wait for them, on a machine that answers as a test wants."""

import subprocess
from pathlib import Path

import pytest

from phoenix_hypervisor.kinds.vllm_server import VllmServer
from phoenix_hypervisor.render import Renderer

WORDS = "INFO loading\nValueError: No available memory for the cache blocks."
JOURNAL = f"printf '%s\\n' '{WORDS}' | tail -n \"${{4:-9}}\""


@pytest.fixture
def machine(tmp_path: Path):
    """Run a script of a server on a machine whose tools are these."""
    server = VllmServer.model_validate({"name": "chat", "model": "org/m"})
    texts = {Path(one.path).stem: Renderer().text("vllm_server", one, server) for one in server.artifacts()}

    def run(script: str, *arguments: str, **tools: str) -> subprocess.CompletedProcess[str]:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        for tool, answer in {"journalctl": JOURNAL, "sleep": ":", **tools}.items():
            (folder / tool).write_text(f"#!/bin/sh\n{answer}\n")
            (folder / tool).chmod(0o755)
        (tmp_path / "script.sh").write_text(texts[script])
        return subprocess.run(
            ["/bin/sh", str(tmp_path / "script.sh"), *arguments],
            env={"PATH": f"{folder}:/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def ready(machine, seconds: str, **tools: str):
    return machine("ready", "x.service", "http://127.0.0.1:1/health", seconds, **tools)


def state(active: str, sub: str) -> str:
    return f"printf 'ActiveState={active}\\nSubState={sub}\\n'"


def test_a_server_that_answers_is_ready(machine) -> None:
    ended = ready(machine, "5", curl="printf 200", systemctl=state("active", "running"))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith("x.service is ready after ")


@pytest.mark.parametrize("died", [("failed", "failed"), ("activating", "auto-restart"), ("inactive", "dead")])
def test_a_server_that_dies_while_it_is_waited_for_is_told_with_its_last_words(machine, died) -> None:
    ended = ready(machine, "600", curl="printf 000; exit 7", systemctl=state(*died))
    assert ended.returncode == 1
    assert ended.stderr == f"x.service was started and died; the last lines of its journal:\n{WORDS}\n"


def test_a_server_that_loads_for_too_long_is_told(machine) -> None:
    ended = ready(machine, "0", curl="printf 503", systemctl=state("active", "running"))
    assert ended.returncode == 1
    assert "x.service runs and http://127.0.0.1:1/health does not answer after 0 s" in ended.stderr


def test_a_server_that_loads_says_how_far_it_is(machine, tmp_path: Path) -> None:
    """The clock goes ten seconds at each look; the fourth answer is that it is ready."""
    clock, asked = tmp_path / "clock", tmp_path / "asked"
    count = 'n=$(cat "{0}" 2>/dev/null || echo 0); echo $((n + {1})) >"{0}"'
    curl = count.format(asked, 1) + '; if [ "$n" -ge 3 ]; then printf 200; else printf 503; fi'
    date = count.format(clock, 10) + '; echo "$n"'
    ended = ready(machine, "600", curl=curl, date=date, systemctl=state("active", "running"))
    assert ended.returncode == 0
    *told, last = ended.stdout.splitlines()  # a carriage return each; read as text, it is a line
    assert told[0] == "10 of 600 s: ValueError: No available memory for the cache blocks."
    assert len(told) == 3
    assert last.startswith("x.service is ready after ")


def test_a_unit_that_does_not_start_is_told_with_its_last_words(machine, tmp_path: Path) -> None:
    waiting = tmp_path / "waiting"
    waiting.touch()
    fails = "case $1 in restart) exit 1 ;; esac"
    ended = machine("start", "restart", "x.service", str(waiting), "0", "", systemctl=fails)
    assert ended.returncode == 1
    assert ended.stderr == f"x.service does not start; the last lines of its journal:\n{WORDS}\n"
    assert waiting.exists()  # it is still to be told


def test_what_was_told_is_not_told_again(machine, tmp_path: Path) -> None:
    waiting, said = tmp_path / "waiting", tmp_path / "said"
    waiting.touch()
    ended = machine(
        "start", "reload", "x.service", str(waiting), "0", "enable", systemctl=f'echo "$*" >>{said}'
    )
    assert (ended.returncode, waiting.exists()) == (0, False)
    assert said.read_text().splitlines() == ["enable x.service", "reset-failed x.service", "reload x.service"]
