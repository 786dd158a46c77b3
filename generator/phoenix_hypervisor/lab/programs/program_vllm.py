"""vllm: `vllm serve MODEL …` and `python -m vllm.entrypoints.openai.api_server …`, on real sockets.

It takes and refuses what vLLM takes and refuses, takes its share of a card's memory, and answers the paths of
an OpenAI server for the one model it has loaded. What it says is made up; how long it is, is not.
"""

import os
import sys
import time
from typing import Any

import cards
import hub
import vllm_api
import vllm_flags
import web
from vllm_flags import VERSION, Arguments

OVERHEAD = 512 << 20
"""Bytes that a model needs beside its weights before there is room for a cache."""
VERBS = ("chat", "complete", "serve", "bench", "collect-env", "run-batch")


class StartError(Exception):
    """Why the server does not start: the last line of the traceback."""


def main(argv: list[str]) -> int:
    if argv in (["-v"], ["--version"]):
        print(VERSION)
        return 0
    if not argv or argv[0] in ("-h", "--help"):
        print(f"usage: vllm [-h] [-v] {{{','.join(VERBS)}}} ...")
        return 0
    if argv[0] not in VERBS:
        listed = ", ".join(repr(verb) for verb in VERBS)
        vllm_flags.refuse("vllm", f"argument subparser: invalid choice: {argv[0]!r} (choose from {listed})")
    if argv[0] != "serve":
        print(f"vllm: not simulated: {' '.join(argv)}", file=sys.stderr)
        return 70
    return serve(vllm_flags.parse(argv[1:], "vllm serve", positional=True))


def api_server(argv: list[str]) -> int:
    """`python -m vllm.entrypoints.openai.api_server`."""
    return serve(vllm_flags.parse(argv, "api_server.py", positional=False))


def serve(arguments: Arguments) -> int:
    """Load the model and answer for ever; the exit status if it comes to nothing."""
    host, port = str(arguments.get("host") or "0.0.0.0"), int(arguments.get("port", 8000))  # noqa: S104
    _log(f"vLLM API server version {VERSION}")
    try:
        if "config" in arguments or arguments.get("headless"):
            print("vllm: not simulated: --config, --headless", file=sys.stderr)
            return 70
        taken = web.listen(host, port, later=True)
        model = _model(arguments)
        held = _load(model, arguments)
    except OSError as error:
        return _died(f"OSError: [Errno {error.errno}] {error.strerror}")
    except hub.MissingError as error:
        return _died(f"OSError: {error}")
    except (StartError, cards.CardsError) as error:
        return _died(str(error))
    web.ready()
    _wait()
    service = vllm_api.Service(model, arguments)
    _log(f"Starting vLLM API server 0 on http://{host}:{port}")
    for line in (
        "Started server process",
        "Waiting for application startup.",
        "Application startup complete.",
    ):
        print(f"INFO:     {line}", file=sys.stderr, flush=True)
    try:
        web.serve(taken, service.answer, log=None if "disable-uvicorn-access-log" in arguments else _access)
    except OSError as error:
        return _died(f"OSError: [Errno {error.errno}] {error.strerror}")
    finally:
        del held
    return 0


def _model(arguments: Arguments) -> hub.Model:
    """Return the model, as it is told to be used. Raises StartError, MissingError, OSError."""
    environment = dict(os.environ)
    folder = str(arguments.get("download-dir") or hub.cache(environment))
    model = hub.fetched(str(arguments["model"]), folder, environment)
    wanted = str(arguments.get("quantization", ""))
    if wanted.partition("_")[0] in ("awq", "gptq") and not model.quantized:
        raise StartError(f"ValueError: Cannot find the config file for {wanted.partition('_')[0]}")
    length = int(arguments.get("max-model-len", -1))
    if length > model.length:
        raise StartError(
            f"ValueError: User-specified max_model_len ({length}) is greater than the derived max_model_len "
            f"(max_position_embeddings={model.length} or model_max_length=None in model's config.json). To "
            "allow overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1. "
        )
    embeds = model.embeds or arguments.get("task") in ("embed", "embedding") or _pools(arguments)
    if model.embeds and (arguments.get("runner") == "generate" or arguments.get("task") == "generate"):
        raise StartError("ValueError: This model does not support `--runner generate`.")
    return model._replace(embeds=embeds, length=length if length > 0 else model.length)


def _pools(arguments: Arguments) -> bool:
    return arguments.get("runner") == "pooling" or arguments.get("convert") == "embed"


def _load(model: hub.Model, arguments: Arguments) -> Any:
    """Take the share of each card. Raises StartError, CardsError."""
    count = int(arguments.get("tensor-parallel-size", 1)) * int(arguments.get("pipeline-parallel-size", 1))
    share = float(arguments.get("gpu-memory-utilization", 0.9))
    if not 0 < share <= 1:
        raise StartError(f"ValueError: GPU memory utilization must be less than 1.0. Got {share}.")
    there = cards.visible()
    if not there:
        raise StartError(
            "RuntimeError: Failed to infer device type, please set the environment variable "
            "`VLLM_LOGGING_LEVEL=DEBUG` to turn on verbose logging to help debug the issue."
        )
    if count > len(there):
        raise StartError(
            f"ValueError: World size ({count}) is larger than the number of available GPUs ({len(there)}) in "
            "this node. If this is intentional and you are using:\n- ray, set "
            "'--distributed-executor-backend ray'.\n- multiple nodes, set '--nnodes' appropriately."
        )
    held = [_share(number, share) for number in there[:count]]
    room = sum(card.taken for card in held) - model.weights - OVERHEAD * count
    if model.weights / count > held[0].total:
        raise StartError(
            "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 260.00 MiB. GPU 0 has a total "
            f"capacity of {cards.gib(held[0].total)} GiB of which 122.81 MiB is free."
        )
    if room <= 0 and model.kv:
        raise StartError(
            "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` "
            "when initializing the engine."
        )
    if model.kv * model.length > room and not model.embeds:
        raise StartError(
            f"ValueError: To serve at least one request with the models's max seq len ({model.length}), "
            f"({cards.gib(model.kv * model.length)} GiB KV cache is needed, which is larger than the "
            f"available KV cache memory ({cards.gib(room)} GiB). Based on the available memory, the "
            f"estimated maximum model length is {room // model.kv}. Try increasing `gpu_memory_utilization` "
            "or decreasing `max_model_len` when initializing the engine."
        )
    _log(f"Model loading took {cards.gib(model.weights // count)} GiB and 1.204611 seconds")
    return held


def _share(number: int, share: float) -> cards.Taken:
    total, _ = cards.size(number)
    wanted = int(total * share)
    taken = cards.take(number, wanted)
    if taken.taken < wanted:
        raise StartError(
            f"ValueError: Free memory on device ({cards.gib(taken.free)}/{cards.gib(total)} GiB) on startup "
            f"is less than desired GPU memory utilization ({share}, {cards.gib(wanted)} GiB). Decrease GPU "
            "memory utilization or reduce GPU memory used by other processes."
        )
    return taken


def _wait() -> None:
    """Loading takes as long as somebody has said, counted from when the service was started."""
    seconds = float(os.environ.get("PHOENIX_LAB_LOAD_SECONDS", "0"))
    since = float(os.environ.get("PHOENIX_LAB_SINCE", str(time.time())))
    left = since + seconds - time.time()
    if left > 0:
        time.sleep(left)


def _log(text: str, level: str = "INFO") -> None:
    print(f"{level} {time.strftime('%m-%d %H:%M:%S')} [api_server.py] {text}", file=sys.stderr, flush=True)


def _died(text: str) -> int:
    _log("EngineCore failed to start.", "ERROR")
    print(f"Traceback (most recent call last):\n{text}", file=sys.stderr, flush=True)
    return 1


def _access(request: web.Request, status: int) -> None:
    line = f'{request.client}:0 - "{request.method} {request.target} HTTP/1.1" {status}'
    print(f"INFO:     {line} {web.REASONS.get(status)}", file=sys.stderr, flush=True)
