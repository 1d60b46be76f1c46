"""Community, the whole service on one screen."""

from services.community.conversations import api as conversations_api
from services.community.conversations import tables as conversations_tables
from services.community.conversations.ports import ConversationsDeps
from services.community.conversations.store import SqlContents, SqlHelps
from services.community.events import CONVERSATIONS, RIGHTS
from services.community.moving_in import api as moving_in_api
from services.community.moving_in.ports import MovingInDeps
from services.community.settings import CommunitySettings
from services.community.spaces import api as spaces_api
from services.community.spaces import tables as spaces_tables
from services.community.spaces.ports import SpacesDeps
from services.community.spaces.store import CopiedPlaces, SqlSpaces
from shared.kit.core.host import Host
from shared.kit.core.reactions import bind
from shared.kit.database.batched.unit import Light
from shared.kit.rights import tables as rights_tables
from shared.kit.rights.store import SqlRights
from shared.kit.runtime.assembly import open_database, service_of
from shared.kit.runtime.service import Service

NAME = "community"
TABLES = (rights_tables.METADATA, spaces_tables.METADATA, conversations_tables.METADATA)


def build(host: Host) -> Service:
    """Put the service together."""
    settings = CommunitySettings.read(host.environment)
    database = open_database(NAME, host, settings)
    batched = Light(database)
    unit, new_id = database.unit, host.new_id
    spaces, contents = SqlSpaces(), SqlContents()
    conversations = ConversationsDeps(unit, batched.unit, contents, spaces, SqlHelps(), new_id)
    routes = [
        spaces_api.routes(SpacesDeps(unit, spaces, CopiedPlaces(), new_id)),
        conversations_api.routes(conversations),
        moving_in_api.routes(MovingInDeps(unit, contents, spaces)),
    ]
    return service_of(
        NAME,
        host,
        settings,
        database,
        batched,
        routes,
        rights=SqlRights(batched, host.clock),
        reactions=(*bind(None, RIGHTS), *bind(conversations, CONVERSATIONS)),
    )
