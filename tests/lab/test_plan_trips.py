"""Looking at a node costs the same few round trips, however many resources it has."""

import re

from tests.lab.running import LabSite

MOST = 8


def many_more(site: LabSite, number: int) -> None:
    """Declare `number` times four further resources of four kinds."""
    names = [f"extra{n}" for n in range(number)]
    datasets = "".join(f"  fastData/{name}: {{ recordsize: 1M }}\n" for name in names)
    storages = "".join(
        f"  {name}: {{ type: dir, path: /fastData/{name}, content: [iso], is_mountpoint: true }}\n"
        for name in names
    )
    exports = "".join(f"  /fastData/{name}: {{ clients: {{ 10.0.0.0/24: [ro] }} }}\n" for name in names)
    shares = "".join(f"  {name}: {{ path: /fastData/{name} }}\n" for name in names)
    site.edit(
        "configs/nodes/phoenix.yaml",
        ("pve_storage:\n", f"{datasets}\npve_storage:\n{storages}"),
        ("nfs_export:\n", f"nfs_export:\n{exports}"),
    )
    site.append(shares)


def trips(said: str) -> int:
    (number,) = re.findall(r"^phoenix: (\d+) round trips$", said, re.MULTILINE)
    return int(number)


def test_a_plan_costs_as_much_for_ten_times_as_many_resources(converged):
    few = converged.run("plan", "-v")
    many_more(converged, 60)
    many = converged.run("plan", "-v")
    assert (few.status, many.status) == (0, 2)
    assert many.out.splitlines()[-1].startswith("240 to create, 26 as declared")
    assert trips(many.err) == trips(few.err) <= MOST


def test_an_apply_with_nothing_to_do_and_the_health_check_cost_as_much_for_more_resources(converged):
    few = converged.run("apply", "--yes", "-v"), converged.pytest("-v")
    many_more(converged, 6)
    grown = converged.run("apply", "--yes")
    assert (grown.status, grown.out.splitlines()[-1].partition("; ")[2]) == (0, "50 resources as declared")
    many = converged.run("apply", "--yes", "-v"), converged.pytest("-v")
    assert [ran.status for ran in (*few, *many)] == [0, 0, 0, 0]
    assert many[0].out == "50 resources as declared, nothing to do\n"
    assert trips(many[0].err) == trips(few[0].err) <= MOST
    assert trips(many[1].out) == trips(few[1].out) <= MOST
