"""A site whose files are wrong: each mistake is said once, with its place; nothing is done."""

import pytest
from tests.lab.running import NODE_FILE, LabSite

from phoenix_hypervisor.config.edges import connect
from phoenix_hypervisor.config.tree import Tree
from phoenix_hypervisor.errors import Where
from phoenix_hypervisor.resource import Kind, Ref

PROFILE = "configs/profiles/aiml-storage.yaml"


def said(text: str) -> str:
    """The message as it stands on stderr."""
    return f"error: {text.strip()}\n"


def one_node_more_in_the_inventory(site: LabSite) -> None:
    site.append("other: { groups: [lab] }\n", "inventory/hosts.yaml")


def one_node_more_in_configs(site: LabSite) -> None:
    (site.folder / "configs/nodes/second.yaml").write_text("hardware: { memory: 1G }\n")


MISTAKES = {
    "no YAML at all": (
        lambda site: site.edit(NODE_FILE, ("zfs_pool:\n", "zfs_pool: [\n")),
        (
            "configs/nodes/phoenix.yaml:18:10: not readable as YAML: "
            "while parsing a flow sequence, did not find expected ',' or ']'"
        ),
    ),
    "an unknown key": (
        lambda site: site.edit(NODE_FILE, ("recordsize: 128K, quota: 600G", "recordsiez: 128K, quota: 600G")),
        (
            "configs/nodes/phoenix.yaml:29:23: zfs_dataset:quickOS/vm-disks: unknown key `recordsiez`"
            " [V-03]\n  hint: did you mean `recordsize`?"
        ),
    ),
    "an unknown kind": (
        lambda site: site.append("\nnfs_exports: {}\n"),
        (
            "configs/nodes/phoenix.yaml:71:1: unknown key `nfs_exports` [V-03]\n"
            "  hint: did you mean `nfs_export`?"
        ),
    ),
    "a name that stands there twice": (
        lambda site: site.edit(NODE_FILE, ("  quickOS/lxc-disks: {", "  quickOS/vm-disks: {")),
        (
            "configs/nodes/phoenix.yaml:30:3: `quickOS/vm-disks` stands here twice [V-44]\n"
            "  hint: the first is at line 29"
        ),
    ),
    "a secret that does not exist": (
        lambda site: site.edit(PROFILE, ("samba/heads", "samba/haeds")),
        (
            "configs/profiles/aiml-storage.yaml:6:5: samba_user:heads: there is no secret `samba/haeds`\n"
            "  hint: did you mean `samba/heads`? Else: `phoenix secrets set samba/haeds`"
        ),
    ),
    "a node only in the inventory": (
        one_node_more_in_the_inventory,
        (
            "inventory/hosts.yaml:5:1: host `other` has no file in configs/nodes/\n"
            "  hint: write configs/nodes/other.yaml"
        ),
    ),
    "a node only in configs": (
        one_node_more_in_configs,
        (
            "configs/nodes/second.yaml:1:1: node `second` is not in inventory/hosts.yaml\n"
            "  hint: add it there: how it is reached"
        ),
    ),
    "a value that cannot be": (
        lambda site: site.edit(NODE_FILE, ("recordsize: 128K, quota: 600G", "recordsize: 100K, quota: 600G")),
        (
            "configs/nodes/phoenix.yaml:29:3: zfs_dataset:quickOS/vm-disks: "
            "`recordsize` must be a power of 2 from 512B to 16M"
        ),
    ),
    "a need that nobody meets": (
        lambda site: site.edit(NODE_FILE, ("pool: quickOS/vm-disks", "pool: quickOS/vm-disk")),
        (
            "configs/nodes/phoenix.yaml:48:38: pve_storage:quickOS-vm-disks: "
            "`quickOS/vm-disk` is not a declared dataset [V-17]\n"
            "  hint: did you mean `quickOS/vm-disks`?"
        ),
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_files_is_one_message_and_nothing_is_done(converged, mistake):
    make, message = MISTAKES[mistake]
    make(converged)
    with converged.nothing_done():
        ran = converged.run("apply", "--yes")
    assert (ran.status, ran.out, ran.err) == (1, "", said(message))


def test_all_mistakes_are_said_at_once_in_the_order_of_the_files(converged):
    converged.edit(
        NODE_FILE,
        ("recordsize: 128K, quota: 600G", "recordsiez: 128K, quota: 600G"),
        ("read_only: false", "read_olny: false"),
    )
    one_node_more_in_configs(converged)
    ran = converged.run("plan")
    assert ran.status == 1
    # the second mistake stands in `*`: five shares have it, and it is one mistake
    assert ran.err == said(
        """
configs/nodes/phoenix.yaml:29:23: zfs_dataset:quickOS/vm-disks: unknown key `recordsiez` [V-03]
  hint: did you mean `recordsize`?
configs/nodes/phoenix.yaml:62:5: samba_share:*: unknown key `read_olny` [V-03]
  hint: did you mean `read_only`?
configs/nodes/second.yaml:1:1: node `second` is not in inventory/hosts.yaml
  hint: add it there: how it is reached
"""
    )


def test_a_name_on_the_command_line_that_does_not_exist_is_wrong_usage(converged):
    target = converged.run("apply", "--yes", "--target", "zfs_dataset:quickOS/vmdisks")
    assert (target.status, target.out, target.err) == (
        64,
        "",
        (
            "error: no resource `zfs_dataset:quickOS/vmdisks`\n"
            "  hint: did you mean `zfs_dataset:quickOS/vm-disks`?\n"
        ),
    )
    host = converged.run("plan", "--host", "phoenx")
    assert (host.status, host.out, host.err) == (
        64,
        "",
        "error: no host `phoenx`\n  hint: did you mean `phoenix`?\n",
    )


class Ring(Kind):
    """A kind of which each needs the next: none of the real ones can be declared in a circle."""

    next: str

    def needs(self):
        yield f"ring:{self.next}"


def test_a_circle_of_needs_is_shown_as_a_circle():
    rings = {Ref("pve", "ring", name): Ring(name=name, next=to) for name, to in ("ab", "bc", "ca")}
    problems = []
    connect(rings, {ref: Tree({}, Where("configs/nodes/pve.yaml", 3, 1)) for ref in rings}, problems)
    assert [str(problem) for problem in problems] == [
        "configs/nodes/pve.yaml:3:1: these need each other in a loop: ring:a → ring:b → ring:c → ring:a"
    ]
