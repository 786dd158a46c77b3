"""Fresh and converged lab sites, made once a session and copied for each test in milliseconds.

`fresh` and `converged` are the storage and the shares of the reference site's node: what most tests are
about, and what is looked at in a fraction of the time. `whole` and `whole_converged` are the site as it is.
"""

import re
import shutil
from pathlib import Path

import pytest
from tests.lab.small import SmallSite
from tests.reference import copied, made

from phoenix_hypervisor.errors import PhoenixError

STORAGE = ("profiles", "hardware", "zfs_pool", "zfs_dataset", "zfs_arc", "pve_storage")
SHARES = ("nfs_export", "samba_share", "samba_user")
FOR_GUESTS = "shared-prod-data-volumes"


def _storage_alone(folder: Path) -> None:
    """Leave of a copy of the reference site only its node's storage and shares."""
    shutil.rmtree(folder / "configs/guests")
    kept = {"phoenix", "aiml-storage"}
    for file in [*folder.glob("configs/nodes/*.yaml"), *folder.glob("configs/profiles/*.yaml")]:
        if file.stem not in kept:
            file.unlink()
            continue
        sections = re.split(r"^(?=\w)", file.read_text(), flags=re.MULTILINE)
        text = "".join(text for text in sections if text.partition(":")[0] in (*STORAGE, *SHARES))
        text = re.sub(r"^profiles: .*", "profiles: [aiml-storage]", text)
        file.write_text("".join(line for line in text.splitlines(keepends=True) if FOR_GUESTS not in line))


@pytest.fixture(scope="session")
def _fresh_once(tmp_path_factory):
    folder = copied(tmp_path_factory.mktemp("lab") / "fresh")
    _storage_alone(folder)
    return made(folder)


@pytest.fixture(scope="session")
def _converged_once(_fresh_once, tmp_path_factory):
    site = _fresh_once.copy(tmp_path_factory.mktemp("lab") / "converged")
    ran = site.run("apply", "--yes")
    assert ran.status == 0, ran
    return site


@pytest.fixture
def whole(blank, tmp_path):
    """The reference site with its guests, on a node on which nothing has been done yet."""
    return blank.copy(tmp_path / "site")


@pytest.fixture
def whole_converged(demonstrated, tmp_path):
    """The reference site with its guests, on a node that is as declared."""
    return demonstrated.site.copy(tmp_path / "site")


@pytest.fixture
def fresh(_fresh_once, tmp_path):
    """The reference site's node with its storage and shares declared, on which nothing has been done yet."""
    return _fresh_once.copy(tmp_path / "site")


@pytest.fixture
def converged(_converged_once, tmp_path):
    """The reference site's node with its storage and shares declared, and as declared."""
    return _converged_once.copy(tmp_path / "site")


@pytest.fixture(scope="session")
def right(_converged_once):
    """What there is to see on a node that is as declared: `LabSite.state`."""
    return _converged_once.state()


@pytest.fixture(scope="session")
def all_acts(_converged_once):
    """Every act of the one apply that brought a fresh node there, in order."""
    return _converged_once.all_acts()


@pytest.fixture(scope="session")
def _small_once(tmp_path_factory):
    site = SmallSite.fresh(tmp_path_factory.mktemp("lab") / "small")
    try:
        site.on_node("true")
    except PhoenixError as error:
        pytest.skip(f"this machine does not let us make a lab: {error}")
    ran = site.run("apply", "--yes")
    assert ran.status == 0, ran
    return site


@pytest.fixture
def small(_small_once, tmp_path):
    """A small site with a layer and two further containers, on a node that is as declared."""
    return _small_once.copy(tmp_path / "small")
