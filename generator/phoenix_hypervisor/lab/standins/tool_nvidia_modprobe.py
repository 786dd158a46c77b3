"""nvidia-modprobe: loads NVIDIA's modules and makes their device nodes."""

import os
import re
import sys

import model
import nvidia_state
import tool_nvidia_smi

CAPS = {"config": "nvidia-caps/nvidia-cap1", "monitor": "nvidia-caps/nvidia-cap2"}
CONTROL = 255


def main(argv: list[str]) -> int:
    if not nvidia_state.userland(model.read()):
        return tool_nvidia_smi.not_installed("nvidia-modprobe")
    minors, caps, flags = [], [], set()
    words = [part for word in argv for part in _split(word)]
    while words:
        word = words.pop(0)
        if word in ("-c", "--create-nvidia-device-file") and words and words[0].isdecimal():
            minors.append(int(words.pop(0)))
        elif word in ("-f", "--nvidia-capability-device-file") and words:
            caps.append(words.pop(0))
        elif word in ("-u", "--unified-memory", "-m", "--modeset"):
            flags.add(word.lstrip("-")[0])
        else:
            said = "Invalid commandline, please run `nvidia-modprobe --help` for usage information."
            print(f"\nERROR: {said}\n\n", file=sys.stderr)
            return 1
    if nvidia_state.load():
        return 1
    names = [] if "u" in flags else ["nvidiactl" if one == CONTROL else f"nvidia{one}" for one in minors]
    if "u" in flags and minors:
        names += ["nvidia-uvm", "nvidia-uvm-tools"]
    if "m" in flags:
        names.append("nvidia-modeset")
    nvidia_state.make_nodes(names)
    for path in caps:
        place = model.path(path) if not model.ROOT else path
        name = CAPS.get(os.path.basename(path), "")
        if not name or not os.path.exists(place):
            return 1
        nvidia_state.make_nodes([name])
    return 0


def _split(word: str) -> list[str]:
    """`-c0` and `--create-nvidia-device-file=0` are two words each."""
    found = re.fullmatch(r"(-[cf]|--[a-z-]+=)(.+)", word)
    return [found[1].rstrip("="), found[2].lstrip("=")] if found else [word]
