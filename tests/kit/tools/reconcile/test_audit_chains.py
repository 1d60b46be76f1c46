"""Verification of audit chains against their published heads: changes and removals are found."""

from dataclasses import dataclass

import asyncpg
import pytest

from shared.contracts.identity import MemberReinstated
from shared.kit.core.bus import Topic
from shared.kit.database.audit.signing import AuditKeys, AuditSigner, NotAnEd25519Key, public_pem
from shared.kit.runtime.audit_heads import AuditHeadsPublisher
from shared.kit.tools.reconcile.audit_chains import AuditedService, verify_audit
from shared.kit.tools.reconcile.report import Report
from tests.kit.conftest import Frame
from tests.support.audit_keys import new_private_key_pem
from tests.support.inbox_harness import LYON, RENNES, Clock, make_caller, member_id
from tests.support.mini_service import GROUP, InMemoryLog, MiniService

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


KEY = new_private_key_pem()


@dataclass
class AuditedMiniService:
    """A mini service whose audit heads are published on request."""

    mini_service: MiniService
    frame: Frame
    private_key: str | None = KEY

    async def record_actions(self, who: int, times: int = 3, tenant: object = RENNES) -> None:
        for number in range(times):
            async with self.mini_service.database.unit(make_caller(tenant, member_id(who))) as unit:  # type: ignore[arg-type]  # a tenant of the tests
                unit.record(MemberReinstated(member_id=member_id(100 + number)))

    async def publish_heads(self) -> int:
        signer = AuditSigner.from_pem(GROUP, self.private_key) if self.private_key else None
        publisher = AuditHeadsPublisher(self.mini_service.database, self.frame.url("relay"), signer)
        number = await publisher.publish()
        await self.mini_service.sql("DELETE FROM outbox WHERE topic NOT LIKE '%.audit'")
        await self.mini_service.relay()
        return number

    async def change_rows(self, statement: str) -> None:
        """Change audit rows as the owner of the tables."""
        owner = await asyncpg.connect(self.frame.url("owner").replace("+asyncpg", ""))
        try:
            await owner.execute(f"SET app.tenants = '{RENNES},{LYON}'")
            assert (await owner.execute(statement)).split()[-1] != "0"
        finally:
            await owner.close()

    async def find_problems(self, keys: str | None = None) -> list[str]:
        report = Report()
        public = AuditKeys.from_pems(public_pem(KEY) if keys is None else keys)
        source = AuditedService(GROUP, self.frame.url("owner"))
        await verify_audit(InMemoryLog(self.mini_service.bus), [source], public, report)
        return [violation.text for violation in report.wrong]


@pytest.fixture
async def audited_service(mini_service: MiniService, frame: Frame) -> AuditedMiniService:
    await mini_service.bus.ensure_topics([Topic("community.audit", 4)])
    return AuditedMiniService(mini_service, frame)


async def test_unchanged_chains_have_no_problem(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    await audited_service.record_actions(2, tenant=LYON)
    assert await audited_service.publish_heads() == 2
    assert await audited_service.publish_heads() == 0
    await audited_service.record_actions(1, times=1)
    assert await audited_service.publish_heads() == 1
    assert await audited_service.find_problems() == []


async def test_removed_last_rows_are_reported(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    await audited_service.publish_heads()
    await audited_service.change_rows("DELETE FROM audit WHERE number > 1")
    assert await audited_service.find_problems() == [f"row 3 of {member_id(1)} is gone"]


async def test_removed_middle_row_is_reported(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    await audited_service.publish_heads()
    await audited_service.change_rows("DELETE FROM audit WHERE number = 2")
    (problem,) = await audited_service.find_problems()
    assert problem.startswith(f"row 3 of {member_id(1)} was changed, or one before it is missing")


async def test_missing_chain_and_empty_table_are_reported(
    audited_service: AuditedMiniService,
) -> None:
    await audited_service.record_actions(1)
    await audited_service.record_actions(2, times=1)
    await audited_service.publish_heads()
    await audited_service.change_rows(f"DELETE FROM audit WHERE member_id = '{member_id(2)}'")
    assert await audited_service.find_problems() == [f"row 1 of {member_id(2)} is gone"]
    await audited_service.change_rows("DELETE FROM audit")
    assert sorted(await audited_service.find_problems()) == [
        f"row 1 of {member_id(2)} is gone",
        f"row 3 of {member_id(1)} is gone",
    ]


async def test_rewritten_last_row_is_reported(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    await audited_service.publish_heads()
    await audited_service.change_rows(
        """
        UPDATE audit SET details = '{"event": "another"}', hash = sha256(previous_hash ||
            convert_to(concat_ws('|', tenant_id, member_id, number, extract(epoch FROM at),
                                 action, subject, '{"event": "another"}'::jsonb), 'UTF8'))
        WHERE number = 3
        """
    )
    assert await audited_service.find_problems() == [
        f"row 3 of {member_id(1)} is not the one that was published"
    ]


async def test_heads_with_unknown_key_are_ignored(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    audited_service.private_key = new_private_key_pem()
    await audited_service.publish_heads()
    (problem,) = await audited_service.find_problems()
    assert problem.startswith("1 published ends do not count: signed with a key that is not known")


async def test_unsigned_heads_are_ignored_if_keys_are_known(
    audited_service: AuditedMiniService,
) -> None:
    await audited_service.record_actions(1)
    audited_service.private_key = None
    await audited_service.publish_heads()
    assert await audited_service.find_problems() == ["1 published ends do not count: not signed"]
    assert await audited_service.find_problems(keys="") == []


async def test_heads_of_an_older_key_are_verified(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    await audited_service.publish_heads()
    newer = new_private_key_pem()
    audited_service.private_key = newer
    await audited_service.record_actions(1)
    await audited_service.publish_heads()
    assert await audited_service.find_problems(keys=public_pem(KEY) + public_pem(newer)) == []


async def test_rows_left_out_of_publications_are_reported(
    audited_service: AuditedMiniService,
) -> None:
    clock = audited_service.mini_service.clock
    assert isinstance(clock, Clock)
    await audited_service.record_actions(1)
    await audited_service.publish_heads()
    await audited_service.record_actions(2)
    await audited_service.change_rows(
        f"UPDATE audit SET transaction = 0 WHERE member_id = '{member_id(2)}'"
    )
    clock.advance(minutes=5)
    await audited_service.record_actions(3, times=1)
    await audited_service.publish_heads()
    await audited_service.record_actions(1, times=1)  # new rows that are not yet published
    assert await audited_service.find_problems() == [
        "3 rows are older than a publication that left them out"
    ]


async def test_reconciliation_verifies_audit_chains(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    await audited_service.publish_heads()
    await audited_service.change_rows("DELETE FROM audit WHERE number > 2")
    report = await audited_service.mini_service.check(
        audit_keys=AuditKeys.from_pems(public_pem(KEY))
    )
    assert [w.text for w in report.wrong if w.invariant == "I11"] == [
        f"row 3 of {member_id(1)} is gone"
    ]


async def test_relay_role_reads_only_chain_ends(audited_service: AuditedMiniService) -> None:
    await audited_service.record_actions(1)
    relay = await asyncpg.connect(audited_service.frame.url("relay").replace("+asyncpg", ""))
    try:
        assert await relay.fetchval("SELECT max(number) FROM audit") == 3
        for forbidden in ("SELECT action FROM audit", "SELECT * FROM audit", "DELETE FROM audit"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await relay.execute(forbidden)
    finally:
        await relay.close()


def test_key_of_another_type_is_rejected() -> None:
    for pem in ("nonsense", public_pem(KEY)):
        with pytest.raises(NotAnEd25519Key):
            AuditSigner.from_pem(GROUP, pem)
    with pytest.raises(NotAnEd25519Key):
        AuditKeys.from_pems("nonsense")
