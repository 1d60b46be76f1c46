"""`preau kpis`: print the KPIs of a space."""

import json
from datetime import UTC, datetime, timedelta

import click

from shared.kit.tools.cli.api_client import ApiClient

DAY = click.DateTime(["%Y-%m-%d"])
KPI_COLUMNS = ("kpi", "period", "value", "n", "status")


@click.command()
@click.option("--space", required=True, help="The space's name.")
@click.option("--from", "begin", type=DAY, help="The first day. Default: 30 days ago.")
@click.option("--to", "end", type=DAY, help="The day after the last. Default: tomorrow.")
@click.option("--grain", type=click.Choice(["day", "week", "month"]), default="month")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def kpis(
    space: str, begin: datetime | None, end: datetime | None, grain: str, *, as_json: bool
) -> None:
    """Print the KPIs of a space, by its local days; --to is exclusive.

    \b
    Example:
      preau kpis --space Entraide --from 2026-01-01 --to 2026-12-01 --grain month
    """
    client = ApiClient()
    spaces = client.get("/community/v1/spaces", name=space)["items"]
    if not spaces:
        raise click.ClickException(f"There is no space called {space!r}.")
    today = datetime.now(UTC)
    first_day, end_day = begin or today - timedelta(days=30), end or today + timedelta(days=1)
    rows = client.get(
        "/metrics/v1/kpis",
        **{
            "space_id": spaces[0]["space_id"],
            "from": first_day.date().isoformat(),
            "to": end_day.date().isoformat(),
            "grain": grain,
        },
    )["items"]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    click.echo("  ".join(f"{name:>22}" for name in KPI_COLUMNS))
    for row in rows:
        cells = ["–" if row[name] is None else str(row[name]) for name in KPI_COLUMNS]
        click.echo("  ".join(f"{text:>22}" for text in cells))
