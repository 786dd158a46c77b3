"""Virtual machines from an image to nothing: made, entered, changed, cut, shut down, rebuilt, destroyed."""

import json
import shlex
import shutil

import pytest
from tests.lab.containers import HARDWARE, NODE, NODE_SECTIONS, STORAGES, Containers
from tests.lab.running import REPOSITORY, LabSite
from tests.lab.small import SmallSite

from phoenix_hypervisor.config import load
from phoenix_hypervisor.errors import ExitCode
from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.looks import Status
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect
from phoenix_hypervisor.machines import conf
from phoenix_hypervisor.observe.kinds_page import yaml
from phoenix_hypervisor.resource import Effect, Ref

URL = "https://cloud-images.ubuntu.com/releases/noble/release-20260814/ubuntu-24.04-server-cloudimg-amd64.img"
SHA256 = "6e40c07ae715f744f84af0bec76415cc1987dd115b4b8de437818561f01a3733"
IMAGE = {"url": URL, "sha256": SHA256, "vmid": 9000, "storage": "tank-disks", "room": "1G"}
DESK = "101-desk"
CLOUD = {
    "storage": "tank-disks",
    "snippets": "tank-hooks",
    "users": {"heads": {"groups": ["sudo"], "sudo": "all", "keys": ["ssh-ed25519 AAAA heads@desk"]}},
    "files": {"/etc/hello": {"content": 'a "word": yes\n', "mode": "0600"}},
    "commands": ["echo done > /etc/first-start"],
    "nameserver": ["10.0.0.1"],
}
VM = {
    "image": "ubuntu",
    "cores": 2,
    "memory": "1G",
    "machine": "q35",
    "scsihw": "virtio-scsi-single",
    "disks": {"scsi0": {"storage": "tank-disks", "size": "4G", "discard": True, "ssd": True}},
    "net": {"net0": {"bridge": "vmbr0", "ip": "10.0.0.60/24", "gw": "10.0.0.1"}},
    "cloud_init": CLOUD,
    "ready": {"seconds": 300},
    "shutdown": {"seconds": 5},
}
INSIDE = {"apt_package": {"jq": {}}, "host_file": {"/etc/desk.conf": {"content": "desk = 1\n"}}}
REF = Ref(NODE, "vm", "101")


def declared(**settings):
    return {DESK: {"vm": {**VM, **settings}, **INSIDE}}


class Machines(Containers):
    """The site; its node has the image's template besides what containers need."""

    @classmethod
    def fresh(cls, folder):
        site = super().fresh(folder)
        site.declare_node(vm_image={"ubuntu": IMAGE})
        return site

    def declare_node(self, **sections):
        thin = {
            name: {**storage, "sparse": True} if storage["type"] == "zfspool" else storage
            for name, storage in STORAGES.items()
        } | {"tank-hooks": {**STORAGES["tank-hooks"], "content": ["snippets", "backup"]}}
        text = yaml({"hardware": HARDWARE, **NODE_SECTIONS, "pve_storage": thin, **sections})
        (self.folder / f"configs/nodes/{NODE}.yaml").write_text(text)

    def copy(self, folder):
        site = super().copy(folder)
        return Machines(site.folder)

    def conf(self, vmid="101"):
        return self.on_node(f"cat /etc/pve/qemu-server/{vmid}.conf")

    def inside(self, command, vmid="101"):
        said = json.loads(self.on_node(f"qm guest exec {vmid} -- sh -c {shlex.quote(command)}"))
        assert said["exitcode"] == 0, said
        return said.get("out-data", "")

    def look(self, run, ref=REF):
        return next(entry.look for entry in run.plan.entries if entry.ref == ref)


@pytest.fixture(scope="session")
def _with_one(tmp_path_factory):
    made = Machines.fresh(tmp_path_factory.mktemp("machines") / "one")
    made.declare(declared())
    run = made.apply()
    assert (run.outcome.stuck, run.code) == ({}, ExitCode.OK)
    assert sorted(ran.title for ran in run.outcome.ran) == sorted(run.titles)
    assert made.apply().nothing
    return made


@pytest.fixture
def one(_with_one, tmp_path):
    """A node with one machine that runs."""
    return _with_one.copy(tmp_path / "site")


def test_a_machine_is_made_of_an_image_and_is_a_host_like_any_other(one):
    conf = one.conf()
    assert "scsi0: tank-disks:vm-101-disk-0,discard=on,size=4G,ssd=1\n" in conf
    assert "tags: phoenix\n" in conf
    assert "description" not in conf
    assert "#" not in conf
    assert one.inside("cat /etc/hostname /etc/hello /etc/first-start /etc/desk.conf") == (
        'desk\na "word": yes\ndone\ndesk = 1\n'
    )
    assert one.inside("stat -c %a /etc/hello; cat /home/heads/.ssh/authorized_keys") == (
        "600\nssh-ed25519 AAAA heads@desk\n"
    )
    assert "10.0.0.60" in one.inside("cat /etc/netplan/50-cloud-init.yaml")
    assert one.inside("dpkg-query -W -f '${Status}\\n' jq qemu-guest-agent") == "install ok installed\n" * 2
    assert "#phoenix image " in one.conf("9000")
    assert "ipconfig" not in one.conf("9000")


def test_what_differs_is_one_command_and_keeps_what_is_not_ours(one):
    one.on_node("qm set 101 --scsi3 tank-disks:1 --tags 'phoenix;theirs'")
    before = one.conf()
    disks = {"scsi0": {**VM["disks"]["scsi0"], "size": "5G"}, "scsi1": {"storage": "tank-more", "size": "1G"}}
    one.declare(declared(description="The desk", disks=disks, onboot=True, tags=["ai"]))
    run = one.apply()
    assert run.code is ExitCode.OK
    assert run.titles == [
        "qm resize 101 scsi0 5G",
        "qm set 101 --onboot 1 --description 'The desk' --tags 'ai;phoenix;theirs' --scsi1 tank-more:1",
        "note which parts of 101 are ours",
    ]
    assert run.effect is Effect.HOT
    after = one.conf()
    for key in ("net0", "scsi3", "smbios1", "vmgenid"):
        line = next(line for line in before.splitlines() if line.startswith(f"{key}: "))
        assert line in after.splitlines()
    assert "scsi1: tank-more:vm-101-disk-0,size=1G\n" in after
    assert one.run().nothing
    one.declare(declared())
    run = one.apply()
    # the larger disk stays: it is said
    assert run.reasons == ["the disk has 5G, and no disk is made smaller (4G)"]
    assert "unused0: tank-more:vm-101-disk-0\n" in one.conf()


def test_what_waits_for_a_start_is_told_and_taken_at_a_restart(one):
    net = {"net0": {**VM["net"]["net0"], "ip": "10.0.0.61/24"}}
    one.declare(declared(cores=4, net=net))
    run = one.apply()
    assert (run.code, run.effect) == (ExitCode.FAILED, Effect.HOT)
    wait = "cores, addresses.net0 wait for the next start of desk: `phoenix restart desk`"
    assert run.reasons == [wait]
    assert "[PENDING]\ncores: 4\n" in one.conf()
    run = one.run()
    assert run.reasons == [wait]
    one.declare(declared(cores=4, net=net, restart="auto"))
    run = one.apply()
    assert (run.code, run.effect) == (ExitCode.OK, Effect.RESTART)
    assert "[PENDING]" not in one.conf()
    assert "10.0.0.61" in one.inside("cat /etc/netplan/50-cloud-init.yaml")
    assert one.inside("cat /etc/first-start") == "done\n"
    assert one.run().nothing


def test_cloud_init_is_done_once_and_another_wish_is_said(one):
    one.declare(declared(cloud_init={**CLOUD, "packages": ["curl"]}))
    run = one.apply()
    assert run.titles == []
    assert run.reasons[0].startswith("cloud-init did its work at the first start, with other user-data")
    # a document that was lost is written again, for the machine would not start without it
    one.declare(declared())
    one.on_node("rm /tank/hooks/snippets/phoenix-101-user.yaml")
    assert one.apply().titles == ["write /tank/hooks/snippets/phoenix-101-user.yaml"]
    assert one.run().nothing


def test_a_backup_is_looked_into_beside_the_machine_it_was_made_of(one):
    by_hand = LabSite(one.folder, NODE)
    job = {"schedule": "daily", "storage": "tank-hooks", "guests": ["desk"], "notes": "{{guestname}}"}
    one.declare_node(vm_image={"ubuntu": IMAGE}, backup_job={"nightly": job})
    unsaved = {"scsi1": {"storage": "tank-more", "size": "1G", "backup": False}}
    one.declare(declared(onboot=True, protection=True, disks={**VM["disks"], **unsaved}))
    assert one.apply().code is ExitCode.OK
    one.inside("echo kept >/root/file")
    ran = by_hand.run("backup", "desk")
    assert (ran.status, ran.out) == (0, "✓ 101 desk is saved\n"), ran
    one.inside("echo later >/root/file")
    before = one.conf()
    ran = by_hand.run("restore", "desk", "--as", "999", "--start")
    assert ran.status == 0, ran
    assert ran.out.endswith(" is 999 now: it runs, its networks are plugged out\n")
    assert "`qm destroy 999 --purge` on pve1 takes it away" in ran.err
    assert one.conf() == before
    assert one.inside("cat /root/file", "999") == "kept\n"
    keys = dict(line.split(": ", 1) for line in one.conf("999").splitlines() if ": " in line)
    named = ("name", "onboot", "protection", "tags")
    assert [keys[key] for key in named] == ["desk-restored", "0", "0", "restored"]
    assert keys["net0"].endswith(",link_down=1")
    assert keys["net0"].partition(",")[0] not in before
    assert {"ide2", "cicustom", "scsi1"}.isdisjoint(keys)
    assert keys["scsi0"] == "tank-disks:vm-999-disk-0,discard=on,size=4G,ssd=1"
    # it is nobody's, and goes without a trace
    again = one.run()
    assert again.nothing
    assert again.notices == ["in no backup (101 desk: scsi1)"]
    one.on_node("qm stop 999; qm destroy 999 --purge")
    assert "999" not in one.on_node("zfs list -Ho name")
    # a locked machine is not saved, and a broken archive leaves nothing
    one.on_node("sed -i '1i lock: migrate' /etc/pve/qemu-server/101.conf")
    ran = by_hand.run("backup", "desk")
    assert (ran.status, "`qm unlock 101` on pve1 frees it" in ran.err) == (1, True), ran
    one.on_node("truncate -s 100 /tank/hooks/dump/*.vma.zst")
    ran = by_hand.run("restore", "desk", "--as", "999")
    assert (ran.status, "nothing is left of 999" in ran.err) == (1, True), ran
    assert "999" not in one.on_node("zfs list -Ho name")


def test_packages_are_upgraded_in_the_machine_itself(one):
    done = LabSite(one.folder, NODE).run("upgrade", "desk", "--yes")
    assert done.status == 0, done
    assert done.out == (
        "desk\n  ~ libc6  1.0 → 2.41-12\n  ~ tzdata  1.0 → 2025b-4+deb13u1\n  2 to upgrade\n"
        "✓ desk is up to date\n"
    )
    assert "Setting up libc6 (2.41-12) ..." in one.inside("cat /var/log/phoenix/upgrade-desk.log")
    assert "notice: desk uses libc6 of before until a `phoenix restart`\n" in done.err


def test_an_agent_that_is_silent_is_told_and_the_rest_goes_on(one):
    one.on_node("qm guest exec 101 -- systemctl stop qemu-guest-agent")
    one.declare({**declared(onboot=True), "102-other": {"vm": {**VM, "state": "stopped", "net": {}}}})
    run = one.apply()
    looks = run.outcome.looks
    assert looks[REF].status is Status.UNHEALTHY
    assert {look.status for ref, look in looks.items() if ref.host == "desk"} <= {
        Status.BLOCKED,
        Status.UNKNOWN,
    }
    assert run.code not in (ExitCode.OK, ExitCode.PENDING)
    assert "onboot: 1\n" in one.conf()
    assert "name: other\n" in one.conf("102")


def test_a_machine_that_does_not_shut_down_is_dealt_with_as_declared(one):
    deaf = 'sed -i \'s/"machine": true/"deaf": true, "machine": true/\' /var/lib/phoenix-lab/model.json'
    for then, code in (("fail", ExitCode.FAILED), ("stop", ExitCode.OK)):
        one.on_node(deaf)
        one.declare(declared(state="stopped", shutdown={"seconds": 1, "then": then}))
        run = one.apply()
        assert run.code is code, then
        running = one.on_node("ls /sys/fs/cgroup/qemu.slice")
        assert running == ("101.scope\n" if then == "fail" else "")
    # one that obeys when it is asked once more is down with `wait`, and runs on with `fail`
    one.declare(declared())
    assert one.apply().code is ExitCode.OK
    busy = 'if [ "$1" = shutdown ] && [ ! -e /run/asked ]; then : >/run/asked; exit 255; fi'
    one.on_node("mv /usr/local/sbin/qm /usr/local/sbin/qm.whole")
    lines = shlex.join(["#!/bin/sh", busy, 'exec /usr/local/sbin/qm.whole "$@"'])
    one.on_node(f"printf '%s\\n' {lines} >/usr/local/sbin/qm; chmod 755 /usr/local/sbin/qm")
    for then, code in (("fail", ExitCode.FAILED), ("wait", ExitCode.OK)):
        one.on_node("rm -f /run/asked")
        one.declare(declared(state="stopped", shutdown={"seconds": 1, "then": then}))
        assert one.apply().code is code, then
        assert ("101" in one.on_node("ls /sys/fs/cgroup/qemu.slice")) == (then == "fail")


def test_another_image_is_made_under_no_linked_clone_and_a_full_one_is_only_told(one):
    one.on_node("qm set 9000 --ipconfig0 ip=10.0.0.45/24")
    run = one.apply()
    assert (run.code, run.titles) == (ExitCode.OK, ["qm set 9000 --delete ipconfig0"])
    assert "10.0.0.45" not in one.conf("9000")
    one.on_node("qm clone 9000 105 --name theirs")
    one.declare_node(vm_image={"ubuntu": {**IMAGE, "storage": "tank-more"}})
    run = one.apply()
    todo = "declare the new one under another name and VMID, or destroy those first"
    assert run.reasons == [f"linked clones share the present template (105): {todo}"]
    one.on_node("qm destroy 105")
    run = one.apply()
    assert run.code is ExitCode.OK
    assert "scsi0: tank-more:base-9000-disk-0," in one.conf("9000")
    assert len(one.run().notices) == 1


def test_an_image_with_another_checksum_makes_nothing(one):
    one.declare_node(vm_image={"ubuntu": {**IMAGE, "sha256": SHA256.replace("6", "7")}})
    before = one.conf("9000")
    run = one.apply()
    assert run.code is ExitCode.FAILED
    assert "nothing was changed" in str(run.outcome.stuck)
    assert one.conf("9000") == before


def test_a_number_that_a_container_has_is_not_taken(one):
    one.on_node("printf 'arch: amd64\\nhostname: theirs\\n' >/etc/pve/lxc/102.conf; lxc-ls >/dev/null")
    one.declare({"102-other": {"vm": VM}})
    run = one.apply()
    assert run.reasons == [
        f"VMID 102 is taken by a container on the node {NODE}: move it, or choose another VMID"
    ]


def test_one_that_a_run_left_half_made_is_finished(one):
    one.on_node("mkdir -p /var/lib/phoenix/made/vm && echo from >/var/lib/phoenix/made/vm/102 && "
                "printf 'lock: clone\\n' >/etc/pve/qemu-server/102.conf")  # fmt: skip
    one.declare({**declared(), "102-other": {"vm": {**VM, "state": "stopped", "net": {}}}})
    run = one.apply()
    assert (run.outcome.stuck, run.code) == ({}, ExitCode.OK)


def test_its_further_disks_outlive_it_and_come_back(one):
    disks = {**VM["disks"], "scsi1": {"storage": "tank-more", "size": "1G"}}
    one.declare(declared(disks=disks))
    assert one.apply().code is ExitCode.OK
    card = next(line for line in one.conf().splitlines() if line.startswith("net0: "))
    one.declare({DESK: {"vm": {**VM, "disks": disks, "state": "absent"}}})
    assert one.apply().code is ExitCode.FAILED
    run = one.apply(destroy=("vm:101",))
    assert run.code is ExitCode.OK
    assert one.on_node("ls /etc/pve/qemu-server /tank/hooks/snippets") == (
        "/etc/pve/qemu-server:\n9000.conf\n\n/tank/hooks/snippets:\none.sh\ntwo.sh\n"
    )
    assert "tank/more/vm-101-disk-0" in one.on_node("zfs list -Ho name")
    one.declare(declared(disks=disks))
    assert one.apply().code is ExitCode.OK
    assert "scsi1: tank-more:vm-101-disk-0,size=1G\n" in one.conf()
    assert card in one.conf()
    assert one.run().nothing
    # the same at once, by hand: what was in it is gone, and nobody's data
    one.on_node("qm guest exec 101 -- touch /root/lost; qm snapshot 101 old")
    ran = LabSite(one.folder, NODE).run("recreate", "desk", "--yes")
    assert ran.status == 0, ran
    assert "scsi1: tank-more:vm-101-disk-0,size=1G\n" in one.conf()
    assert card in one.conf()
    assert "[old]" not in one.conf()
    assert one.inside("cat /etc/desk.conf; test ! -e /root/lost && echo gone") == "desk = 1\ngone\n"
    assert one.run().nothing


def test_many_machines_cost_no_more_round_trips_than_one(one):
    trips = []
    for number in (1, 100):
        one.declare({f"{200 + n}-m{n}": {"vm": {**VM, "state": "stopped", "net": {}}} for n in range(number)})
        site = load(one.folder)
        for resource in (resource for ref, resource in site.resources.items() if ref.kind == "vm"):
            text = conf.rendered(resource).replace("<volume>", f"vm-{resource.vmid}-disk-0")
            (one.node.root / f"etc/pve/nodes/{NODE}/qemu-server/{resource.vmid}.conf").write_text(text)
            made = one.node.root / "var/lib/phoenix/made/vm"
            (made / resource.vmid).write_text(resource.origin + "\n")
            (made / f"{resource.vmid}.parts").write_text("\n".join(resource.noted_parts) + "\n")
        opened = OpenSite(site, Fleet(site.inventory, one.folder, guests=site.guests.values()))
        try:
            looks = inspect(opened, opened.scope(()), probes=False).looks()
            trips.append(dict(opened.fleet.trips()))
        finally:
            opened.fleet.close()
        found = {name for ref, look in looks.items() if ref.kind == "vm" for name in look.change.attributes}
        assert found == {"seed"}
    assert trips[0] == trips[1]
    assert max(trips[1].values()) <= 8


def test_the_example_gives_a_desktop_one_card_and_proves_that_no_container_has_it(tmp_path):
    example = SmallSite(tmp_path / "desktop-gpu", "phoenix")
    shutil.copytree(
        REPOSITORY / "examples/desktop-gpu", example.folder, ignore=shutil.ignore_patterns(".phoenix")
    )
    assert example.run("secrets", "init").status == 0
    password = b"canary-desk-4Tz!"
    assert example.run("secrets", "set", "desktop/heads", stdin=password).status == 0
    assert example.run("lab", "up").status == 0
    applied = example.run("apply", "--yes", "--reboot")
    assert applied.status == 0, applied.out + applied.err
    again = example.run("apply", "--yes", "--reboot")
    assert (again.status, again.out.splitlines()[-1].endswith("nothing to do")) == (0, True)
    conf_of = example.on_node("cat /etc/pve/qemu-server/8001.conf")
    assert "hostpci0: 0000:05:00,pcie=1\n" in conf_of
    assert "size=50G" in conf_of
    assert "vfio-pci" in example.on_node("lspci -nnk -s 05:00.0")
    # the probes of `apply` have found both of its functions inside, and a remote desktop that speaks TLS
    both = example.on_node("qm guest exec 8001 -- sh -c 'ls /sys/bus/pci/devices'")
    assert "0000:01:00.0\\n0000:01:00.1\\n" in both
    shadow = example.on_node("qm guest exec 8001 -- grep heads /etc/shadow")
    assert "heads:$6$" in shadow
    for text in (
        applied.out,
        applied.err,
        example.on_node("cat /tank/snippets/snippets/*; cat /etc/pve/qemu-server/*"),
    ):
        assert password.decode() not in text
    (example.folder / "configs/guests/950-thief.yaml").write_text("lxc: { gpus: [gpu1] }\n")
    refused = example.run("validate")
    assert refused.status != 0
    assert "lxc:950: `gpu1` is given to virtual machines (`owner: vfio`) [V-36]" in refused.err
