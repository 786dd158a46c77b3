"""Hosts as the inventory says they are reached, and work on all of them at once."""

from pathlib import Path

import pytest
from tests.unit.site_files import DATASET, HOSTS, NODE, POOL, loaded, make

from phoenix_hypervisor.config import load
from phoenix_hypervisor.config.inventory import read_inventory
from phoenix_hypervisor.errors import HostError, InputError, UsageError
from phoenix_hypervisor.inspect.fleet import Fleet, refuse_unknown_hosts
from phoenix_hypervisor.inspect.opening import OpenSite, open_site
from phoenix_hypervisor.resource import Ref
from phoenix_hypervisor.transport import Address, Question
from phoenix_hypervisor.transport.shells import ASKING, MANY

GROUPS, DEFAULTS = "inventory/groups.yaml", "inventory/defaults.yaml"


def fleet(folder: Path, files: dict[str, str], hosts: list[str] | None = None) -> Fleet:
    make(folder, files)
    return Fleet(read_inventory(folder, []), folder, hosts)


def test_a_host_without_settings_is_reached_by_its_name_over_ssh(tmp_path: Path) -> None:
    assert fleet(tmp_path, {}).address("pve") == Address("pve", "pve", "ssh", None, None, False, 10, 300, ())


def test_a_host_wins_over_its_groups_in_order_and_these_over_the_defaults(tmp_path: Path) -> None:
    files = {
        HOSTS: "pve: {hostname: 10.0.0.13, groups: [near, all], data: {sudo: false}}\n",
        GROUPS: "near: {username: admin, groups: [far], data: {sudo: true}}\n"
        "far: {port: 2222, data: {ssh_options: [ProxyJump=gate]}}\n"
        "all: {username: nobody, data: {connect_seconds: 3}}\n",
        DEFAULTS: "username: root\nport: 22\ndata: {connect_seconds: 7, command_seconds: 9}\n",
    }
    assert fleet(tmp_path, files).address("pve") == Address(
        "pve", "10.0.0.13", "ssh", 2222, "admin", False, 3, 9, ("ProxyJump=gate",)
    )


def test_a_lab_node_lives_in_the_site(tmp_path: Path) -> None:
    address = fleet(tmp_path, {HOSTS: "pve: {data: {transport: lab}}\n"}).address("pve")
    assert (address.transport, address.options) == ("lab", (f"{tmp_path}/.phoenix/lab/pve",))


MANY_HOSTS = {HOSTS: "".join(f"n{n}: {{data: {{transport: local}}}}\n" for n in range(6))}


def test_work_is_done_on_every_host_and_only_on_the_chosen(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS, ["n1", "n3", "n5"])
    assert hosts.hosts == ["n1", "n3", "n5"]
    assert hosts.run(str.upper, ["n1", "n5"], "shout") == {"n1": "N1", "n5": "N5"}
    assert hosts.run(str.upper, [], "shout") == {}


def test_a_host_that_breaks_is_left_out_from_then_on(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS)

    def work(host: str) -> str:
        if host == "n2":
            raise HostError("gone")
        return host

    everybody = hosts.hosts
    assert list(hosts.run(work, everybody, "work")) == ["n0", "n1", "n3", "n4", "n5"]
    assert {name: str(error) for name, error in hosts.lost.items()} == {"n2": "gone"}
    assert "n2" not in hosts.run(str.upper, everybody, "again")
    with pytest.raises(HostError, match="gone"):
        hosts.transport("n2")


def test_a_mistake_of_ours_is_not_taken_for_a_lost_host(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS)
    done = []

    def work(host: str) -> None:
        done.append(host)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        hosts.run(work, hosts.hosts, "work")
    assert (sorted(done), hosts.lost) == (hosts.hosts, {})


def test_hosts_answer_and_trips_are_counted(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS)
    found = hosts.ask({"n0": [Question("echo $$")], "n1": [Question("echo $$")]})
    assert len({answers[0].stdout for answers in found.values()}) == 2
    assert hosts.trips() == {"n0": 2, "n1": 2}
    hosts.close()


def test_a_node_that_was_left_is_reached_anew_with_its_lock_and_its_trips_are_kept(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS)
    lock = str(tmp_path / "lock")
    assert hosts.lock(["n0"], lock, "me") == {}
    shell = hosts.ask({"n0": [Question("echo $$")]})["n0"][0].stdout
    trips = hosts.trips()["n0"]

    hosts.leave("n0")

    assert (hosts.trips()["n0"], hosts.lost) == (trips, {})
    with hosts.afresh("n0") as other:  # the lock went with the shell
        assert other.lock(lock, "somebody") is None
        assert hosts.come_back("n0") == "somebody"
    hosts.leave("n0")
    assert hosts.come_back("n0") is None  # it is no longer ours to take
    assert hosts.ask({"n0": [Question("echo $$")]})["n0"][0].stdout != shell
    assert hosts.trips()["n0"] > trips
    hosts.close()


def test_coming_back_takes_the_lock_again(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS)
    lock = str(tmp_path / "lock")
    hosts.lock(["n0"], lock, "me")
    hosts.leave("n0")
    assert hosts.come_back("n0") is None
    with hosts.afresh("n0") as other:
        assert other.lock(lock, "somebody") == "me"
    hosts.close()


def test_the_time_a_reboot_may_take_is_a_setting_of_the_inventory(tmp_path: Path) -> None:
    files = {HOSTS: "pve: {data: {reboot_seconds: 42}}\nother: {}\n"}
    hosts = fleet(tmp_path, files)
    assert [hosts.address(name).reboot_seconds for name in ("pve", "other")] == [42, 600]


def test_many_questions_to_one_host_go_through_several_shells_and_come_back_in_order(tmp_path: Path) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS)
    count = MANY * ASKING + 7
    answers = hosts.ask({"n0": [Question(f"echo {n} $$") for n in range(count)]})["n0"]
    assert [int(answer.stdout.split()[0]) for answer in answers] == list(range(count))
    assert len({answer.stdout.split()[1] for answer in answers}) == ASKING
    hosts.close()


def test_a_host_that_allows_one_session_only_is_asked_through_that_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts = fleet(tmp_path, MANY_HOSTS)
    hosts.transport("n0")
    address = hosts.address

    def refusing(name: str) -> Address:
        return address(name)._replace(transport="ssh", hostname="127.0.0.1", port=1)

    monkeypatch.setattr(hosts, "address", refusing)
    count = MANY * ASKING
    for _ in range(2):
        answers = hosts.ask({"n0": [Question(f"echo {n} $$") for n in range(count)]})["n0"]
        assert [int(answer.stdout.split()[0]) for answer in answers] == list(range(count))
        assert len({answer.stdout.split()[1] for answer in answers}) == 1
    assert hosts.lost == {}
    hosts.close()


def test_a_host_nobody_knows_is_said() -> None:
    refuse_unknown_hosts([], ["pve"])
    for name, hint in {"pev": "did you mean `pve`?", "x": "known: pve, two"}.items():
        with pytest.raises(UsageError) as caught:
            refuse_unknown_hosts([name], ["pve", "two"])
        assert str(caught.value) == f"no host `{name}`\n  hint: {hint}"


# --- opening ----------------------------------------------------------------------------------------------

TWO = {HOSTS: "pve:\ntwo:\n", NODE: DATASET + "zfs_arc: {max: 4G}\n", "configs/nodes/two.yaml": POOL}


def names(refs: list[Ref]) -> list[str]:
    return [ref.full for ref in refs]


def test_the_scope_is_everything_or_targets_and_what_they_need(tmp_path: Path) -> None:
    site = loaded(tmp_path, TWO)
    opened = OpenSite(site, Fleet(site.inventory, tmp_path))
    assert len(opened.scope([])) == len(site.resources) == 4
    assert names(opened.scope(["zfs_dataset:tank/x"])) == ["pve/zfs_pool:tank", "pve/zfs_dataset:tank/x"]
    assert names(opened.scope(["zfs_pool:tank"])) == ["pve/zfs_pool:tank", "two/zfs_pool:tank"]
    assert opened.chosen(["pve/zfs_arc:pve"]) == {Ref("pve", "zfs_arc", "pve")}


def test_the_scope_is_limited_to_the_chosen_hosts(tmp_path: Path) -> None:
    make(tmp_path, TWO)
    opened = open_site(str(tmp_path), hosts=["two"])
    assert names(opened.scope([])) == ["two/zfs_pool:tank"]
    assert opened.fleet.hosts == ["two"]


def test_secrets_without_a_value_are_all_said_before_anything_is_done(tmp_path: Path) -> None:
    make(
        tmp_path,
        {NODE: "samba_user:\n  a: {password: !secret x/one}\n  b: {password: !secret x/two}\n"},
    )
    with pytest.raises(InputError) as caught:
        open_site(str(tmp_path))
    assert [str(problem).splitlines()[0] for problem in caught.value.problems] == [
        f"{NODE}:2:7: samba_user:a: there is no secret `x/one`",
        f"{NODE}:3:7: samba_user:b: there is no secret `x/two`",
    ]


def test_secrets_of_other_hosts_are_not_asked_for(tmp_path: Path) -> None:
    make(tmp_path, {**TWO, NODE: "samba_user: {a: {password: !secret x}}\n"})
    assert open_site(str(tmp_path), hosts=["two"]).fleet.hosts == ["two"]


def test_loading_a_site_needs_no_secret(tmp_path: Path) -> None:
    make(tmp_path, {NODE: "samba_user: {a: {password: !secret x}}\n"})
    assert len(load(tmp_path).resources) == 1
