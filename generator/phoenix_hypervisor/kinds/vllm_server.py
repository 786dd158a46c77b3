"""Model servers: vLLM."""

from collections.abc import Iterable, Iterator
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

from ..budgets import GPU, TAKES, Takes
from ..containers.samples import around_a_guest
from ..dialects import systemd, vllm
from ..fields import AbsolutePath, RuleError, Size
from ..firewall.ports import PORT, Port
from ..resource import Artifact, Change, Kind, Offer, Refusal, Samples, Step, Want, run, script
from ..secrets import Secret, Text
from ..services import FETCHES_TO, ON_CARDS, SERVICE, OnCards, Service
from ..units import UnitFile, scripts

END = "\n-- the file ends here --\n"
Plain = StrictBool | StrictInt | StrictFloat | StrictStr
Argument = Plain | tuple[Plain, ...] | dict[str, Any]
PREFIX = "phoenix-vllm-"


class VllmServer(Kind):
    """One vLLM server: a model behind OpenAI's API, in a unit of its own, `phoenix-vllm-<name>.service`.

    vLLM itself is in a Python environment that is made elsewhere. Models are fetched by vLLM, once, to the
    folder `models`, which all guests share; the token for that is in a file that only root can read. Options
    without a field of their own stand in `arguments`, by their names without dashes, and must be ones that
    vLLM knows. The server is restarted when its command line, its token or its unit changed. After a start
    it is waited for, `ready_seconds` at most, for as long as the model is loaded. Its probes ask whether it
    is healthy, whether the model has the declared name, and for a completion, streamed, or an embedding of
    the declared length; a server that is unhealthy is restarted once. What it has fetched is never touched.
    """

    scope: ClassVar[Literal["node", "host", "guest"]] = "host"
    manners: ClassVar[frozenset[str]] = frozenset({"dimension", "weights", "ready_seconds"})

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,40}[a-z0-9])?$")]
    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9/][A-Za-z0-9._/-]*$")]
    """A repository at Hugging Face, or a folder."""
    revision: Annotated[str, Field(pattern=r"^[A-Za-z0-9._/-]+$")] | None = None
    """A commit, to have the same model for good; otherwise the newest when it is fetched first."""
    served_name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:-]*$")] | None = None
    """How those who use it call it; otherwise as `model`."""
    task: Literal["chat", "embed"] = "chat"
    dimension: Annotated[int, Field(ge=1)] | None = None
    """Of `embed`: how long an embedding is."""
    address: Annotated[str, Field(pattern=r"^[0-9a-f.:]+$")] = "0.0.0.0"  # noqa: S104  (the firewall says who)
    port: Annotated[int, Field(ge=1, le=65535)] = 8000
    dtype: Literal["auto", "half", "float16", "bfloat16", "float", "float32"] = "auto"
    quantization: StrictStr | None = None
    max_model_len: Annotated[int, Field(ge=1)] | None = None
    gpu_memory_fraction: Annotated[float, Field(gt=0, le=1)] = 0.9
    """Of each of its cards: weights, what is computed, and the cache of what was said before."""
    tensor_parallel: Annotated[int, Field(ge=1)] = 1
    """How many cards it is spread over."""
    arguments: dict[str, Argument] = Field(default_factory=dict)
    weights: Size | None = None
    """How much memory the model's weights take, to see whether it fits; otherwise its name is asked."""
    environment: AbsolutePath = "/opt/vllm"
    """The Python environment that vLLM is in."""
    models: AbsolutePath = "/models"
    token: Secret | None = None
    """For models that Hugging Face gives to known people only."""
    ready_seconds: Annotated[int, Field(ge=5, le=7200)] = 900

    @model_validator(mode="after")
    def _vllm_takes_it(self) -> "VllmServer":
        for name, value in self.arguments.items():
            if said := vllm.wrong(name, value):
                rule = "V-03" if name not in vllm.KNOWN else ""
                rule = "V-38" if name in vllm.ELSEWHERE else rule
                raise RuleError(rule, f"`arguments`: {said}")
        if self.quantization is not None and self.quantization not in vllm.QUANTIZATIONS:
            raise ValueError(f"`quantization` is one of {', '.join(vllm.QUANTIZATIONS)}")
        if self.dimension is not None and self.task != "embed":
            raise ValueError("`dimension` belongs to `task: embed`")
        return self

    @property
    def called(self) -> str:
        """The name of the model for those who use it."""
        return self.served_name or self.model

    @property
    def argv(self) -> list[str]:
        """What is run."""
        options: dict[str, vllm.Value] = {
            "model": self.model,
            "served-model-name": self.called,
            "host": self.address,
            "port": self.port,
        }
        given = {
            "revision": self.revision,
            "runner": "pooling" if self.task == "embed" else None,
            "quantization": self.quantization,
            "max-model-len": self.max_model_len,
        }
        options |= {name: value for name, value in given.items() if value is not None}
        options |= {
            "gpu-memory-utilization": self.gpu_memory_fraction,
            "tensor-parallel-size": self.tensor_parallel,
            "dtype": self.dtype,
        }
        return [
            f"{self.environment}/bin/python",
            "-m",
            vllm.MODULE,
            *vllm.words({**options, **self.arguments}),
        ]

    @property
    def command(self) -> str:
        """The same as systemd prints it."""
        return systemd.loaded_command(self.argv)

    @property
    def secret_file(self) -> str:
        """Where the token is."""
        return f"/etc/phoenix/vllm-{self.name}.environment"

    @property
    def secret_text(self) -> Text:
        """What is in it."""
        head = f"# Written by phoenix: {self.kind} {self.name}\nHF_TOKEN="
        return Text(head, self.token, "\n") if self.token else Text()

    @property
    def sections(self) -> dict[str, dict[str, systemd.Setting]]:
        """The unit."""
        return {
            "Unit": {
                "Description": f"vLLM: {self.called}",
                "Wants": "network-online.target",
                "After": "network-online.target",
                "RequiresMountsFor": self.models,
                # one that dies of what is declared does so each time: not for ever
                "StartLimitIntervalSec": 900,
                "StartLimitBurst": 5,
            },
            "Service": {
                "Type": "exec",
                "WorkingDirectory": self.environment,
                "Environment": (
                    f"HF_HOME={self.models}/huggingface",
                    "VLLM_CACHE_ROOT=/var/cache/vllm",
                    "VLLM_NO_USAGE_STATS=1",
                    "HF_HUB_DISABLE_TELEMETRY=1",
                    "CUDA_DEVICE_ORDER=PCI_BUS_ID",
                ),
                **({"EnvironmentFile": self.secret_file} if self.token else {}),
                "ExecStart": systemd.command_line(self.argv),
                "Restart": "always",
                "RestartSec": 10,
                "TimeoutStopSec": 60,
                "KillMode": "mixed",
                "LimitNOFILE": 65536,
                "CacheDirectory": "vllm",
                **HARDENED,
            },
            "Install": {"WantedBy": "multi-user.target"},
        }

    @property
    def unit(self) -> UnitFile:
        """The unit's file."""
        unit = f"{PREFIX}{self.name}.service"
        return UnitFile(self.kind, self.name, unit, systemd.text(self.sections))

    @property
    def local(self) -> str:
        """Where it is reached from inside."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.address, self.address)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host and host[0] != '[' else host}:{self.port}"

    def provides(self) -> Iterable[Offer]:
        role: Literal["chat", "embeddings"] = "chat" if self.task == "chat" else "embeddings"
        yield Offer(PORT, f"{self.port}/tcp", Port(str(self.port)))
        yield Offer(
            SERVICE,
            self.name,
            Service(
                role,
                self.port,
                model=self.called,
                dimension=self.dimension,
                health="/health",
                metrics="/metrics",
            ),
        )
        yield Offer(TAKES, GPU, Takes(self.gpu_memory_fraction, "gpu_memory_fraction"))
        share = self.gpu_memory_fraction
        known = self.weights or vllm.weights(self.model, self.quantization)
        yield Offer(FETCHES_TO, self.models)
        yield Offer(ON_CARDS, self.name, OnCards(self.tensor_parallel, known, share, field="model"))

    def consumes(self) -> Iterable[Want]:
        yield Want("path", self.environment, "environment", "", required=False)
        yield Want("python_environment", self.environment, "environment", "", exact=True, required=False)
        yield Want("nvidia_userland", "version", "gpu_memory_fraction", "", exact=True, required=False)

    def artifacts(self) -> Iterable[Artifact]:
        yield Artifact(self.unit.path, "unit.j2")
        if self.token:
            yield Artifact(self.secret_file, "environment.j2", 0o600)
        yield script(self.kind, "token", "token.sh.j2")
        yield script(self.kind, "ready", "ready.sh.j2")
        yield from scripts(self.kind)

    def converge(self, change: Change) -> Iterator[Step | Refusal]:
        if change.removes:
            if change.seen is not None and not change.seen.noted:
                yield Refusal("present", f"{self.unit.path} is not ours: it is not removed")
            else:
                yield from self.remove(self.name)
            return
        if "foreign" in change:
            yield Refusal("foreign", f"{change['foreign'].actual}: give this server another name")
            return
        written = change.creates or any("." in name for name in change.attributes)
        token = self.token is not None and (change.creates or "token" in change)
        if "command" in change and not written and "daemon_reload" not in change:
            said = "somebody's drop-in runs something else instead"
            yield Refusal("command", f"{said}: `systemctl cat {self.unit.unit}` shows it")
        if token:
            yield self._write_token()
        elif "token" in change:
            yield run("rm", "-f", self.secret_file)
        if written:
            yield self.unit.write()
        elif "daemon_reload" in change:
            yield run("systemctl", "daemon-reload")
        yield from self._started(change, again=written or token)

    def _started(self, change: Change, *, again: bool) -> Iterator[Step]:
        enable = change.creates or "enabled" in change
        if change.creates or "active" in change or again or "waiting" in change:
            yield self.unit.start(fresh=change.creates or "active" in change, enable=enable)
            yield self._wait()
        elif enable:
            yield run("systemctl", "enable", self.unit.unit)

    def _write_token(self) -> Step:
        return Step(
            f"write {self.secret_file} (with {self.token})",
            execute=script(self.kind, "token", "token.sh.j2"),
            arguments=(self.secret_file, self.unit.waiting),
            stdin=Text(*self.secret_text.parts, END),
        )

    def _wait(self) -> Step:
        return Step(
            f"wait until {self.called} is loaded, {self.ready_seconds} s at most",
            execute=script(self.kind, "ready", "ready.sh.j2"),
            arguments=(self.unit.unit, f"{self.local}/health", str(self.ready_seconds)),
            waits=True,
            lasts=True,
        )

    def heal(self, probe: str) -> Iterator[Step]:  # noqa: ARG002  (whichever fails, it is the same process)
        yield self.unit.start()
        yield self._wait()

    @classmethod
    def remove(cls, name: str) -> Iterator[Step | Refusal]:
        yield UnitFile("vllm_server", name, f"{PREFIX}{name}.service").remove()
        yield run("rm", "-f", f"/etc/phoenix/vllm-{name}.environment")

    @classmethod
    def samples(cls) -> Iterable[Samples]:
        guest = "121-vllm"
        python = {"content": '#!/bin/sh\nexec lab-program python "$@"\n', "mode": "0755"}
        files = {f"/opt/{name}/bin/python": python for name in ("vllm", "other")}
        first = {"model": "Qwen/Qwen2.5-7B-Instruct-AWQ", "ready_seconds": 6}
        yield Samples(
            "chat",
            {
                **first,
                "served_name": "qwen2.5-7b-awq",
                "arguments": {"max-num-seqs": 1},
                "token": Secret("hf/1"),
            },
            {
                **first,
                "model": "ibm-granite/granite-embedding-english-r2",
                "revision": "main",
                "served_name": "embed",
                "task": "embed",
                "address": "127.0.0.1",
                "port": 8001,
                "dtype": "float16",
                "quantization": "fp8",
                "max_model_len": 1024,
                "gpu_memory_fraction": 0.1,
                "tensor_parallel": 2,
                "arguments": {"trust-remote-code": True},
                "environment": "/opt/other",
                "models": "/srv/models",
                "token": Secret("hf/2"),
            },
            {**CARDS, **around_a_guest(guest, {"host_file": files}, gpus=["gpu0", "gpu1"])},
            inside=guest,
        )


HARDENED: dict[str, systemd.Setting] = {
    # What needs a mount namespace (PrivateTmp, ProtectSystem …) is left out: AppArmor denies it to containers
    # without `nesting`, and the service would not start.
    "NoNewPrivileges": True,
    "RestrictSUIDSGID": True,
    "RestrictRealtime": True,
    "LockPersonality": True,
    "SystemCallArchitectures": "native",
    "CapabilityBoundingSet": "",
    "UMask": "0022",
}
CARDS: dict[str, Any] = {
    "apt_repository": {
        "pve": {
            "uris": ["http://download.proxmox.com/debian/pve"],
            "suites": ["trixie"],
            "components": ["pve-no-subscription"],
            "signed_by": "/usr/share/keyrings/proxmox-archive-keyring.gpg",
        }
    },
    "nvidia_driver": {
        "version": "580.76.05",
        "sha256": "219be636b60931b021b2e8c1e0eff887363c731f8a940caa87bcc054d05d97fd",
    },
}
"""What samples need of their node, to have graphics cards."""
