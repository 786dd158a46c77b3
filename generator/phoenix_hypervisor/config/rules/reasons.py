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
        "an address of two guests (or a clone and its layer), of guest and node, of two interfaces of a node",
        "whoever answers first gets the packets",
        "give each its own; the same address in another VLAN is another one",
    ),
    Rule(
        "V-02",
        "a disk that two pools take; a PCI slot that two cards have; a VMID, a name, a host name or a "
        "MAC that two guests have",
        "the second pool would never be made; Proxmox has one list of numbers, the network one of "
        "names and addresses",
        "one each; leave `mac` out, and Proxmox draws one",
    ),
    Rule(
        "V-03",
        "a key that nobody knows",
        "what was meant would be left undone, and nobody told",
        "the hint names the nearest one",
    ),
    Rule(
        "V-04",
        "a known key in the wrong place: a section of guests in a node's file, `profiles` in a "
        "profile, a setting beside its section",
        "it would do nothing where it stands",
        "the hint says where it belongs",
    ),
    Rule(
        "V-05",
        "a name, standing as a key, that is malformed; a key that is no plain word",
        "what it names could not be made, or asked for",
        "the message says how such names are spelled",
    ),
    Rule(
        "V-06",
        "a profile that there is not",
        "what it was to bring would be missing",
        "the hint names the nearest one",
    ),
    Rule(
        "V-07",
        "what runs in Docker, where neither its guest nor a layer below has Docker; with graphics cards, "
        "where neither has NVIDIA's container toolkit",
        "it could not be started",
        "declare a `docker_engine` or a `nvidia_container_toolkit`, or clone a layer that has one",
    ),
    Rule(
        "V-08",
        "Docker declared for a guest whose layer has it",
        "it would be looked after twice, and the clone keeps its own version of what its layer has",
        "leave it out: a clone has what its layer has",
        warning=True,
    ),
    Rule(
        "V-09",
        "`!file` that names no text in `configs/files/`",
        "a script, a unit or a key would be empty",
        "the hint names the nearest one",
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
        "V-18",
        "a dataset with its pool in its own name, beside the one without: `tank/tank-iso` and `tank/iso`",
        "it is there by mistake, and half of the files lie in the wrong one",
        "keep one of them",
        warning=True,
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
        "V-21",
        "a raw `lxc.*` value that would be more than one line",
        "a setting that is torn apart means something else",
        "one value, one line: several of them in a list",
    ),
    Rule(
        "V-22",
        "`lxc.cap.keep` together with `lxc.cap.drop`; a raw `lxc.*` setting that Proxmox does not keep",
        "LXC does not start such a container; what is not kept does nothing",
        "say one of them; the message says what is declared instead",
    ),
    Rule(
        "V-23",
        "an AppArmor profile said twice, in `apparmor` and in `raw`; raw settings of AppArmor for a "
        "container that is unconfined",
        "one would win, and nobody knows which; the others do nothing",
        "say it once",
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
        "V-37",
        "NVIDIA's libraries in a container that has no card, by itself or from its layer",
        "they are hundreds of megabytes, and follow each driver, for nothing",
        "name a card in `gpus`, or clone a layer without",
        warning=True,
    ),
    Rule(
        "V-38",
        "one thing said twice, and not alike: a line of /etc/hosts that gives a guest or node another"
        " address than its own file; two lines for one name; an option of vLLM or Samba that has a field",
        "which is true depends on who is asked",
        "say it once: what can be derived is derived",
    ),
    Rule(
        "V-39",
        "a profile that nobody names; an allowance for what is not declared",
        "it does nothing, and somebody relies on it",
        "take it out, or mend the name",
        warning=True,
    ),
    Rule(
        "V-40",
        "a password, token or key in plain text: in a setting with such a name, in a text that gives "
        "one its value, or as a private key, a hash or a token that looks like one",
        "files are read, copied and kept in a history for ever",
        "`!secret NAME`; change what stood there; `allow: {literals: [KIND:NAME]}` if it is none",
    ),
    Rule(
        "V-41",
        "an image without a digest",
        "it is another one tomorrow, and no two hosts have the same",
        "`name:tag@sha256:…`",
    ),
    Rule(
        "V-42",
        "a name server that is a guest or node of the site, where nothing answers for names",
        "every name would take its time, and then fail",
        "mend the address; `expose: {53/udp: …}` if something does answer there",
    ),
    Rule(
        "V-43",
        "an app in Docker with a variable that has no value, a volume or network that it does not "
        "declare, or an `external` one that no app of the host brings",
        "Compose would not start it, or start it with nothing in the place of the value",
        "`env`, `volumes`, `networks`; leave out `external`",
    ),
    Rule(
        "V-44",
        "one thing from two sources: a key twice in a mapping, a file as .yaml and .json, a guest "
        "that is container and virtual machine",
        "one of them is not read, and nobody is told which",
        "keep one",
    ),
    Rule(
        "V-45",
        "a guest's `ready` command that names a file of the node's",
        "it is run in the guest, where that file is not: the guest would never be ready",
        "a command that the guest has, or a `host_file` of its own",
    ),
    Rule(
        "V-47",
        "a name that is not valid where it is used: a guest's or a hostname that is none for DNS, two"
        " shares that Samba does not tell apart",
        "it would be refused there, or become another one",
        "small letters, digits and `-`",
    ),
    Rule(
        "V-48",
        "a name that speaks of another model than is served: of another family or size, of chat where"
        " there are embeddings",
        "who asks for the one gets answers of the other",
        "name it for what it does",
        warning=True,
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
    Rule(
        "V-55",
        "what somebody `uses` and nobody serves there: a role, a model's name, a dimension, a collection",
        "it would start, and get errors for answers",
        "mend the name, or the `uses`; the hint says what there is",
    ),
)
RULES = {rule.id: rule for rule in _ALL}
"""Every rule by its id."""
