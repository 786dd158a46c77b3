"""promtool: whether files are a configuration, or rules, that Prometheus would take.

A configuration must be JSON here (which is YAML); of rules only the lines are looked at, and whether the
parentheses of an expression are closed.
"""

import os
import re
import sys

import dpkg_status
import model
import quick_json

TOP = frozenset((
    "global", "rule_files", "scrape_configs", "scrape_config_files", "alerting", "remote_write",
    "remote_read", "storage", "tracing",
))  # fmt: skip
RULE = re.compile(r"^\s*(?:- )?(alert|record|expr): *(.*)$")
FAILED = "  FAILED: "


def main(argv: list[str]) -> int:
    if dpkg_status.state(dpkg_status.read().get("prometheus")) != "installed":
        print("sh: 1: promtool: not found", file=sys.stderr)
        return 127
    if len(argv) < 3 or argv[0] != "check" or argv[1] not in ("config", "rules"):
        model.not_simulated("promtool", argv)
    missing = [file for file in argv[2:] if not os.path.exists(file)]
    if missing:
        print(f"promtool: error: path '{missing[0]}' does not exist, try --help", file=sys.stderr)
        return 1
    return max([_config(file) if argv[1] == "config" else _rules(file) for file in argv[2:]])


def _config(file: str) -> int:
    print(f"Checking {file}")
    said, rules = _trouble(file)
    if said:
        print(f"{FAILED}{said}", file=sys.stderr)
        print()
        return 1
    if rules:
        print(f"  SUCCESS: {len(rules)} rule files found")
    print(f" SUCCESS: {file} is valid prometheus config file syntax\n")
    return max([_rules(rule) for rule in rules], default=0)


def _trouble(file: str) -> tuple[str, list[str]]:
    """Return what is wrong with a configuration, and the files with rules that it names."""
    with open(file, encoding="utf-8") as source:
        text = "".join(line for line in source if not line.lstrip().startswith("#"))
    try:
        told = quick_json.loads(text.strip())
    except ValueError:
        model.not_simulated("promtool", ["a configuration that is not JSON:", file])
    unmarshal = f"parsing YAML file {file}: yaml: unmarshal errors:\n  line 1: "
    if not isinstance(told, dict):
        return f"{unmarshal}cannot unmarshal !!seq into config.plain", []
    for key in told:
        if key not in TOP:
            return f"{unmarshal}field {key} not found in type config.plain", []
    jobs = [job.get("job_name") for job in told.get("scrape_configs", [])]
    for job in jobs:
        if jobs.count(job) > 1:
            return f'parsing YAML file {file}: found multiple scrape configs with job name "{job}"', []
    rules = list(told.get("rule_files", []))
    for rule in rules:
        if not os.path.exists(rule):
            return f'"{rule}" does not point to an existing file', []
    return "", rules


def _rules(file: str) -> int:
    print(f"Checking {file}")
    with open(file, encoding="utf-8") as source:
        lines = source.read().splitlines()
    found = [(number, match) for number, line in enumerate(lines, 1) if (match := RULE.match(line))]
    if not any(line.startswith("groups:") for line in lines):
        print(f"{FAILED}\n{file}: yaml: no groups", file=sys.stderr)
        return 1
    for number, match in found:
        if match[1] == "expr" and match[2].count("(") != match[2].count(")"):
            said = "could not parse expression: 1:1: parse error: unclosed left parenthesis"
            print(f"{FAILED}\n{file}: {number}:1: {said}", file=sys.stderr)
            print()
            return 1
    print(f"  SUCCESS: {sum(match[1] != 'expr' for _, match in found)} rules found\n")
    return 0
