"""Apps in Docker: their files, their containers, and that they answer."""

import pytest

from phoenix_hypervisor.compose import sight

# Each address is tried until it answers 200, or until all of the time for all of them is over.
ANSWERS = """\
end=$(($(date +%s) + {seconds}))
for url in {urls}; do
    until said=$(curl -s -o /dev/null -w '%{{http_code}}' --max-time 5 "$url") && [ "$said" = 200 ]; do
        [ "$(date +%s)" -lt "$end" ] || break
        sleep 1
    done
    printf '%s %s\n' "$url" "$said"
done
"""


def test_present(host, compose_app):
    assert sight.present(host, compose_app) == compose_app.present


@pytest.mark.precondition
def test_nobody_elses(host, compose_app):
    assert {"foreign": sight.foreign(host, compose_app)} == {"foreign": ""}


def test_foreign(host, compose_app):
    assert {"foreign": sight.foreign(host, compose_app)} == {"foreign": ""}


def test_compose(host, compose_app):
    assert sight.compose(host, compose_app) == {"compose": compose_app.text}


def test_env(host, compose_app):
    assert sight.env(host, compose_app) == {"env": "as declared", "env access": "600 root"}


def test_services(host, compose_app):
    actual, desired = sight.services(host, compose_app)
    assert actual == desired


def test_loaded(host, compose_app):
    """No change of its files still waits for its containers."""
    assert {"loaded": sight.loaded(host, compose_app)} == {"loaded": True}


@pytest.mark.probe
def test_answers(host, compose_app):
    """Every address that says of itself that it is well."""
    if not compose_app.healths:
        pytest.skip("nothing of it tells whether it is well: `serves: {PORT: {health: /path}}`")
    command = ANSWERS.format(seconds=compose_app.ready_seconds, urls=" ".join(compose_app.healths))
    actual = dict(line.split() for line in host.run_expect([0], command).stdout.splitlines())
    assert actual == dict.fromkeys(compose_app.healths, "200")


def owned(host):
    """Apps that we made on this host."""
    return sight.owned(host, "compose_app")
