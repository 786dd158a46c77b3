"""A site from which the last resource was taken out: there is nothing to look at, and nothing else is run."""

from tests.contract.ground import HOST, declared

from phoenix_hypervisor.inspect.fleet import Fleet
from phoenix_hypervisor.inspect.opening import OpenSite
from phoenix_hypervisor.inspect.session import inspect


def test_looking_at_nothing_does_not_run_tests_of_the_current_folder(tmp_path, monkeypatch):
    here = tmp_path / "here"
    here.mkdir()
    (here / "test_somebodys.py").write_text("import pathlib\npathlib.Path('was-run').touch()\n")
    monkeypatch.chdir(here)
    site = declared(tmp_path / "site", {HOST: {}})
    found = inspect(OpenSite(site, Fleet(site.inventory, site.folder)), [], probes=True)
    assert (found.findings, (here / "was-run").exists()) == ([], False)
