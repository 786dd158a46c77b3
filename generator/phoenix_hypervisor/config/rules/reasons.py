"""What each rule refuses, and why: said once, for `phoenix validate --explain` and for docs/rules.md."""

from typing import NamedTuple


class Rule(NamedTuple):
    """A rule with an id, in the words of docs/rules.md."""

    id: str
    refused: str
    why: str
    advice: str
    """What to do."""
    warning: bool = False
    """It is told, and nothing is refused."""


_ALL = (
    Rule(
        "V-01",
        "an address that two guests have, a guest and a node, or two interfaces of a node",
        "whoever answers first gets the packets",
        "give each its own; the same address in another VLAN is another one",
    ),
    Rule(
        "V-02",
        "a disk that two pools take; a PCI slot that two cards have; a VMID, a host name or a MAC "
        "that two guests have",
        "the second pool would never be made; Proxmox has one list of numbers, the network one of "
        "names and addresses",
        "one each; leave `mac` out, and Proxmox draws one",
    ),
    Rule(
        "V-07",
        "what runs in Docker, where neither its guest nor a layer below has Docker",
        "it could not be started",
        "declare a `docker_engine`, or clone a layer that has one",
    ),
    Rule(
        "V-08",
        "Docker declared for a guest whose layer has it",
        "it would be looked after twice, and the clone keeps its own version of what its layer has",
        "leave it out: a clone has what its layer has",
        warning=True,
    ),
    Rule(
        "V-13",
        "a clone of what is no layer; a layer with a folder of the node mounted; one with another "
        "`unprivileged` than its layer, or a smaller disk; a guest made from an archive that is not "
        "declared",
        "it could not be made, or sealed; its files would belong to ids it does not have; Proxmox "
        "does not shrink disks, and takes no snapshot of a container with a folder of the node",
        "mend the name; say the same as the layer, and at least its size; mount folders into the clones",
    ),
    Rule(
        "V-14",
        "layers, clones and `after` in a loop",
        "none of them could ever be built",
        "the message shows the loop",
    ),
    Rule(
        "V-15",
        "a layer that waits for a workload",
        "every guest on top of it would wait too",
        "let the clones wait",
    ),
    Rule(
        "V-16",
        "a guest that waits for one that is not there, starts before it, or starts with the node when"
        " that one does not",
        "it would come up without it",
        "give the other a lower `startup.order`, and `onboot: true`",
    ),
    Rule(
        "V-17",
        "a `zfspool` storage on a dataset that is not declared; a guest's disk, an archive or a "
        "backup job on a storage that is not declared, or does not take it",
        "Proxmox would show a storage that never becomes active; it refuses to allocate where it may not",
        "declare the dataset, or the storage; add `rootdir`, `images`, `snippets`, `vztmpl` or `backup` to "
        "its `content`",
    ),
    Rule(
        "V-19",
        "quotas of a pool's datasets that exceed its usable size",
        "the last ones are promises nobody can keep: a full pool stops all guests on it",
        "lower a quota; or allow it in writing, `allow: {quota_overcommit: 1.2}` in site.yaml",
    ),
    Rule(
        "V-20",
        "guests that start with the node, and the ARC, that exceed its memory",
        "the kernel ends whoever asks last",
        "lower a `memory`; or allow it in writing, `allow: {memory_overcommit: 1.2}` in site.yaml",
    ),
    Rule(
        "V-22",
        "`lxc.cap.keep` together with `lxc.cap.drop`",
        "LXC does not start such a container",
        "say one of them",
    ),
    Rule(
        "V-24",
        "an AppArmor profile that nobody declares",
        "a container whose profile is not loaded does not start",
        "`generated`, `unconfined`, or a `host_file` below /etc/apparmor.d of the node",
    ),
    Rule(
        "V-25",
        "a container with Docker in it that is not allowed `nesting`, and `keyctl` if it is "
        "unprivileged; with `fuse-overlayfs`, `fuse` as well",
        "Docker could mount nothing, and start nothing",
        "`features: {nesting: true, keyctl: true}`",
    ),
    Rule(
        "V-26",
        "two mounts on one path in a guest: two shared folders, or one and the guest's own `mounts`",
        "what looks shared may be two private copies",
        "one path, one mount",
    ),
    Rule(
        "V-27",
        "a shared folder or a backup job for a guest that does not exist",
        "it is a mistyped name, or one that was forgotten",
        "mend the name, or take it out",
    ),
    Rule(
        "V-28",
        "an export or a share whose path lies under no declared dataset",
        "the directory would lie on the system disk, and fill it",
        "declare the dataset, or mend the path",
    ),
    Rule(
        "V-29",
        "a path with two owners: two mountpoints, two shares of one sort, or a file that two kinds "
        "write; guests that give one shared folder to different users of the node; a dataset that "
        "says so too",
        "each apply would undo the other's",
        "one path, one owner",
    ),
    Rule(
        "V-30",
        "a `dir` storage, a shared folder or a guest's `source` that lies under no declared dataset; "
        "with `is_mountpoint`, one that is not exactly a dataset's mountpoint",
        "what is written there would fill the system disk when the dataset is not mounted",
        "declare the dataset, or mend the path",
    ),
    Rule(
        "V-32",
        "a port that is served, while nothing says who may reach it; a firewall that is declared and "
        "would do nothing: the datacenter's is off, or the guest has no interface with `firewall: "
        "true`; a guest's that lets nothing in and does not say that it means to",
        "what is served cannot be reached, or what is protected is not",
        "`expose`, a rule, or the switch that is off; [firewall.md](firewall.md)",
    ),
    Rule(
        "V-33",
        "a rule that is there twice",
        "the second does nothing",
        "take it out",
        warning=True,
    ),
    Rule(
        "V-34",
        "a rule that lets in everybody, without `source: any`",
        "one forgets the source more often than one means it",
        "name a `source`, or `any`",
        warning=True,
    ),
    Rule(
        "V-35",
        "a rule that names a guest without a static address, or a guest, alias, set or group that is "
        "not declared; one name for a host and an alias; an address outside of every declared network",
        "Proxmox leaves out a rule that it does not understand, and says so to nobody",
        "mend the name, or declare the network in `aliases`",
    ),
    Rule(
        "V-36",
        "a graphics card that the node's `hardware: gpus:` does not name; a container that asks for "
        "one with `owner: vfio`, a virtual machine that asks for one with `owner: host`, two machines"
        " for one device; a `vfio_device` for a card of the node's, or for a part of a card; a card "
        "with `owner: vfio` that no `vfio_device` gives away; shares of a card that add up to more "
        "than the card, a server in a guest with fewer cards than it needs, another one on a card "
        "that somebody is to have alone",
        "the guest, or the server in it, would not start for want of its devices or their memory: a "
        "card has one driver",
        "mend the name, or declare the card; one `owner`, and what follows from it; several "
        "containers may share a card of the node's; [gpu.md](gpu.md)",
    ),
    Rule(
        "V-40",
        "a password, token or key in plain text: in a setting with such a name, in a text that gives "
        "one its value, or as a private key, a hash or a token that looks like one",
        "files are read, copied and kept in a history for ever",
        "`!secret NAME`; change what stood there; `allow: {literals: [KIND:NAME]}` if it is none",
    ),
    Rule(
        "V-51",
        "a port on which two of a host listen; behind a gateway, a name by which two serve a model",
        "the second would not start; nobody could say which model answers",
        "give the second another `port`, or another `served_name`",
    ),
    Rule(
        "V-52",
        "a collection of a vector store whose vectors are of another length than all embeddings of the site",
        "every point that is written would be refused",
        "the same model for both: mend the collection's dimension, or the `dimension` of the server",
    ),
    Rule(
        "V-53",
        "a model whose weights do not fit into its share of the card, by their declared size or by the "
        "model's name; a service that shares a card without saying how much it takes",
        "the server would start, load for minutes, and die; or take what another one was promised",
        "a larger share, a smaller model, `weights` if the name misleads; `gpu_memory_fraction`",
        warning=True,
    ),
    Rule(
        "V-54",
        "models that would be fetched to the guest's own disk",
        "they are many gigabytes, the same in each guest, and would go with the guest",
        "mount a `shared_volume` of the node at that folder",
        warning=True,
    ),
)
RULES = {rule.id: rule for rule in _ALL}
"""Every rule by its id."""
