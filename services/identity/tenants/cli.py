"""`preau tenant open`."""

import json

import click

from shared.kit.tools.cli.api_client import ApiClient


@click.group()
def tenant() -> None:
    """Open tenants."""


@tenant.command("open")
@click.argument("name")
@click.option("--admin", required=True, help="E-mail address of its first administrator.")
@click.option("--time-zone", default="Europe/Paris", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def open_tenant(name: str, admin: str, time_zone: str, *, as_json: bool) -> None:
    """Open a tenant called NAME and print a one-time invitation for its administrator.

    \b
    Example:
      preau tenant open "Académie de Rennes" --admin anne.le-gall@ac-rennes.example
    """
    client = ApiClient()
    body = {"name": name, "admin": admin, "time_zone": time_zone}
    tenant_opened = client.post("/identity/v1/tenants", body)
    if as_json:
        click.echo(json.dumps(tenant_opened, ensure_ascii=False))
        return
    click.echo(
        f"Opened {name} as {tenant_opened['slug']}. Its administrator sets a password once with:"
    )
    click.echo(
        f"  curl -X POST {client.url}/identity/v1/invitations/accept "
        f"-H 'content-type: application/json' "
        f'-d \'{{"invitation": "{tenant_opened["invitation"]}", "password": "…"}}\''
    )
