"""Appeals: one per statement, never decided by the first moderator."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from shared.kit.database.tables import TableRole, business_table, feature_metadata, timestamptz

METADATA = feature_metadata()

APPEALS = business_table(
    "appeals",
    METADATA,
    sa.Column("appeal_id", sa.Uuid(), primary_key=True),
    sa.Column("statement_id", sa.Uuid(), nullable=False),
    sa.Column("decision_id", sa.Uuid(), nullable=False),
    sa.Column("appellant", sa.Uuid(), nullable=False),
    sa.Column("subject", JSONB(), nullable=False),
    sa.Column("sealed", sa.LargeBinary(), nullable=False),
    timestamptz("received_at", nullable=False),
    sa.Column("first_moderator", sa.Uuid()),
    sa.Column("outcome", sa.Text()),
    sa.Column("answer", sa.Text()),
    sa.Column("decided_by", sa.Uuid()),
    timestamptz("decided_at"),
    sa.Index("uq_appeals_statement", "tenant_id", "statement_id", unique=True),
    sa.Index(
        "ix_appeals_queue",
        "tenant_id",
        "received_at",
        "appeal_id",
        postgresql_where=sa.text("outcome IS NULL"),
    ),
    sa.CheckConstraint("decided_by <> appellant", name="not_by_its_author"),
    sa.CheckConstraint("(outcome IS NULL) = (decided_by IS NULL)", name="decided_by_someone"),
    role=TableRole.SYSTEM_OF_RECORD,
)

# A check of `first_moderator` alone could be bypassed by leaving it out, so the trigger reads the
# decision. The service's role cannot change decisions (see the migration).
_REFUSE_FIRST_MODERATOR = sa.DDL(  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    """
    CREATE FUNCTION refuse_first_moderator() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        first uuid;
    BEGIN
        SELECT moderator_id INTO STRICT first FROM decisions
        WHERE tenant_id = NEW.tenant_id AND decision_id = NEW.decision_id;
        IF NEW.first_moderator IS DISTINCT FROM first THEN
            RAISE EXCEPTION 'the first moderator is the one who made the decision'
                USING ERRCODE = 'check_violation';
        END IF;
        IF NEW.decided_by = first THEN
            RAISE EXCEPTION 'an appeal is decided by someone else than the decision'
                USING ERRCODE = 'check_violation';
        END IF;
        IF TG_OP = 'UPDATE' AND (OLD.outcome IS NOT NULL
                OR (OLD.decision_id, OLD.statement_id, OLD.appellant)
                    IS DISTINCT FROM (NEW.decision_id, NEW.statement_id, NEW.appellant)) THEN
            RAISE EXCEPTION 'an appeal stays what it is once it is received or decided'
                USING ERRCODE = 'check_violation';
        END IF;
        RETURN NEW;
    END $$
    """
)
_BEFORE_EACH_APPEAL = sa.DDL(  # type: ignore[no-untyped-call]  # as above
    """
    CREATE TRIGGER refuse_first_moderator BEFORE INSERT OR UPDATE ON appeals
    FOR EACH ROW EXECUTE FUNCTION refuse_first_moderator()
    """
)
sa.event.listen(APPEALS, "after_create", _REFUSE_FIRST_MODERATOR)
sa.event.listen(APPEALS, "after_create", _BEFORE_EACH_APPEAL)
