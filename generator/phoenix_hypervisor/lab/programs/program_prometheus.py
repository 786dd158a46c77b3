"""prometheus: it reads its configuration, asks its targets when somebody wants to know of them, and tells.

It keeps no numbers, and evaluates no rules: queries are not simulated. A configuration is JSON, or the one
that the package brings.
"""

import json
import os
import signal
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

import flags
import scraping
import web
from web import Reply, Request

VALUED = ("config.file", "web.listen-address", "storage.tsdb.path", "storage.tsdb.retention.time",
          "storage.tsdb.retention.size", "web.external-url", "web.route-prefix", "log.level")  # fmt: skip
SWITCHES = ("web.enable-lifecycle", "web.enable-admin-api", "web.enable-remote-write-receiver")
PACKAGED = (("prometheus", "localhost:9090"), ("node", "localhost:9100"))
"""What the package's own configuration asks: job and target."""
PLAIN = "text/plain; charset=utf-8"


def main(argv: list[str]) -> int:
    try:
        told = flags.parse(argv, VALUED, SWITCHES)
    except flags.WrongError as error:
        print(f"Error parsing commandline arguments: {error}", file=sys.stderr)
        flags.refuse("prometheus", error)
        return 2
    file = told.get("config.file", "/etc/prometheus/prometheus.yml")
    try:
        server = Server(file, told)
    except (OSError, ValueError) as error:
        said = json.dumps(str(getattr(error, "strerror", None) or error))
        print(f'level=error msg="Error loading config (--config.file={file})" err={said}', file=sys.stderr)
        return 2
    host, port = flags.address(told.get("web.listen-address", "0.0.0.0:9090"))  # its default
    try:
        taken = web.listen(host, port)
    except OSError as error:
        said = f"listen tcp {host}:{port}: bind: {str(error.strerror).lower()}"
        print(f'level=error msg="Unable to start web listener" err="{said}"', file=sys.stderr)
        return 1
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # before there are threads
    print('level=info msg="Server is ready to receive web requests."', file=sys.stderr, flush=True)
    web.ready()
    threading.Thread(target=web.serve, args=(taken, server.answer), daemon=True).start()
    while signal.sigwait({signal.SIGHUP}):
        server.read_anew()
    return 0


class Server:
    """The configuration as it was read last, and the answers."""

    def __init__(self, file: str, told: dict[str, str]) -> None:
        self.file, self.told = file, told
        self.begun = self.read = _now()
        self.well = True
        self.config = _read(file)

    def read_anew(self) -> None:
        """Take the file as it is now; one that is no configuration is said, and nothing changes."""
        print(
            f'level=info msg="Loading configuration file" filename={self.file}', file=sys.stderr, flush=True
        )
        try:
            self.config = _read(self.file)
            self.well, self.read = True, _now()
        except (OSError, ValueError) as error:
            self.well = False
            said = json.dumps(f"couldn't load configuration: {error}")
            print(f'level=error msg="Error reloading config" err={said}', file=sys.stderr, flush=True)

    def answer(self, request: Request) -> Reply:
        """Answer one request."""
        if request.path in ("/-/ready", "/-/healthy"):
            word = request.path[3:].capitalize()
            return Reply(200, f"Prometheus Server is {word}.\n".encode(), PLAIN)
        if request.path == "/metrics":
            rows = [("prometheus_config_last_reload_successful", "gauge", {"": int(self.well)})]
            return Reply(200, scraping.exposed(rows), scraping.METRICS)
        if request.path == "/api/v1/targets" and request.query.get("state", "any") in ("any", "active"):
            found: dict[str, Any] = {"activeTargets": self.targets(), "droppedTargets": []}
            return _told(found)
        if request.path == "/api/v1/status/runtimeinfo":
            kept = self.told.get("storage.tsdb.retention.time", "15d")
            return _told({
                "startTime": self.begun, "CWD": "/", "reloadConfigSuccess": self.well,
                "lastConfigTime": self.read, "corruptionCount": 0, "storageRetention": kept,
            })  # fmt: skip
        if request.path.startswith("/api/v1/"):
            return web.said(501, {"status": "error", "error": f"not simulated: {request.path}"})
        return Reply(404, b"404 page not found\n", PLAIN)

    def targets(self) -> list[dict[str, Any]]:
        """All of them, each asked just now."""
        rows = [row for job in self.config["scrape_configs"] for row in _targets(job, self.config)]

        def ask(row: dict[str, Any]) -> None:
            found = scraping.scrape(row["scrapeUrl"], _seconds(row["scrapeTimeout"]))
            row |= {"lastError": found.error, "lastScrapeDuration": found.seconds, "health": found.health}
            row["lastScrape"] = _now()

        asking = [threading.Thread(target=ask, args=(row,)) for row in rows]
        for one in asking:
            one.start()
        for one in asking:
            one.join()
        return rows


def _targets(job: dict[str, Any], config: dict[str, Any]) -> list[dict[str, Any]]:
    whole = config.get("global", {})
    every = job.get("scrape_interval", whole.get("scrape_interval", "1m"))
    timeout = job.get("scrape_timeout", whole.get("scrape_timeout", "10s"))
    rows = []
    for group in job.get("static_configs", []):
        for place in group["targets"]:
            hidden = {
                "__address__": place,
                "__metrics_path__": job.get("metrics_path", "/metrics"),
                "__scheme__": job.get("scheme", "http"),
                "job": job["job_name"],
            } | group.get("labels", {})
            labels = {key: value for key, value in hidden.items() if not key.startswith("__")}
            url = f"{hidden['__scheme__']}://{hidden['__address__']}{hidden['__metrics_path__']}"
            rows.append({
                "discoveredLabels": hidden, "labels": {"instance": place, **labels},
                "scrapePool": job["job_name"], "scrapeUrl": url, "globalUrl": url,
                "scrapeInterval": every, "scrapeTimeout": timeout,
            })  # fmt: skip
    return rows


def _read(file: str) -> dict[str, Any]:
    """Return a configuration. Raises OSError and ValueError."""
    with open(file, encoding="utf-8") as source:
        text = source.read()
    bare = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    if "job_name: 'prometheus'" in bare and "- job_name: node" in bare:
        jobs = [{"job_name": job, "static_configs": [{"targets": [place]}]} for job, place in PACKAGED]
        return {"global": {"scrape_interval": "15s"}, "scrape_configs": jobs}
    try:
        told = json.loads(bare)
    except ValueError:
        raise ValueError(f"not simulated: {file} is not JSON") from None
    if not isinstance(told, dict):
        raise ValueError(f"parsing YAML file {file}: yaml: unmarshal errors")
    for rule in told.get("rule_files", []):
        if not os.path.exists(rule):
            print(f'level=warn msg="no rule file" file={rule}', file=sys.stderr, flush=True)
    return {"scrape_configs": [], **told}


def _seconds(written: str) -> float:
    return float(written[:-1]) * {"s": 1, "m": 60, "h": 3600}[written[-1]]


def _now() -> str:
    return datetime.fromtimestamp(time.time(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _told(data: Any) -> Reply:
    return web.said(200, {"status": "success", "data": data})
