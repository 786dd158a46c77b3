"""Every test here that names `life` runs once for each set of samples of each kind; `kind`, for each kind."""

from pathlib import Path

import pytest
from tests.contract.ground import kinds
from tests.contract.life import Life

from phoenix_hypervisor import registry
from phoenix_hypervisor.observe.kinds_page import sets

HERE = Path(__file__).parent
_lives: dict[tuple[str, int], Life] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "life" in metafunc.fixturenames:
        found = [(name, number) for name in kinds() for number in range(len(sets(registry.kind(name))))]
        ids = [name if number == 0 else f"{name}-{number + 1}" for name, number in found]
        metafunc.parametrize("life", found, ids=ids, indirect=True)
    elif "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", kinds())


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let one process run all of a kind: its chapters are lived once."""
    for item in (item for item in items if HERE in item.path.parents):
        params = item.callspec.params if hasattr(item, "callspec") else {}
        if "life" in params:
            item.add_marker(pytest.mark.xdist_group(params["life"][0]))
        elif kind := params.get("kind", params.get("kind_of_check")):
            item.add_marker(pytest.mark.xdist_group(kind))


@pytest.fixture(scope="session")
def lives(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lives")

    def life(name: str, number: int) -> Life:
        if (name, number) not in _lives:
            _lives[name, number] = Life(name, number, folder)
        return _lives[name, number]

    return life


@pytest.fixture
def life(request, lives) -> Life:
    return lives(*request.param)
