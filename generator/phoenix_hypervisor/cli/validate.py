"""`phoenix validate`: read the site, say everything that is wrong with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from . import Workplace
from .options import verbose_option

if TYPE_CHECKING:
    from ..config import Site


@click.command(short_help="Check the site's files, offline; every problem at once.")
@click.option("--explain", "rule", metavar="RULE", help="Say what a rule refuses and why, like V-20.")
@click.option("--budget", is_flag=True, help="Show what there is only so much of, and who takes it.")
@click.option("--json", "as_json", is_flag=True, help="Print budgets as one JSON document on stdout.")
@verbose_option
@click.pass_obj
def validate(workplace: Workplace, rule: str | None, budget: bool, as_json: bool) -> int:
    """Read every file of the site and say all that is wrong: file:line:column, and what to do.

    Needs no network and no secrets. With -v it lists the resources in the order they converge. With
    --explain it reads no site, and says why there is the rule that a message names in brackets.
    With --budget it adds up memory, threads, quotas, disks and graphics cards for each node; --json
    makes a document of that.
    """
    from ..config import load
    from ..errors import UsageError
    from ..observe import annotations
    from ..observe.screen import tell

    if rule is not None:
        return _explain(rule.upper())

    if as_json and not budget:
        raise UsageError("--json belongs to --budget")
    site = load(workplace.site_folder)
    for problem in site.warnings:
        tell(str(problem))
    for line in annotations.of_problems(site.warnings) if annotations.wanted() else ():
        tell(line)
    if workplace.verbose:
        for ref in site.resources:
            click.echo(ref.full)
    if budget:
        _show_budgets(site, as_json=as_json)
    nodes = f"{len(site.nodes)} node{'s' if len(site.nodes) != 1 else ''}"
    tell(f"site `{site.head.name}`: {nodes}, {len(site.resources)} resources, no errors")
    return 0


def _show_budgets(site: Site, *, as_json: bool) -> None:
    import json

    from ..config.budgets import budgets
    from ..observe import budget_screen

    found = budgets(site)
    if as_json:
        click.echo(json.dumps({"version": 1, "budgets": budget_screen.rows(site, found)}, indent=2))
    for line in [] if as_json else budget_screen.lines(site, found):
        click.echo(line)


def _explain(name: str) -> int:
    from ..adopt.legacy.defects import REASONS
    from ..config.rules.reasons import RULES
    from ..config.rules.settled import SETTLED
    from ..errors import UsageError

    if name in SETTLED and name not in RULES:
        click.echo(f"{name}, no rule of a site's: {SETTLED[name].defect}")
        click.echo(f"  why: {SETTLED[name].why}")
        if name in REASONS:
            click.echo(f"  `phoenix import legacy` finds it: {REASONS[name]}")
        return 0
    if name not in RULES:
        raise UsageError(f"no rule `{name}`", hint=f"known: {', '.join(RULES)}")
    rule = RULES[name]
    click.echo(f"{rule.id}{', a warning' if rule.warning else ''}: {rule.refused}")
    click.echo(f"  why: {rule.why}")
    click.echo(f"  what to do: {rule.advice}")
    return 0
