"""nvidia-ctk: `config` that sets no-cgroups, and `--version`."""

import sys

import apt_toolkit
import docker_gpus
import model

KEY, SECTION = "no-cgroups", "nvidia-container-cli"


def main(argv: list[str]) -> int:
    version = docker_gpus.installed()
    if not version:
        print("sh: 1: nvidia-ctk: not found", file=sys.stderr)
        return 127
    words = [word for word in argv if word not in ("-q", "--quiet")]
    if words == ["--version"]:
        print(f"NVIDIA Container Toolkit CLI version {version}\ncommit: lab")
        return 0
    if words[:1] != ["config"]:
        return model.not_simulated("nvidia-ctk", argv)
    return _config(words[1:], argv)


def _config(words: list[str], argv: list[str]) -> int:
    given = {"--config-file": apt_toolkit.FILE, "--set": "", "--output": ""}
    while words:
        name, equals, value = words.pop(0).partition("=")
        if name not in given or not (equals or words):
            return model.not_simulated("nvidia-ctk", argv)
        given[name] = value if equals else words.pop(0)
    key, equals, value = given["--set"].partition("=")
    if key != f"{SECTION}.{KEY}" or value not in ("true", "false", "") or not given["--output"]:
        return model.not_simulated("nvidia-ctk", argv)
    try:
        with open(model.path(given["--config-file"]), encoding="utf-8") as file:
            text = file.read()
    except FileNotFoundError:
        text = apt_toolkit.CONFIG
    with open(model.path(given["--output"]), "w", encoding="utf-8") as file:
        file.write(changed(text, value or "true"))
    return 0


def changed(text: str, value: str) -> str:
    """Return the file with the key set, in its place among the others."""
    lines, inside = [], False
    done = False
    for line in text.splitlines():
        if line.startswith("["):
            if inside and not done:
                lines.append(f"{KEY} = {value}")
                done = True
            inside = line.strip() == f"[{SECTION}]"
        if inside and line.lstrip("# ").partition("=")[0].strip() == KEY:
            line, done = f"{KEY} = {value}", True  # noqa: PLW2901  (the line as it becomes)
        lines.append(line)
    if not done:
        lines += [f"{KEY} = {value}"] if inside else ["", f"[{SECTION}]", f"{KEY} = {value}"]
    return "\n".join(lines) + "\n"
