"""nvidia-persistenced: in the lab, what it does follows from its unit being up."""

import model
import nvidia_state
import tool_nvidia_smi


def main(argv: list[str]) -> int:
    if not nvidia_state.userland(model.read()):
        return tool_nvidia_smi.not_installed("nvidia-persistenced")
    if argv not in ([], ["--verbose"], ["--persistence-mode"]):
        model.not_simulated("nvidia-persistenced", argv)
    state = model.read()
    return 0 if nvidia_state.loaded(state) == nvidia_state.userland(state) else 1
