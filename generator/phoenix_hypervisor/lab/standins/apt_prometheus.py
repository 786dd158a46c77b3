"""What the packages of Prometheus bring: what they are told, and the server's own configuration."""

import os

import model

DEFAULTS = '# Set the command-line arguments to pass to the server.\nARGS=""\n'
SERVER = """\
# The server's own: itself, and the exporter of the machine.
global:
  scrape_interval: 15s
  evaluation_interval: 15s

scrape_configs:
  - job_name: 'prometheus'
    static_configs:
      - targets: ['localhost:9090']

  - job_name: node
    static_configs:
      - targets: ['localhost:9100']
"""
PACKAGES = ("prometheus", "prometheus-node-exporter", "prometheus-nginx-exporter")


def installed(names: list[str]) -> None:
    """Do what their scripts do."""
    for name in names:
        _write(f"/etc/default/{name}", DEFAULTS)
    if "prometheus" in names:
        _write("/etc/prometheus/prometheus.yml", SERVER)
    if "prometheus-node-exporter" in names:
        os.makedirs(model.path("/var/lib/prometheus/node-exporter"), exist_ok=True)


def _write(path: str, text: str) -> None:
    """A file of settings that is there already stays."""
    place = model.path(path)
    os.makedirs(os.path.dirname(place), exist_ok=True)
    if not os.path.exists(place):
        with open(place, "w", encoding="utf-8") as file:
            file.write(text)
