"""The first tables of moderation."""

from alembic import op

from services.moderation.main import TABLES
from shared.kit.database.migrations import create_schema

revision = "0001"
down_revision = None


def upgrade() -> None:
    create_schema(op, "moderation", TABLES)
    # What was decided stays as it was: an appeal adds a row, and changes none.
    op.execute("REVOKE UPDATE, DELETE, TRUNCATE ON decisions, reversals FROM moderation_app")
