"""What each run of `phoenix` in these tests would import anew: all kinds, all verbs' parts, and the checks.

Imported by the server that runs are forked from (running.py), and by nobody else.
"""

import gc
import importlib
from types import SimpleNamespace

from phoenix_hypervisor import registry
from phoenix_hypervisor.inspect.session import inspect

for name in (
    *("cli.apply", "cli.plan", "cli.recording", "cli.listening", "cli.report", "cli.voice", "cli.work"),
    *("converge.engine", "converge.phases", "converge.reach", "observe.annotations", "observe.document"),
    *("records.files", "records.revision", "secretstore", "lab.transport", "inspect.session"),
):
    importlib.import_module(f"phoenix_hypervisor.{name}")
for name in ("jinja2.sandbox", "pyrage", "pytest", "testinfra.host", "tests.lab.running"):
    importlib.import_module(name)
for name in registry.homes():
    registry.kind(name)

# An inspection of a site with nothing in it: the packaged checks are read and compiled, and nobody is asked.
_nowhere = SimpleNamespace(resources={}, needs={}, nodes={}, guests={}, folder=registry.own_folder("verify"))
inspect(
    SimpleNamespace(site=_nowhere, fleet=SimpleNamespace(hosts=())),
    (),
    probes=False,
    orphans=True,
    before=lambda: False,
)
registry.homes.cache_clear()  # a run may be given further packages with kinds
gc.freeze()
