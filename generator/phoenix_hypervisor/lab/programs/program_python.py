"""python of an environment in a guest: vLLM's server is the lab's; all else is the machine's own Python."""

import os
import sys
from typing import NoReturn

SERVER = "vllm.entrypoints.openai.api_server"


def main(argv: list[str]) -> int:
    plain = [word for word in argv if word not in ("-u", "-I", "-s", "-E", "-B")]
    if plain[:2] != ["-m", SERVER]:
        _real(argv)
    import program_vllm

    return program_vllm.api_server(plain[2:])


def _real(argv: list[str]) -> NoReturn:
    os.execv(sys.executable, [sys.executable, *argv])  # noqa: S606 - this process becomes the real one
