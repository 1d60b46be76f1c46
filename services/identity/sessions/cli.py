"""`preau sign-in` and `preau sessions`."""

import json

import click

from shared.kit.tools.cli.api_client import ApiClient, PlatformError, anonymous_client

PATH = "/identity/v1/sessions"


@click.command("sign-in")
@click.option("--tenant", required=True, help="The tenant's slug.")
@click.option("--email", required=True)
@click.password_option(confirmation_prompt=False)
def sign_in(tenant: str, email: str, password: str) -> None:
    """Sign in and print an access token, good for ten minutes.

    \b
    Example:
      preau sign-in --tenant academie-de-demonstration --email zoe@demo.example
    """
    with anonymous_client() as client:
        response = client.post(
            "/identity/v1/sessions", json={"tenant": tenant, "email": email, "password": password}
        )
    if not response.is_success:
        raise PlatformError(response.json()["title"], 4)
    click.echo(response.json()["access_token"])


@click.group()
def sessions() -> None:
    """List and end the sessions of the member whose token is in PREAU_TOKEN_FILE.

    \b
    Example:
      preau sign-in --tenant academie-de-demonstration --email zoe@demo.example > zoe.token
      PREAU_TOKEN_FILE=zoe.token preau sessions list
    """


@sessions.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")
def list_sessions(*, as_json: bool) -> None:
    """List your open sessions, the newest first; the one of this token is marked with *.

    \b
    Example:
      preau sessions list
    """
    items = ApiClient().get(PATH)["items"]
    if as_json:
        click.echo(json.dumps(items, ensure_ascii=False))
        return
    for item in items:
        mark = "*" if item["current"] else " "
        used, client = item["last_used_at"][:16], item["client"] or item["device"]
        click.echo(f"{mark} {item['session_id']}  last used {used}Z  {client}")


@sessions.command("end")
@click.argument("session_id", required=False)
@click.option("--all", "every", is_flag=True, help="End all of them.")
@click.option("--others", "all_others", is_flag=True, help="End all but the one of this token.")
def end_sessions(session_id: str | None, *, every: bool, all_others: bool) -> None:
    """End the session SESSION_ID, or --all of them, or all --others.

    \b
    Examples:
      preau sessions end 01932b6e-4c00-7000-8000-000000000071
      preau sessions end --others
    """
    if [bool(session_id), every, all_others].count(True) != 1:
        raise click.UsageError("Name a session, or give --all or --others.")
    client = ApiClient()
    if session_id is not None:
        client.delete(f"{PATH}/{session_id}")
        click.echo(f"ended: {session_id}")
        return
    ended = client.delete(PATH, spare_current="true" if all_others else None)["ended"]
    click.echo(f"ended: {ended}")
