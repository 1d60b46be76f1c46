"""`preau migrate`: migrate the services' databases to the newest schema."""

import asyncio

import click

from shared.contracts.catalogue import PUBLISHERS
from shared.kit.database.migrations import migrate as migrate_service
from shared.kit.tools.cli.operator_settings import operator_setting


@click.command()
@click.argument("services", nargs=-1)
def migrate(services: tuple[str, ...]) -> None:
    """Migrate these SERVICES (all five when none is named).

    Each service needs <SERVICE>_OWNER_URL, the URL of its owner role. `make run` writes them to
    its data folder (PREAU_HOME) and migrates at its start.
    """
    for name in services or tuple(PUBLISHERS):
        url = operator_setting(f"{name.upper()}_OWNER_URL")
        if not url:
            raise click.ClickException(
                f"{name.upper()}_OWNER_URL is not set: PostgreSQL's URL of {name}'s owner role."
            )
        applied = asyncio.run(migrate_service(name, url))
        click.echo(f"{name}: {', '.join(applied) or 'already the newest'}")
