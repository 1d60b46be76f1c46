"""Notifications: assembly of the service."""

from services.notifications.events import INBOX, REPLAY_ONLY, RIGHTS_REACTIONS
from services.notifications.inbox import api as inbox_api
from services.notifications.inbox import tables as inbox_tables
from services.notifications.inbox.ports import InboxDeps
from services.notifications.inbox.store import SqlInboxes, SqlManagers, SqlUnavailableContents
from services.notifications.settings import NotificationsSettings
from shared.kit.core.host import Host
from shared.kit.core.reactions import bind
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.rights import tables as rights_tables
from shared.kit.rights.store import SqlRights
from shared.kit.runtime.assembly import assemble_service, open_database
from shared.kit.runtime.service import Service

NAME = "notifications"
TABLES = (rights_tables.METADATA, inbox_tables.METADATA)


def build(host: Host) -> Service:
    """Build the service from its settings."""
    settings = NotificationsSettings.from_environment(host.environment)
    database = open_database(NAME, host, settings)
    batched = BatchedDatabase(database)
    inbox = InboxDeps(database.unit, SqlInboxes(), SqlManagers(), SqlUnavailableContents())
    return assemble_service(
        NAME,
        host,
        settings,
        database,
        batched,
        [inbox_api.routes(inbox)],
        rights=SqlRights(batched, host.clock),
        reactions=(*bind(None, RIGHTS_REACTIONS), *bind(inbox, INBOX)),
        replay_only_reactions=bind(inbox, REPLAY_ONLY),
    )
