"""The command line of vLLM's server: which flags there are, what they take, and how it refuses others.

Names and messages are those of vLLM 0.8 to 0.11; what is between versions is taken as well. The flags that
change nothing here are taken and forgotten.
"""

import sys
from typing import Any, NoReturn

VERSION = "0.11.0"

_WITH_VALUE = """\
additional-config all2all-backend allowed-headers allowed-local-media-path allowed-media-domains
allowed-methods allowed-origins api-key api-server-count async-scheduling-depth attention-backend block-size
chat-template chat-template-content-format code-revision collect-detailed-traces compilation-config config
config-format convert cpu-offload-gb cuda-graph-sizes data-parallel-address data-parallel-backend
data-parallel-rank data-parallel-rpc-port data-parallel-size data-parallel-size-local
data-parallel-start-rank decode-context-parallel-size device disable-cascade-attn-layers
distributed-executor-backend download-dir dtype eplb-config generation-config gpu-memory-utilization
guided-decoding-backend h11-max-header-count h11-max-incomplete-event-size hf-config-path hf-overrides
hf-token host ignore-patterns interleave-mm-strings-level io-processor-plugin kv-cache-dtype
kv-cache-memory-bytes kv-events-config kv-transfer-config limit-mm-per-prompt load-format
logits-processor-pattern logits-processors long-prefill-token-threshold lora-dtype lora-extra-vocab-size
lora-modules mamba-cache-dtype mamba-ssm-cache-dtype max-cpu-loras max-log-len max-logprobs
max-long-partial-prefills max-lora-rank max-loras max-model-len max-num-batched-tokens
max-num-partial-prefills max-num-seqs max-parallel-loading-workers max-seq-len-to-capture media-io-kwargs
middleware mm-encoder-tp-mode mm-processor-cache-gb mm-processor-cache-type mm-processor-kwargs model
model-impl model-loader-extra-config node-rank num-gpu-blocks-override num-lookahead-slots
num-redundant-experts numa-bind-nodes otlp-traces-endpoint override-attention-dtype
override-generation-config override-neuron-config override-pooler-config pipeline-parallel-size
pooler-config port preemption-mode prefix-caching-hash-algo pt-load-map-location quantization
reasoning-parser response-role revision root-path rope-scaling rope-theta runner safetensors-load-strategy
scheduler-cls scheduling-policy seed served-model-name show-hidden-metrics-for-version speculative-config
ssl-ca-certs ssl-cert-reqs ssl-certfile ssl-keyfile structured-outputs-config swap-space task
tensor-parallel-size tokenizer tokenizer-mode tokenizer-revision tool-call-parser tool-parser-plugin
tool-server uds uvicorn-log-level worker-cls worker-extension-cls
"""
_WITHOUT = """\
allow-credentials async-scheduling calculate-kv-scales data-parallel-external-lb data-parallel-hybrid-lb
disable-async-output-proc disable-cascade-attn disable-chunked-mm-input disable-custom-all-reduce
disable-fastapi-docs disable-frontend-multiprocessing disable-hybrid-kv-cache-manager disable-log-requests
disable-log-stats disable-mm-preprocessor-cache disable-sliding-window disable-uvicorn-access-log
enable-auto-tool-choice enable-chunked-prefill enable-eplb enable-expert-parallel enable-force-include-usage
enable-log-outputs enable-log-requests enable-lora enable-lora-bias enable-mm-embeds
enable-multimodal-encoder-data-parallel enable-prefix-caching enable-prompt-embeds
enable-prompt-tokens-details enable-reasoning enable-request-id-headers enable-server-load-tracking
enable-sleep-mode enable-ssl-refresh enable-tokenizer-info-endpoint enforce-eager
exclude-tools-when-tool-choice-none fully-sharded-loras headless interleave-mm-strings
kv-sharing-fast-prefill log-config-file log-error-stack multi-step-stream-outputs ray-workers-use-nsight
return-tokens-as-token-ids skip-mm-profiling skip-tokenizer-init trust-remote-code
trust-request-chat-template use-tqdm-on-load use-v2-block-manager
"""
WITH_VALUE, WITHOUT = frozenset(_WITH_VALUE.split()), frozenset(_WITHOUT.split())
SHORT = {
    "-q": "quantization", "-tp": "tensor-parallel-size", "-pp": "pipeline-parallel-size",
    "-dp": "data-parallel-size", "-asc": "api-server-count", "-O": "compilation-config",
    "-dcp": "decode-context-parallel-size", "-n": "nnodes",
}  # fmt: skip
SEVERAL = frozenset(("served-model-name", "api-key", "lora-modules", "middleware", "ignore-patterns"))
"""Flags that take all words up to the next flag."""
NUMBERS: dict[str, type] = {
    "port": int, "tensor-parallel-size": int, "pipeline-parallel-size": int, "data-parallel-size": int,
    "max-num-seqs": int, "seed": int, "block-size": int, "gpu-memory-utilization": float, "swap-space": float,
    "cpu-offload-gb": float, "max-logprobs": int, "api-server-count": int,
}  # fmt: skip
HUMAN = frozenset(("max-model-len", "max-num-batched-tokens"))
"""Numbers that may be written 32k or 32K: a thousand, or 1024."""
CHOICES = {
    "dtype": ("auto", "bfloat16", "float", "float16", "float32", "half"),
    "kv-cache-dtype": (
        "auto", "bfloat16", "fp8", "fp8_ds_mla", "fp8_e4m3", "fp8_e5m2", "fp8_inc", "nvfp4",
    ),
    "task": (
        "auto", "classify", "draft", "embed", "embedding", "generate", "reward", "score", "transcription",
    ),
    "runner": ("auto", "draft", "generate", "pooling"),
    "convert": ("auto", "classify", "embed", "none", "reward"),
    "tokenizer-mode": ("auto", "custom", "mistral", "slow"),
    "quantization": (
        "auto-round", "awq", "awq_marlin", "bitblas", "bitsandbytes", "compressed-tensors", "deepspeedfp",
        "experts_int8", "fp8", "fbgemm_fp8", "gguf", "gptq", "gptq_bitblas", "gptq_marlin", "gptq_marlin_24",
        "hqq", "inc", "ipex", "modelopt", "modelopt_fp4", "moe_wna16", "mxfp4", "neuron_quant", "petit_nvfp4",
        "ptpc_fp8", "quark", "rtn", "torchao", "tpu_int8",
    ),
    "uvicorn-log-level": ("critical", "debug", "error", "info", "trace", "warning"),
}  # fmt: skip

Arguments = dict[str, Any]


def parse(words: list[str], program: str, *, positional: bool) -> Arguments:
    """Return flag → value, with `model`; ends the process as argparse does."""
    found: Arguments = {}
    rest, unknown = list(words), []
    while rest:
        word = rest.pop(0)
        if not word.startswith("-") or word == "-":
            if positional and "model_tag" not in found:
                found["model_tag"] = word
            else:
                unknown.append(word)
            continue
        flag, equals, value = word.partition("=")
        name = SHORT.get(flag, flag.removeprefix("--").replace("_", "-") if flag.startswith("--") else "")
        base = name.partition(".")[0]  # --compilation-config.level 3
        if flag in ("-h", "--help"):
            print(f"usage: {program} [-h] [options]")
            raise SystemExit(0)
        if name.removeprefix("no-") in WITHOUT and not equals:
            found[name.removeprefix("no-")] = not name.startswith("no-")
        elif base in WITH_VALUE:
            given = [value] if equals else _values(rest, base, program)
            found[name] = _typed(name, given[0], program) if len(given) == 1 else given
            if base in SEVERAL:
                found[name] = given
        else:
            unknown.append(word)
            while rest and not rest[0].startswith("-"):
                unknown.append(rest.pop(0))
    if unknown:
        refuse(program, f"unrecognized arguments: {' '.join(unknown)}")
    found["model"] = found.get("model_tag") or found.get("model") or "Qwen/Qwen3-0.6B"
    return found


def _values(rest: list[str], name: str, program: str) -> list[str]:
    given: list[str] = []
    while rest and (not rest[0].startswith("-") or rest[0][1:].replace(".", "").isdecimal()):
        given.append(rest.pop(0))
        if name not in SEVERAL:
            return given
    if not given:
        few = "at least one argument" if name in SEVERAL else "one argument"
        refuse(program, f"argument --{name}: expected {few}")
    return given


def _typed(name: str, value: str, program: str) -> Any:
    choices = CHOICES.get(name)
    if choices and value not in choices:
        listed = ", ".join(repr(choice) for choice in choices)
        refuse(program, f"argument --{name}: invalid choice: {value!r} (choose from {listed})")
    try:
        if name in HUMAN:
            factor = {"k": 1000, "m": 10**6, "K": 1 << 10, "M": 1 << 20}.get(value[-1:], 1)
            return int(float(value.rstrip("kKmM")) * factor)
        return NUMBERS[name](value) if name in NUMBERS else value
    except ValueError:
        refuse(program, f"argument --{name}: invalid {NUMBERS.get(name, int).__name__} value: {value!r}")


def refuse(program: str, text: str) -> NoReturn:
    """End as argparse does for a command line that is wrong."""
    print(
        f"usage: {program} [-h] [options]\n{program.split(' ', maxsplit=1)[0]}: error: {text}",
        file=sys.stderr,
    )
    raise SystemExit(2)
