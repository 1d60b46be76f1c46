"""The first tables of metrics."""

from alembic import op

from services.metrics.main import TABLES
from shared.kit.database.migrations import create_schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_schema(op, "metrics", TABLES)
