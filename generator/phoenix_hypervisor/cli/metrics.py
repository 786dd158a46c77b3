"""`phoenix metrics`: which metrics there are, and what watches and shows them."""

from __future__ import annotations

import click


@click.command(short_help="List the metrics for Prometheus, or print rules or a dashboard.")
@click.option("--alerts", is_flag=True, help="Print alert rules: a file for Prometheus's `rule_files`.")
@click.option("--dashboard", is_flag=True, help="Print a dashboard: JSON that Grafana imports.")
def metrics(alerts: bool, dashboard: bool) -> int:
    """List the metrics that `phoenix watch --metrics-port` serves and `--metrics-file` writes.

    Each has the label `site` as well: the name of the site's folder.
    """
    from pathlib import Path

    from ..observe import metrics as numbers

    if alerts and dashboard:
        raise click.UsageError("--alerts and --dashboard are two files: ask for one")
    if alerts or dashboard:
        file = "alerts.yaml" if alerts else "dashboard.json"
        click.echo(Path(numbers.__file__).with_name(file).read_text(encoding="utf-8"), nl=False)
        return 0
    for name, family in numbers.FAMILIES.items():
        labels = f"{{{', '.join(family.labels)}}}" if family.labels else ""
        click.echo(f"{name}{labels}\n    {family.sort}: {family.says}")
    return 0
