"""The cards after a boot: the module is loaded where this kernel has one, and nobody has made a device node.

udev loads it for the cards it finds. Nodes are made by whoever needs them: no kernel does. A node that had
the driver before anybody did anything was set up by somebody who saw to all that.
"""

import model
import nvidia_state


def boot() -> None:
    with model.change() as state:
        own = nvidia_state.own(state)
        from_the_beginning = bool(own.get("userland"))
        own.update(loaded="", sort="", nodes=[], holders=[])
        nvidia_state.describe(state)
    refused = nvidia_state.load(instead="nouveau" if from_the_beginning else "")
    if from_the_beginning and not refused:
        nvidia_state.make_nodes(nvidia_state.usual(len(nvidia_state.cards(model.read()))))
