"""The reference site as it is in configs/: its node, its layers, its guests and what serves in them.

On a lab node, without ssh: the floor is one fresh shell in the node that asks the same questions.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from phoenix_hypervisor.lab.demo import NAMES
from phoenix_hypervisor.lab.node import LabNode

from . import report
from .measure import Broken, Run, Subject, in_turn, once, ratios
from .report import Aim

PROJECT = Path(__file__).resolve().parent.parent
PHOENIX = (sys.executable, "-c", "from phoenix_hypervisor.cli import main; main()")
TRIPS = 8
NODE = "phoenix"


def prepare(folder: Path, log: Path) -> Path:
    """Copy the site, make its secrets and its lab node, and converge it; return its folder."""
    site = folder / "reference"
    for part in ("configs", "inventory"):
        shutil.copytree(PROJECT / part, site / part, ignore=shutil.ignore_patterns("*.age"))
    making = [["secrets", "init"], *(["secrets", "set", name, "--generate"] for name in NAMES), ["lab", "up"]]
    for words in making:
        subprocess.run([*_phoenix(site), *words], check=True, capture_output=True)
    took = once(Subject([*_phoenix(site), "apply", "--yes"]), log)
    (steps,) = re.findall(r"^(\d+ steps run; \d+ resources as declared)$", log.read_text(), re.MULTILINE)
    print(f"from an empty node: {took.seconds:.1f} s; {steps}", flush=True)
    print("\n".join(re.findall(r"^took: .*", log.read_text(), re.MULTILINE)), flush=True)
    return site


def measure(folder: Path, times: int, log: Path) -> list[Aim]:
    """Measure applies that find nothing to do against the floor; returns the aims."""
    site = prepare(folder, log)
    try:
        runs = _measured(site, folder / "reference-floor", times, log)
    finally:
        subprocess.run([*_phoenix(site), "lab", "down"], check=False, capture_output=True)
    return [Aim("reference site / floor", 3.5, ratios(runs["apply"], runs["floor"]))]


def _measured(site: Path, floor: Path, times: int, log: Path) -> dict[str, list[Run]]:
    apply = Subject([*_phoenix(site), "-v", "apply", "--yes"])
    once(apply, log)
    said = log.read_text()
    (trips,) = re.findall(rf"^{NODE}: (\d+) round trips$", said, re.MULTILINE)
    if "nothing to do" not in said or int(trips) > TRIPS:
        raise Broken(f"an apply with nothing to do takes at most {TRIPS} round trips; this one:\n{said}")
    print(f"no-op apply: {trips} round trips (aim: at most {TRIPS})", flush=True)
    floor.mkdir()
    recording = [sys.executable, "-m", "benchmarks.record", str(floor)]
    once(Subject([*recording, "--site", str(site), "apply", "--yes"]), log)
    shell = LabNode(site / ".phoenix/lab" / NODE).argv(["sh"])
    runs = in_turn({"apply": apply, "floor": Subject(shell, floor / f"{NODE}.sh")}, times, log)
    report.runs_table(runs, {"apply": "floor"})
    return runs


def _phoenix(site: Path) -> Sequence[str]:
    return (*PHOENIX, "--site", str(site))
