"""Journals on their way from host to host, as systemd has it: names, places, the port."""

JOURNALS = "journals"
"""Topic under which a receiver tells of itself; the key is its host."""
PACKAGE = "systemd-journal-remote"
"""What brings both ends, with units that nobody starts."""
RECEIVER, SOCKET = "systemd-journal-remote.service", "systemd-journal-remote.socket"
SENDER = "systemd-journal-upload.service"
PROGRAMS = {RECEIVER: f"/usr/lib/systemd/{PACKAGE}", SENDER: "/usr/lib/systemd/systemd-journal-upload"}
NUMBER = 19532
"""The port: that of the package's socket. One for all, as both ends must agree before either is made."""
FOLDER = "/var/log/journal/remote"
"""Where received journals are, a file or more for each address."""
STATE = "/var/lib/systemd/journal-upload/state"
"""Where a sender keeps how far it has come: what stands there was taken by the receiver."""
