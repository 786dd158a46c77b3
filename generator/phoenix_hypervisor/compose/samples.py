"""What must be declared around a project of Compose in which something is tried: a guest that has Docker."""

from typing import Any

from ..containers.samples import around_a_guest

RELEASE = "ubuntu.24.04~noble"
PACKAGES = {
    "docker-ce": f"5:28.5.2-1~{RELEASE}",
    "docker-ce-cli": f"5:28.5.2-1~{RELEASE}",
    "containerd.io": f"1.7.28-1~{RELEASE}",
    "docker-compose-plugin": f"2.40.3-1~{RELEASE}",
}


def around_docker(stem: str, **more: Any) -> dict[str, Any]:
    """Return the sections around; `stem` is the guest's file's name, `more` goes into its `lxc` section."""
    repository = {
        "uris": ["https://download.docker.com/linux/ubuntu"],
        "suites": ["noble"],
        "components": ["stable"],
    }
    engine = {"repository": "docker", "packages": PACKAGES}
    inside = {"apt_repository": {"docker": repository}, "docker_engine": engine}
    return around_a_guest(stem, inside, features={"nesting": True, "keyctl": True}, **more)
