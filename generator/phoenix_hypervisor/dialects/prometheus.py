"""Prometheus: its configuration, written and read back, and what it says of its targets."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

UP = "up"
LABELS = {"path": ("__metrics_path__", "/metrics"), "scheme": ("__scheme__", "http")}
"""Attributes of a target that are labels with a meaning of their own, and what holds without them."""


class Target(NamedTuple):
    """One that is asked for its metrics."""

    job: str
    instance: str
    """What it is called in every number: `vllm-chat/chat`."""
    place: str
    """Address and port."""
    path: str = "/metrics"
    scheme: str = "http"

    @property
    def label(self) -> str:
        """How checks call it."""
        return f"{self.job} {self.instance}"


def document(targets: Iterable[Target], seconds: int, rule_files: Iterable[str]) -> dict[str, Any]:
    """Return the configuration: one job for each sort of target, every target with its name."""
    jobs: dict[str, list[dict[str, Any]]] = {}
    for one in sorted(targets):
        labels = {"instance": one.instance}
        labels |= {
            label: getattr(one, name)
            for name, (label, usual) in LABELS.items()
            if getattr(one, name) != usual
        }
        jobs.setdefault(one.job, []).append({"targets": [one.place], "labels": labels})
    return {
        "global": {
            "scrape_interval": f"{seconds}s",
            "scrape_timeout": f"{min(seconds, 10)}s",
            "evaluation_interval": f"{seconds}s",
        },
        "rule_files": [*rule_files],
        "scrape_configs": [{"job_name": job, "static_configs": rows} for job, rows in jobs.items()],
    }


def text(told: Mapping[str, Any]) -> str:
    """Return a configuration as its file has it. JSON is YAML, and needs no writer of YAML."""
    return json.dumps(told, indent=2) + "\n"


def flat(written: str) -> dict[str, Any]:
    """Return a configuration by what can be told apart: settings, and `target JOB INSTANCE` → where it is.

    Lines that are comments are left out. Raises ValueError for what is not in the shape of `document`.
    """
    lines = [line for line in written.splitlines() if not line.lstrip().startswith("#")]
    told = json.loads("\n".join(lines))
    try:
        found = {f"global {key}": value for key, value in told.pop("global", {}).items()}
        jobs = told.pop("scrape_configs", [])
        found |= told
        for job in jobs:
            rest = {key: value for key, value in job.items() if key not in ("job_name", "static_configs")}
            found |= {f"job {job['job_name']}": rest} if rest else {}
            for row in job.get("static_configs", []):
                labels = dict(row.get("labels", {}))
                name = labels.pop("instance", ", ".join(row["targets"]))
                found[f"target {job['job_name']} {name}"] = [*row["targets"], *sorted(labels.items())]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"unknown shape: {error}") from None
    return {key: json.loads(json.dumps(value)) for key, value in found.items()}


def health(answer: str) -> dict[str, str]:
    """Return `JOB INSTANCE` → `up`, or why not, of an answer of /api/v1/targets; nothing of another one."""
    try:
        rows = json.loads(answer)["data"]["activeTargets"]
        found = {}
        for row in rows:
            well = row["health"] == UP
            why = row["lastError"] or row["health"]
            found[f"{row['labels']['job']} {row['labels']['instance']}"] = UP if well else str(why)
    except (ValueError, KeyError, TypeError):
        return {}
    return found
