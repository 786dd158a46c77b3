"""Every test here that names `life` runs once for each set of samples of each kind; `kind`, for each kind."""

import pytest
from tests.contract.ground import kinds
from tests.contract.life import Life

from phoenix_hypervisor import registry
from phoenix_hypervisor.observe.kinds_page import sets

_lives: dict[tuple[str, int], Life] = {}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "life" in metafunc.fixturenames:
        found = [(name, number) for name in kinds() for number in range(len(sets(registry.kind(name))))]
        ids = [name if number == 0 else f"{name}-{number + 1}" for name, number in found]
        metafunc.parametrize("life", found, ids=ids, indirect=True)
    elif "kind" in metafunc.fixturenames:
        metafunc.parametrize("kind", kinds())


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
