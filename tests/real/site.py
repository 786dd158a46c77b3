"""A site of a few nodes in a temporary folder, and `phoenix` run on it as a person would run it."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .hub import Hub

DISK_BYTES = 10**12
SITE = """\
name: real-nodes
defaults:
  zfs_dataset:
    "*": { compression: lz4, atime: off }
"""
PROFILE = """\
zfs_arc: { max: 4G }

samba_user:
  heads: { password: !secret samba/heads }

zfs_dataset:
  tank: {}
  tank/guests: { recordsize: 16K, quota: 100G }
  tank/media: { recordsize: 1M, quota: 200G, owner: heads, group: heads, mode: "0770" }
  tank/work: { recordsize: 128K, quota: 200G, owner: heads, group: heads, mode: "0750" }
  tank/iso: { recordsize: 1M }

pve_storage:
  tank-guests: { type: zfspool, pool: tank/guests, content: [images, rootdir], sparse: true }
  tank-iso: { type: dir, path: /tank/iso, content: [iso, vztmpl], is_mountpoint: true }

nfs_export:
  /tank/media:
    clients:
      10.77.0.0/24: [rw, sync, no_subtree_check]

samba_share:
  "*": { valid_users: [heads], read_only: false, create_mask: "0660", directory_mask: "0770" }
  media: { path: /tank/media }
  work: { path: /tank/work }
"""
NODE = """\
profiles: [storage]
hardware:
  disks:
    nvme0: {{ id: nvme-{name}_A, size: {size} }}
    nvme1: {{ id: nvme-{name}_B, size: {size} }}
zfs_pool:
  tank:
    vdevs:
      - {{ type: mirror, disks: [nvme-{name}_A, nvme-{name}_B] }}
"""
DEFAULTS = """\
username: root
data:
  connect_seconds: 10
  command_seconds: 60
  ssh_options:
    - StrictHostKeyChecking=yes
    - GlobalKnownHostsFile=/dev/null
    - IdentitiesOnly=yes
    - IdentityAgent=none
    - LogLevel=ERROR
"""


class Result(NamedTuple):
    """How a verb ended."""

    status: int
    out: str
    err: str

    @property
    def told(self) -> str:
        """All that it said."""
        return self.out + self.err

    @property
    def document(self) -> Any:
        """What `--json` printed."""
        return json.loads(self.out)


class Site:
    """The folder, its keys, and what its runs need around them."""

    def __init__(self, folder: Path, hub: Hub, addresses: Mapping[str, str]) -> None:
        self.folder = folder
        self.keys = folder / "keys"
        self._hub = hub
        self._addresses = addresses
        self._runtime = folder / "run"
        self._started: subprocess.Popen[str] | None = None
        for path in (self.keys, self._runtime, folder / "inventory", *self._config_folders()):
            path.mkdir(parents=True, mode=0o700)
        for name in ("client", "stranger", *addresses):
            self._make_key(name)
        (folder / "configs/site.yaml").write_text(SITE)
        (folder / "configs/profiles/storage.yaml").write_text(PROFILE)
        for name in addresses:
            text = NODE.format(name=name, size=DISK_BYTES)
            (folder / f"configs/nodes/{name}.yaml").write_text(text)
        (folder / "inventory/defaults.yaml").write_text(DEFAULTS)
        self.reach()

    def _config_folders(self) -> list[Path]:
        return [self.folder / "configs" / part for part in ("profiles", "nodes")]

    def _make_key(self, name: str) -> None:
        argv = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(self.keys / name)]
        subprocess.run(argv, check=True)

    def reach(
        self,
        *,
        hostnames: Mapping[str, str] | None = None,
        identities: Mapping[str, str] | None = None,
        host_keys: Mapping[str, str] | None = None,
    ) -> None:
        """Write how the nodes are reached; for the named ones with another address, key or known host key."""
        known = hosts = ""
        for name, address in self._addresses.items():
            identity = self.keys / (identities or {}).get(name, "client")
            options = [f"IdentityFile={identity}", f"UserKnownHostsFile={self.folder / 'known_hosts'}"]
            options += [line.strip(" -") for line in DEFAULTS.splitlines() if line.startswith("    - ")]
            settings = {"hostname": (hostnames or {}).get(name, address), "data": {"ssh_options": options}}
            hosts += f"{name}: {json.dumps(settings)}\n"
            key = (self.keys / f"{(host_keys or {}).get(name, name)}.pub").read_text().rpartition(" ")[0]
            known += f"{address} {key}\n"
        (self.folder / "inventory/hosts.yaml").write_text(hosts)
        (self.folder / "known_hosts").write_text(known)

    def profile(self, old: str, new: str) -> None:
        """Change what all nodes should be."""
        path = self.folder / "configs/profiles/storage.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def argv(self, *words: str) -> list[str]:
        """Return the argv of a verb, run by a process that sees the nodes' network alone."""
        packages = str(self.folder / "packages")  # kinds of a test's own
        main = (
            f"import sys; sys.path.insert(0, {packages!r}); from phoenix_hypervisor.cli import main; main()"
        )
        return self._hub.network(sys.executable, "-c", main, "--site", str(self.folder), *words)

    @property
    def environment(self) -> dict[str, str]:
        """Return the environment of all runs; the folder of ssh's sockets is the site's own."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
        return kept | {"XDG_RUNTIME_DIR": str(self._runtime), "HOME": str(self.folder), "NO_COLOR": "1"}

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Start a verb and do not wait for it; it is the process to be killed, no wrapper of it."""
        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._started = subprocess.Popen(self.argv(*words), env=self.environment, text=True, **pipes)
        return self._started

    def end_runs(self) -> None:
        """Kill the run that was started last, should it still go on."""
        if self._started is not None and self._started.poll() is None:
            self._started.kill()
            self._started.communicate()

    def run(self, *words: str, stdin: str = "") -> Result:
        """Run a verb to its end."""
        return self._run(self.argv(*words), stdin)

    def pytest(self, *words: str) -> Result:
        """Run plain `pytest verify/` on the site."""
        checks = Path(__file__).parents[2] / "verify"
        plain = ["-m", "pytest", "-p", "no:cacheprovider", "--import-mode=importlib", f"--site={self.folder}"]
        return self._run(self._hub.network(sys.executable, *plain, str(checks), *words), "")

    def _run(self, argv: Sequence[str], stdin: str) -> Result:
        ended = subprocess.run(
            argv, env=self.environment, input=stdin, capture_output=True, text=True, timeout=600, check=False
        )
        return Result(ended.returncode, ended.stdout, ended.stderr)

    def forget_connections(self) -> None:
        """End the ssh connections that earlier runs keep open for those that follow."""
        for socket in self._runtime.glob("*/*"):
            argv = ["ssh", "-F", "/dev/null", "-o", f"ControlPath={socket}", "-O", "exit", "nobody"]
            subprocess.run(argv, capture_output=True, check=False)
