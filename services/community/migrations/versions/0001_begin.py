"""The first tables of community."""

from alembic import op

from services.community.main import TABLES
from shared.kit.database.migrations import create_schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_schema(op, "community", TABLES)
