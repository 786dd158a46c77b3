"""What the lab has of cloud-images.ubuntu.com: disks with a system and cloud-init, of some releases of 24.04.

In the lab such an image is an archive of a root file system (qm_images.py).
"""

import re

HOSTS = ("cloud-images.ubuntu.com",)
PUBLISHED = {
    "20260814": "6e40c07ae715f744f84af0bec76415cc1987dd115b4b8de437818561f01a3733",
}
"""SHA-256 of the real images."""
PLACE = re.compile(
    r"https?://[a-z.-]+/releases/(?:noble|24\.04)/release-(?P<release>\d{8})/"
    r"ubuntu-24\.04-server-cloudimg-amd64\.img"
)
CLOUD = "datasource_list: [ NoCloud, None ]\n"


def image(release: str) -> bytes:
    """Return the lab's image of a release: the same bytes each time."""
    import io
    import tarfile

    import appliances
    import stamps

    packed = io.BytesIO(appliances.archive("ubuntu-24.04-standard_24.04-2_amd64.tar.zst"))
    with tarfile.open(fileobj=packed, mode="a", format=tarfile.PAX_FORMAT) as archive:
        for name, text in (
            ("./etc/cloud/cloud.cfg", CLOUD),
            ("./etc/cloud/build.info", f"serial: {release}\n"),
        ):
            member = tarfile.TarInfo(name)
            member.size, member.mode, member.uname, member.gname = len(text), 0o644, "root", "root"
            archive.addfile(member, io.BytesIO(text.encode()))
    return stamps.gzipped(packed.getvalue(), PUBLISHED[release])


def served(url: str) -> bytes | None:
    """Return what lies at an address; None if nothing does."""
    found = PLACE.fullmatch(url)
    return image(found["release"]) if found and found["release"] in PUBLISHED else None
