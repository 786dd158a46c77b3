"""What can only be timed from inside a process, as JSON: `python -m benchmarks.inside split|render SITE`."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

BEGUN = "PHOENIX_BENCH_BEGUN"
"""CLOCK_MONOTONIC when the parent started this process: the clock is the same for both."""


def split(site: Path) -> dict[str, float]:
    """Do what `phoenix plan` does, and return the seconds of each part."""
    marks = [("interpreter", time.monotonic())]

    def mark(name: str) -> None:
        marks.append((name, time.monotonic()))

    from phoenix_hypervisor.cli import Workplace
    from phoenix_hypervisor.cli.work import Work

    mark("import what reads the site")
    work = Work(Workplace(str(site), False), (), ())
    mark("read the site, open the secrets, begin to connect")
    with work:
        from phoenix_hypervisor.converge import plan as _plan
        from phoenix_hypervisor.inspect import session as _session

        mark("import what inspects, meanwhile")
        work._connecting.join()
        mark("wait for the connection")
        work.plan(probes=False)
        mark("inspect and plan")
    mark("close")
    assert _plan
    assert _session
    ends = [at for _, at in marks]
    begun = float(os.environ.get(BEGUN, ends[0]))
    return {name: at - before for (name, at), before in zip(marks, [begun, *ends], strict=False)}


def render(site: Path) -> dict[str, float]:
    """Render a site twice in one process: with templates to be compiled first, and compiled."""
    from phoenix_hypervisor.config import load
    from phoenix_hypervisor.render import Renderer
    from phoenix_hypervisor.render import render as rendered

    resources = list(load(site).resources.items())
    import jinja2.sandbox

    assert jinja2.sandbox
    found: dict[str, float] = {}
    for name in ("cold", "warm"):
        begun = time.monotonic()
        count = len(rendered(resources, Renderer(site)))
        found[name] = count / (time.monotonic() - begun)
    return {"artifacts": count, **found}


if __name__ == "__main__":
    print(json.dumps({"split": split, "render": render}[sys.argv[1]](Path(sys.argv[2]))))
