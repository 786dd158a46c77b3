"""vLLM's command line: which options its API server knows, and how a value of each is written.

From `vllm/engine/arg_utils.py` and `vllm/entrypoints/openai/cli_args.py` of vLLM 0.10.2: 0.11 and later know
all but those marked there as deprecated.
"""

import json
import re
from collections.abc import Iterable, Mapping

Plain = str | int | float | bool
Value = Plain | tuple[Plain, ...] | dict[str, object]

MODULE = "vllm.entrypoints.openai.api_server"
"""What `python -m` runs."""
DTYPES = ("auto", "half", "float16", "bfloat16", "float", "float32")
QUANTIZATIONS = (
    "aqlm", "auto-round", "awq", "awq_marlin", "bitblas", "bitsandbytes", "compressed-tensors", "deepspeedfp",
    "experts_int8", "fbgemm_fp8", "fp8", "gguf", "gptq", "gptq_bitblas", "gptq_marlin", "gptq_marlin_24",
    "hqq", "inc", "ipex", "modelopt", "modelopt_fp4", "moe_wna16", "mxfp4", "petit_nvfp4", "ptpc_fp8", "rtn",
    "torchao", "tpu_int8",
)  # fmt: skip
ELSEWHERE = {
    "model": "model",
    "revision": "revision",
    "served-model-name": "served_name",
    "host": "address",
    "port": "port",
    "dtype": "dtype",
    "quantization": "quantization",
    "max-model-len": "max_model_len",
    "gpu-memory-utilization": "gpu_memory_fraction",
    "tensor-parallel-size": "tensor_parallel",
    "runner": "task",
    "task": "task",
    "download-dir": "models",
    "hf-token": "token",
}
"""Options that have a field of their own."""
SECRET = ("api-key", "ssl-keyfile-password")
"""Options that would show a secret to everybody who lists processes."""
SWITCHES = frozenset(
    """
    allow-credentials async-scheduling calculate-kv-scales data-parallel-hybrid-lb disable-cascade-attn
    disable-chunked-mm-input disable-custom-all-reduce disable-fastapi-docs
    disable-frontend-multiprocessing disable-hybrid-kv-cache-manager disable-log-requests
    disable-sliding-window disable-uvicorn-access-log enable-auto-tool-choice enable-chunked-prefill
    enable-eplb enable-expert-parallel enable-force-include-usage enable-log-outputs enable-log-requests
    enable-lora enable-lora-bias enable-prefix-caching enable-prompt-embeds enable-prompt-tokens-details
    enable-request-id-headers enable-server-load-tracking enable-sleep-mode enable-ssl-refresh
    enable-tokenizer-info-endpoint enforce-eager exclude-tools-when-tool-choice-none fully-sharded-loras
    interleave-mm-strings kv-sharing-fast-prefill ray-workers-use-nsight return-tokens-as-token-ids
    skip-tokenizer-init trust-remote-code use-tqdm-on-load
    """.split()  # noqa: SIM905  (a hundred quotes)
)
"""Each of them is on as `--x` and off as `--no-x`."""
FLAGS = frozenset({"disable-async-output-proc", "disable-log-stats"})
"""These are on as `--x`, and there is no other way to say that they are off than to leave them out."""
NUMBERS = frozenset(
    """
    api-server-count block-size data-parallel-size h11-max-header-count h11-max-incomplete-event-size
    long-prefill-token-threshold lora-extra-vocab-size max-cpu-loras max-log-len max-logprobs
    max-long-partial-prefills max-lora-rank max-loras max-num-batched-tokens max-num-partial-prefills
    max-num-seqs max-parallel-loading-workers max-seq-len-to-capture mm-processor-cache-gb
    num-gpu-blocks-override num-lookahead-slots num-redundant-experts pipeline-parallel-size seed
    ssl-cert-reqs
    """.split()  # noqa: SIM905
)
FRACTIONS = frozenset({"cpu-offload-gb", "rope-theta", "swap-space"})
CHOICES: Mapping[str, tuple[str, ...]] = {
    "chat-template-content-format": ("auto", "string", "openai"),
    "config-format": ("auto", "hf", "mistral"),
    "convert": ("auto", "none", "embed", "classify", "reward"),
    "distributed-executor-backend": ("ray", "mp", "uni", "external_launcher"),
    "kv-cache-dtype": ("auto", "bfloat16", "fp8", "fp8_e4m3", "fp8_e5m2", "fp8_inc"),
    "logprobs-mode": ("raw_logits", "raw_logprobs", "processed_logits", "processed_logprobs"),
    "lora-dtype": ("auto", "float16", "bfloat16"),
    "model-impl": ("auto", "vllm", "transformers", "terratorch"),
    "prefix-caching-hash-algo": ("builtin", "sha256", "sha256_cbor_64bit"),
    "scheduling-policy": ("fcfs", "priority"),
    "tokenizer-mode": ("auto", "slow", "mistral", "custom"),
    "uvicorn-log-level": ("critical", "debug", "error", "info", "trace", "warning"),
}
TEXTS = frozenset(
    """
    allowed-local-media-path chat-template code-revision collect-detailed-traces generation-config
    guided-decoding-backend hf-config-path load-format log-config-file logits-processor-pattern
    otlp-traces-endpoint pt-load-map-location reasoning-parser response-role root-path
    show-hidden-metrics-for-version ssl-ca-certs ssl-certfile ssl-keyfile tokenizer tokenizer-revision
    tool-call-parser tool-parser-plugin tool-server worker-cls worker-extension-cls
    """.split()  # noqa: SIM905
)
LISTS = frozenset({"cuda-graph-sizes", "ignore-patterns", "logits-processors", "lora-modules", "middleware"})
OBJECTS = frozenset(
    """
    additional-config compilation-config default-mm-loras hf-overrides kv-events-config
    kv-transfer-config limit-mm-per-prompt media-io-kwargs mm-processor-kwargs model-loader-extra-config
    override-generation-config override-pooler-config rope-scaling speculative-config
    """.split()  # noqa: SIM905
)
KNOWN = SWITCHES | FLAGS | NUMBERS | FRACTIONS | CHOICES.keys() | TEXTS | LISTS | OBJECTS


def wrong(name: str, value: Value) -> str:
    """Return what is wrong with an option, in words; empty when nothing is."""
    if name in ELSEWHERE:
        return f"`{name}` has a field of its own: `{ELSEWHERE[name]}`"
    if name in SECRET:
        return f"`{name}` would be shown to everybody who lists processes"
    if name not in KNOWN:
        near = _nearest(name)
        return f"vLLM knows no option `{name}`" + (f": did you mean `{near}`?" if near else "")
    if name in CHOICES:
        return "" if value in CHOICES[name] else f"`{name}` is one of {', '.join(CHOICES[name])}"
    expected, right = _expected(name, value)
    return "" if right else f"`{name}` takes {expected}"


def _nearest(name: str) -> str:
    """Return the option that has most words of a name in common; empty if that is not more than half."""
    parts = name.replace("_", "-").split("-")

    def alike(known: str) -> tuple[int, int]:
        same = [one == other for one, other in zip(known, name, strict=False)]
        return len({*parts} & {*known.split("-")}), [*same, False].index(False)

    near = max(sorted(KNOWN), key=alike)
    return near if alike(near)[0] * 2 > len(parts) else ""


def _expected(name: str, value: Value) -> tuple[str, bool]:
    """Return what an option takes, in words, and whether this is such a value."""
    truth = isinstance(value, bool)
    if name in SWITCHES | FLAGS:
        return "`true` or `false`", truth
    if name in NUMBERS:
        return "a whole number", isinstance(value, int) and not truth
    if name in FRACTIONS:
        return "a number", isinstance(value, int | float) and not truth
    if name in LISTS:
        return "a list", isinstance(value, tuple)
    if name in OBJECTS:
        return "a mapping", isinstance(value, dict)
    return "a text", isinstance(value, str)


def words(arguments: Mapping[str, Value]) -> list[str]:
    """Return the words of a command line for these options, in their order."""
    return [word for name, value in arguments.items() for word in _words(name, value)]


def _words(name: str, value: Value) -> Iterable[str]:
    if isinstance(value, bool):
        if value:
            yield f"--{name}"
        elif name not in FLAGS:
            yield f"--no-{name}"
        return
    yield f"--{name}"
    if isinstance(value, dict):
        yield json.dumps(value, separators=(",", ":"))
    elif isinstance(value, tuple):
        yield from map(str, value)
    else:
        yield str(value)


def weights(model: str, quantization: str | None) -> int | None:
    """Return about how many bytes a model's weights take, by its name (`…-7B-…-AWQ`); None: it does not say.

    Four-bit models have some parts in sixteen: measured on published ones, about 0.7 bytes a parameter.
    """
    name = model.rpartition("/")[2]
    found = re.search(r"(?<![A-Za-z0-9.])(\d+(?:\.\d+)?)([bm])(?![A-Za-z])", name, re.IGNORECASE)
    if found is None:
        return None
    count = float(found[1]) * (1e9 if found[2] in "bB" else 1e6)
    word = f"{name} {quantization or ''}".lower()
    if any(sign in word for sign in ("awq", "gptq", "int4", "4bit", "nvfp4", "mxfp4")):
        return int(count * 0.7)
    return int(count * (1.0 if any(sign in word for sign in ("fp8", "int8", "8bit")) else 2.0))
