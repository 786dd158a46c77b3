"""What containers need on the machine: a template that is there, and the files that declare them."""

import base64
import tarfile
from collections.abc import Mapping
from pathlib import Path

from tests.real import template
from tests.vm.site import STORAGE, VmSite

from phoenix_hypervisor.lab.vm import image
from phoenix_hypervisor.secrets import Text

HOUSING = """\
zfs_dataset:
  fastData/ours: {{}}
ct_template:
  busybox: {{ storage: fastData-shared-backups, file: {name}, url: "file://{path}", sha256: "{digest}" }}
"""


def house(site: VmSite, scratch: Path, guests: Mapping[str, str], more: str = "") -> None:
    """Declare guests, file name → text, and further sections of the node's."""
    made = scratch / template.NAME
    if not made.exists():
        _make_template(scratch, made)
    sent = Text(base64.b64encode(made.read_bytes()).decode())
    assert site.node.run(f"base64 -d >{template.PATH}", sent).status == 0
    digest = (scratch / "digest").read_text()
    declared = HOUSING.format(name=template.NAME, path=template.PATH, digest=digest)
    sections = STORAGE.replace("zfs_dataset:\n", declared.partition("ct_template")[0])
    sections = sections.replace("content: [backup]", "content: [backup, vztmpl]")
    site.declare(sections + "ct_template" + declared.partition("ct_template")[2] + more)
    site.guests.mkdir()
    for name, text in guests.items():
        (site.guests / f"{name}.yaml").write_text(text)


def _make_template(scratch: Path, made: Path) -> None:
    userland = next(image.folder().glob("userland-*.tar"))
    with tarfile.open(userland) as archive:
        busybox = archive.extractfile("./usr/bin/busybox")
        assert busybox is not None
        (scratch / template.BUSYBOX).parent.mkdir(exist_ok=True)
        (scratch / template.BUSYBOX).write_bytes(busybox.read())
    (scratch / template.BUSYBOX).chmod(0o755)
    (scratch / "digest").write_text(template.make(scratch, made))
