"""The first tables of identity."""

from alembic import op

from services.identity.main import TABLES
from shared.kit.database.migrations import create_schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_schema(op, "identity", TABLES)
