"""Wiring of the community service."""

from services.community.conversations import api as conversations_api
from services.community.conversations import tables as conversations_tables
from services.community.conversations.ports import ConversationsDeps
from services.community.conversations.store import (
    SqlContents,
    SqlConversations,
    SqlFlags,
    SqlHelpOffers,
)
from services.community.events import CONVERSATIONS, RIGHTS_REACTIONS
from services.community.imports import api as imports_api
from services.community.imports.ports import ImportsDeps
from services.community.settings import CommunitySettings
from services.community.spaces import api as spaces_api
from services.community.spaces import tables as spaces_tables
from services.community.spaces.ports import SpacesDeps
from services.community.spaces.store import SqlMemberships, SqlSpaces, SqlStructureTree
from shared.kit.core.host import Host
from shared.kit.core.reactions import bind
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.rights import tables as rights_tables
from shared.kit.rights.store import SqlRights
from shared.kit.runtime.assembly import assemble_service, open_database
from shared.kit.runtime.service import Service

NAME = "community"
TABLES = (rights_tables.METADATA, spaces_tables.METADATA, conversations_tables.METADATA)


def build(host: Host) -> Service:
    """Build the service from the process's settings and connections."""
    settings = CommunitySettings.from_environment(host.environment)
    database = open_database(NAME, host, settings)
    batched = BatchedDatabase(database)
    unit, new_id = database.unit, host.new_id
    spaces, contents = SqlSpaces(), SqlContents()
    space_deps = SpacesDeps(unit, spaces, SqlMemberships(), SqlStructureTree(), new_id)
    conversations = ConversationsDeps(
        unit=unit,
        batched=batched.unit,
        contents=contents,
        conversations=SqlConversations(),
        flags=SqlFlags(),
        spaces=spaces,
        help_offers=SqlHelpOffers(),
        new_id=new_id,
    )
    routes = [
        spaces_api.routes(space_deps),
        conversations_api.routes(conversations),
        imports_api.routes(ImportsDeps(unit, contents, spaces)),
    ]
    return assemble_service(
        NAME,
        host,
        settings,
        database,
        batched,
        routes,
        rights=SqlRights(batched, host.clock),
        reactions=(*bind(None, RIGHTS_REACTIONS), *bind(conversations, CONVERSATIONS)),
    )
