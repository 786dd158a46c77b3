"""prometheus-node-exporter: a few numbers of the machine, and the files of its textfile collector."""

import os
import sys
import time

import flags
import scraping
import web
from web import Reply, Request

NAME = "prometheus-node-exporter"
FOLDER = "/var/lib/prometheus/node-exporter"
VALUED = ("web.listen-address", "web.max-requests", "web.telemetry-path", "collector.textfile.directory",
          "collector.filesystem.mount-points-exclude", "log.level", "path.rootfs")  # fmt: skip
COLLECTORS = (
    "cpu", "diskstats", "filesystem", "hwmon", "loadavg", "meminfo", "netdev", "nvme", "processes", "systemd",
    "textfile", "time", "uname", "zfs", "disable-defaults",
)  # fmt: skip
SWITCHES = (
    "web.systemd-socket",
    "web.disable-exporter-metrics",
    *(f"collector.{name}" for name in COLLECTORS),
)
VERSION = "1.9.1"


def main(argv: list[str]) -> int:
    try:
        told = flags.parse(argv, VALUED, SWITCHES)
        taken = web.listen(*flags.address(told.get("web.listen-address", ":9100")))
    except flags.WrongError as error:
        flags.refuse(NAME, error, ", try --help")
        return 1
    except OSError as error:
        print(f'level=error msg="listen tcp: bind: {str(error.strerror).lower()}"', file=sys.stderr)
        return 1
    folder = told.get("collector.textfile.directory", FOLDER)
    path = told.get("web.telemetry-path", "/metrics")

    def answer(request: Request) -> Reply:
        if request.path != path:
            return Reply(404, b"404 page not found\n", "text/plain; charset=utf-8")
        return Reply(200, scraping.exposed(_rows()) + _files(folder), scraping.METRICS)

    web.ready()
    web.serve(taken, answer)
    return 0


def _rows() -> list[tuple[str, str, dict[str, float]]]:
    memory = {}
    with open("/proc/meminfo", encoding="ascii") as file:
        for line in file:
            key, _, value = line.partition(":")
            memory[key] = int(value.split()[0]) * 1024
    with open("/proc/loadavg", encoding="ascii") as file:
        load = float(file.read().split()[0])
    disk = os.statvfs("/")
    root = 'device="rootfs",fstype="ext4",mountpoint="/"'
    own = os.uname()
    used = os.times()
    return [
        ("node_boot_time_seconds", "gauge", {"": time.time() - time.monotonic()}),
        ("node_cpu_seconds_total", "counter",
         {'cpu="0",mode="idle"': time.monotonic(), 'cpu="0",mode="user"': used.user}),
        ("node_exporter_build_info", "gauge", {f'version="{VERSION}"': 1}),
        ("node_filesystem_avail_bytes", "gauge", {root: disk.f_bavail * disk.f_frsize}),
        ("node_filesystem_size_bytes", "gauge", {root: disk.f_blocks * disk.f_frsize}),
        ("node_load1", "gauge", {"": load}),
        ("node_memory_MemAvailable_bytes", "gauge", {"": memory["MemAvailable"]}),
        ("node_memory_MemTotal_bytes", "gauge", {"": memory["MemTotal"]}),
        ("node_time_seconds", "gauge", {"": time.time()}),
        ("node_uname_info", "gauge", {f'nodename="{own.nodename}",sysname="{own.sysname}"': 1}),
    ]  # fmt: skip


def _files(folder: str) -> bytes:
    """What others wrote there, whole; one that cannot be read is said by a number, as the real one does."""
    text, errors = b"", 0
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        if name.endswith(".prom"):
            try:
                with open(os.path.join(folder, name), "rb") as file:
                    text += file.read()
            except OSError:
                errors = 1
    return text + scraping.exposed([("node_textfile_scrape_error", "gauge", {"": errors})])
