"""Confs of virtual machines: what is read, what is written, and that nothing is lost on the way."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from phoenix_hypervisor.dialects import lxc_conf, qemu_conf, qemu_properties
from phoenix_hypervisor.dialects.qemu_conf import Conf, Section

RECORDED = Path(__file__).resolve().parents[3] / "shared/pve/transcripts"
TEXT = """\
#a vm%3A 50%25
agent: 1
boot: order=scsi0;net0
cores: 02
name: desk
net0: virtio=BC:24:11:00:00:02,bridge=vmbr0,firewall=1
scsi0: tank:vm-101-disk-0,discard=on,size=50G
nonsense

[PENDING]
cores: 4
delete: net0,scsi1

[special:cloudinit]
added: searchdomain
ipconfig0: ip=10.0.0.2/24

[before]
#as it was
cores: 1
snaptime: 1795376879
"""


def test_a_conf_is_read_by_its_sections():
    conf = qemu_conf.parse(TEXT)
    assert conf.description == "a vm: 50%"
    assert conf.keys["cores"] == "2"
    assert conf.active.unread == ("nonsense",)
    assert conf.waiting == {"net0": None, "scsi1": None, "cores": "4"}
    assert conf.snapshots["before"].description == "as it was"
    assert set(conf.snapshots) == {"before"}
    assert qemu_conf.unlike_drive(TEXT) == {"searchdomain", "ipconfig0"}


def test_an_old_name_of_a_drive_is_its_new_one():
    assert qemu_conf.parse("cdrom: none,media=cdrom\n").keys == {"ide2": "none,media=cdrom"}


def test_all_confs_come_in_one_answer():
    answer = f"==> 101.conf <==\n{TEXT}\n==> 102.conf <==\nname: other\n"
    assert list(qemu_conf.split_all(answer)) == ["101", "102"]
    with pytest.raises(ValueError, match=r"/etc/pve/qemu-server: there are two headers for 101\.conf"):
        qemu_conf.split_all("==> 101.conf <==\n\n==> 101.conf <==\n")


WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)
KEYS = st.dictionaries(st.from_regex(r"[a-z][a-z]{1,8}[0-9]?", fullmatch=True), WORD, max_size=6)


def without(keys):
    special = ("description", "delete", "snapstate", "cdrom")
    return {key: qemu_properties.scalar(key, value) for key, value in keys.items() if key not in special}


SECTION = st.builds(
    lambda text, keys: Section(text.strip("\n"), without(keys)),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=20),
    KEYS,
)


@given(
    SECTION,
    KEYS,
    st.dictionaries(st.from_regex(r"[a-z][a-z0-9_-]{1,6}", fullmatch=True), SECTION, max_size=2),
)
def test_what_is_written_is_read_again(active, pending, snapshots):
    snapshots.pop("pending", None)
    conf = Conf(active, Section("", without(pending)), snapshots)
    assert qemu_conf.parse(qemu_conf.write(conf)) == conf


# Property strings


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        (
            "net0",
            "virtio=bc:24:11:00:00:02,bridge=vmbr0",
            "bridge=vmbr0,model=virtio,macaddr=BC:24:11:00:00:02",
        ),
        ("net0", "virtio,bridge=vmbr0,firewall=0", "model=virtio,bridge=vmbr0"),
        ("scsi0", "tank:vm-1-disk-0,size=1024M,backup=yes", "file=tank:vm-1-disk-0,size=1G"),
        ("scsi0", "volume=tank:vm-1-disk-0,ssd=on", "tank:vm-1-disk-0,ssd=1"),
        ("agent", "1", "enabled=1,type=virtio"),
        ("agent", "0", "enabled=no"),
        ("machine", "pc", "type=pc"),
        ("vga", "std", "type=std"),
        ("startup", "3,up=05", "order=3,up=5"),
        ("ipconfig0", "gw=10.0.0.1,ip=10.0.0.2/24", "ip=10.0.0.2/24,gw=10.0.0.1"),
        ("hostpci0", "0000:01:00,pcie=1,rombar=1", "host=0000:01:00,pcie=yes"),
        ("boot", "order=scsi0;net0", "order=scsi0;net0;"),
        ("hotplug", "1", "usb,disk,network"),
    ],
)
def test_two_spellings_of_one_thing_mean_the_same(key, one, other):
    assert qemu_properties.same(key, one, other)
    assert qemu_properties.same(key, other, one)


@pytest.mark.parametrize(
    ("key", "one", "other"),
    [
        ("net0", "virtio,bridge=vmbr0", "e1000,bridge=vmbr0"),
        ("scsi0", "tank:vm-1-disk-0,size=1G", "tank:vm-1-disk-0,size=2G"),
        ("scsi0", "tank:vm-1-disk-0", "tank:vm-1-disk-0,ssd=1"),
        ("agent", "1", "1,freeze-fs-on-backup=0"),
        ("boot", "order=scsi0;net0", "order=net0;scsi0"),
        ("hotplug", "0", "1"),
        ("machine", "q35", "pc"),
    ],
)
def test_two_things_do_not(key, one, other):
    assert not qemu_properties.same(key, one, other)


@pytest.mark.parametrize(
    ("key", "values", "text"),
    [
        ("net0", {"model": "virtio", "bridge": "vmbr0"}, "virtio,bridge=vmbr0"),
        (
            "net0",
            {
                "bridge": "vmbr0",
                "tag": "5",
                "model": "virtio",
                "macaddr": "BC:24:11:00:00:02",
                "firewall": "1",
            },
            "virtio=BC:24:11:00:00:02,bridge=vmbr0,firewall=1,tag=5",
        ),
        ("scsi0", {"size": "1G", "file": "tank:x", "discard": "on"}, "tank:x,discard=on,size=1G"),
        ("startup", {"order": "1", "up": "5"}, "1,up=5"),
    ],
)
def test_a_property_string_is_written_as_proxmox_writes_it(key, values, text):
    assert qemu_properties.write(key, values) == text
    assert qemu_properties.parse(key, text) == values


def test_what_no_property_string_can_hold_is_refused():
    with pytest.raises(ValueError, match="cannot be written"):
        qemu_properties.write("scsi0", {"file": "tank:x", "serial": "a,b"})


def test_volumes_are_told_from_drives_without_one():
    keys = {
        "scsi0": "tank:vm-1-disk-0,size=1G", "ide2": "none,media=cdrom", "unused0": "tank:vm-1-disk-2",
        "efidisk0": "tank:vm-1-disk-1,size=1M", "scsihw": "virtio-scsi-single", "sata0": "/dev/sdb",
    }  # fmt: skip
    assert qemu_properties.volumes(keys) == {
        "scsi0": "tank:vm-1-disk-0", "unused0": "tank:vm-1-disk-2", "efidisk0": "tank:vm-1-disk-1",
    }  # fmt: skip


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recordings are not here")
def test_recorded_confs_are_read_and_written_byte_for_byte():
    found = 0
    for topic in ("05-qm-access-pvesh", "09-misc-relocated"):
        for line in (RECORDED / f"{topic}.jsonl").read_text().splitlines():
            entry = json.loads(line)
            if entry["command"].startswith("cat /etc/pve/qemu-server/"):
                found += 1
                assert qemu_conf.write(qemu_conf.parse(entry["stdout"])) == entry["stdout"]
                for key, value in qemu_conf.parse(entry["stdout"]).keys.items():
                    if qemu_properties.is_disk(key) or key.startswith("net"):
                        assert qemu_properties.write(key, qemu_properties.parse(key, value)) == value
    assert found == 6


def test_digest_is_that_of_all_guests():
    assert qemu_conf.digest("") == lxc_conf.digest("")
