"""`preau sign-in`."""

import click

from shared.kit.client import PlatformError, plain_client


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
    with plain_client() as client:
        answer = client.post(
            "/identity/v1/sessions", json={"tenant": tenant, "email": email, "password": password}
        )
    if not answer.is_success:
        raise PlatformError(answer.json()["title"], 4)
    click.echo(answer.json()["access_token"])
