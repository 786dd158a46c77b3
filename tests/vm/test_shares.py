"""Exports and shares are used as clients use them, over the kernel's own NFS and Samba."""

from tests.vm.site import ADDRESS, PASSWORD, VmSite

# Somebody else's machine: a network of its own behind a cable into the bridge.
CLIENT = """\
ip netns add {name}
ip link add cable-{name} type veth peer name eth0 netns {name}
ip link set cable-{name} master vmbr0 up
ip -n {name} link set lo up
ip -n {name} address add {address} dev eth0
ip -n {name} link set eth0 up
"""


def _client(site: VmSite, name: str, address: str) -> None:
    site.on_node(CLIENT.format(name=name, address=address))


def test_the_export_is_mounted_and_written_to_from_another_machine(converged: VmSite) -> None:
    _client(converged, "near", "10.0.0.50/24")
    converged.on_node("install -d -m 777 /fastData/shared-bulk-data/models")

    export = f"{ADDRESS}:/fastData/shared-bulk-data"
    said = converged.on_node(
        f"mkdir -p /mnt/near; nsenter --net=/run/netns/near mount -t nfs -o vers=4.2 {export} /mnt/near;"
        "findmnt -no FSTYPE,OPTIONS /mnt/near; grep -h ^address: /proc/fs/nfsd/clients/*/info;"
        "echo weights >/mnt/near/models/one;"
        "stat -c %U /fastData/shared-bulk-data/models/one; cat /fastData/shared-bulk-data/models/one;"
        "umount /mnt/near"
    )

    kind, *rest = said.split(None, 1)
    assert kind == "nfs4"
    options, client, *written = rest[0].splitlines()
    assert {"vers=4.2", "clientaddr=10.0.0.50"} <= set(options.split(","))
    assert client.startswith('address: "10.0.0.50:')  # as the server sees it: another one than the node
    assert written == ["nobody", "weights"]  # root_squash


def test_whoever_is_not_a_client_mounts_nothing(converged: VmSite) -> None:
    converged.on_node("ip address add 192.0.2.1/24 dev vmbr0")
    _client(converged, "far", "192.0.2.50/24")

    status, said = converged.try_on_node(
        "mkdir -p /mnt/far; nsenter --net=/run/netns/far timeout 60 mount -t nfs -o vers=4.2,retry=0"
        " 192.0.2.1:/fastData/shared-bulk-data /mnt/far"
    )

    assert status == 32, said
    assert "access denied" in said or "No such file or directory" in said


def test_the_share_takes_and_gives_files_for_its_user_alone(converged: VmSite) -> None:
    _client(converged, "near", "10.0.0.50/24")
    share = f"//{ADDRESS}/prod"

    said = converged.on_node(
        f"cd /tmp; echo text >one; printf 'username = heads\\npassword = {PASSWORD}\\n' >login; "
        f"nsenter --net=/run/netns/near smbclient {share} -A login -c 'put one; get one two' >said 2>&1;"
        "cat two; stat -c '%U:%G %a' /quickOS/shared-prod-data/one"
    )
    stranger = converged.try_on_node(f"nsenter --net=/run/netns/near smbclient {share} -U heads%wrong -c ls")

    assert said == "text\nheads:heads 660\n"
    assert stranger[0] == 1
    assert "NT_STATUS_LOGON_FAILURE" in stranger[1]
