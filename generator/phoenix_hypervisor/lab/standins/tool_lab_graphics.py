"""What `phoenix lab up` calls when it has plugged cards in: shows them, if the driver is loaded."""

import model
import nvidia_state


def main(argv: list[str]) -> int:
    del argv
    with model.change() as state:
        own = nvidia_state.own(state)
        if nvidia_state.loaded(state):
            own["nodes"] = nvidia_state.usual(len(nvidia_state.cards(state)))
        if not nvidia_state.cards(state):
            own.update(loaded="", nodes=[])
        nvidia_state.describe(state)
    return 0
