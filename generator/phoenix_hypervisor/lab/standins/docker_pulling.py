"""Bringing images from registries: what is said of it, and what is there afterwards."""

import sys

import docker_images
import docker_state
import runtime


def pull(text: str, *, quiet: bool = False, onto_stderr: bool = False) -> None:
    """Bring an image, unless it is there. Raises DaemonError."""
    out = sys.stderr if onto_stderr else sys.stdout
    reference = docker_images.parse(text)
    if reference is None:
        raise docker_state.DaemonError("invalid reference format")
    there = docker_state.has_image(docker_state.read(), text)
    trouble = "" if there and reference.digest else docker_images.trouble(reference)
    if not there and not trouble and runtime.offline():
        server = "registry-1.docker.io" if reference.host == docker_images.HUB else reference.host
        trouble = (
            f'Get "https://{server}/v2/": dial tcp: lookup {server}: Temporary failure in name resolution'
        )
    if trouble:
        raise docker_state.DaemonError(trouble)
    digest = docker_images.digest_of(reference)
    if not there:
        with docker_state.change() as state:
            name = f"{reference.host}/{reference.path}"
            state["images"][reference.canonical] = {"digest": digest, "software": name}
    if quiet:
        print(text, file=out)
        return
    print(f"{reference.canonical}: Pulling from {reference.path}", file=out)
    if not there:
        print(f"{digest[7:19]}: Pull complete", file=out)
    became = "Image is up to date" if there else "Downloaded newer image"
    print(f"Digest: {digest}\nStatus: {became} for {reference.canonical}\n{text}", file=out)
