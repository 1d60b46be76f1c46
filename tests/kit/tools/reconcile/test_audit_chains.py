"""Audit rows against their published ends: what a change, a cut or a removal leaves behind."""

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
class AuditedSmall:
    """A service whose members act, and whose heads are published when the test says so."""

    small: MiniService
    frame: Frame
    private_key: str | None = KEY

    async def acts(self, who: int, times: int = 3, tenant: object = RENNES) -> None:
        for number in range(times):
            async with self.small.database.unit(make_caller(tenant, member_id(who))) as unit:  # type: ignore[arg-type]  # a tenant of the tests
                unit.record(MemberReinstated(member_id=member_id(100 + number)))

    async def publishes(self) -> int:
        signer = AuditSigner.from_pem(GROUP, self.private_key) if self.private_key else None
        publisher = AuditHeadsPublisher(self.small.database, self.frame.url("relay"), signer)
        number = await publisher.publish()
        await self.small.sql("DELETE FROM outbox WHERE topic NOT LIKE '%.audit'")
        await self.small.relay()
        return number

    async def tampers(self, statement: str) -> None:
        """Change the rows as only the owner of the tables can."""
        owner = await asyncpg.connect(self.frame.url("owner").replace("+asyncpg", ""))
        try:
            await owner.execute(f"SET app.tenants = '{RENNES},{LYON}'")
            assert (await owner.execute(statement)).split()[-1] != "0"
        finally:
            await owner.close()

    async def problems(self, keys: str | None = None) -> list[str]:
        report = Report()
        public = AuditKeys.from_pems(public_pem(KEY) if keys is None else keys)
        source = AuditedService(GROUP, self.frame.url("owner"))
        await verify_audit(InMemoryLog(self.small.bus), [source], public, report)
        return [wrong.text for wrong in report.wrong]


@pytest.fixture
async def audited(small: MiniService, frame: Frame) -> AuditedSmall:
    await small.bus.ensure_topics([Topic("community.audit", 4)])
    return AuditedSmall(small, frame)


async def test_whole_chains_have_no_problem_and_are_published_once(audited: AuditedSmall) -> None:
    await audited.acts(1)
    await audited.acts(2, tenant=LYON)
    assert await audited.publishes() == 2
    assert await audited.publishes() == 0
    await audited.acts(1, times=1)
    assert await audited.publishes() == 1
    assert await audited.problems() == []


async def test_the_last_rows_cut_off_are_found(audited: AuditedSmall) -> None:
    await audited.acts(1)
    await audited.publishes()
    await audited.tampers("DELETE FROM audit WHERE number > 1")
    assert await audited.problems() == [f"row 3 of {member_id(1)} is gone"]


async def test_a_missing_row_in_the_middle_is_found(audited: AuditedSmall) -> None:
    await audited.acts(1)
    await audited.publishes()
    await audited.tampers("DELETE FROM audit WHERE number = 2")
    (problem,) = await audited.problems()
    assert problem.startswith(f"row 3 of {member_id(1)} was changed, or one before it is missing")


async def test_a_whole_missing_chain_and_an_empty_table_are_found(audited: AuditedSmall) -> None:
    await audited.acts(1)
    await audited.acts(2, times=1)
    await audited.publishes()
    await audited.tampers(f"DELETE FROM audit WHERE member_id = '{member_id(2)}'")
    assert await audited.problems() == [f"row 1 of {member_id(2)} is gone"]
    await audited.tampers("DELETE FROM audit")
    assert sorted(await audited.problems()) == [
        f"row 1 of {member_id(2)} is gone",
        f"row 3 of {member_id(1)} is gone",
    ]


async def test_a_last_row_rewritten_with_its_hash_is_found(audited: AuditedSmall) -> None:
    await audited.acts(1)
    await audited.publishes()
    await audited.tampers(
        """
        UPDATE audit SET details = '{"event": "another"}', hash = sha256(previous_hash ||
            convert_to(concat_ws('|', tenant_id, member_id, number, extract(epoch FROM at),
                                 action, subject, '{"event": "another"}'::jsonb), 'UTF8'))
        WHERE number = 3
        """
    )
    assert await audited.problems() == [
        f"row 3 of {member_id(1)} is not the one that was published"
    ]


async def test_heads_that_somebody_else_signed_do_not_count(audited: AuditedSmall) -> None:
    await audited.acts(1)
    audited.private_key = new_private_key_pem()
    await audited.publishes()
    (problem,) = await audited.problems()
    assert problem.startswith("1 published ends do not count: signed with a key that is not known")


async def test_unsigned_heads_do_not_count_where_there_is_a_key(audited: AuditedSmall) -> None:
    await audited.acts(1)
    audited.private_key = None
    await audited.publishes()
    assert await audited.problems() == ["1 published ends do not count: not signed"]
    assert await audited.problems(keys="") == []


async def test_old_public_keys_stay_for_old_heads(audited: AuditedSmall) -> None:
    await audited.acts(1)
    await audited.publishes()
    newer = new_private_key_pem()
    audited.private_key = newer
    await audited.acts(1)
    await audited.publishes()
    assert await audited.problems(keys=public_pem(KEY) + public_pem(newer)) == []


async def test_rows_that_publications_passed_over_are_found(audited: AuditedSmall) -> None:
    clock = audited.small.clock
    assert isinstance(clock, Clock)
    await audited.acts(1)
    await audited.publishes()
    await audited.acts(2)
    await audited.tampers(f"UPDATE audit SET transaction = 0 WHERE member_id = '{member_id(2)}'")
    clock.advance(minutes=5)
    await audited.acts(3, times=1)
    await audited.publishes()
    await audited.acts(1, times=1)  # these are new, and only not yet published
    assert await audited.problems() == ["3 rows are older than a publication that left them out"]


async def test_reconcile_verifies_the_chains_too(audited: AuditedSmall) -> None:
    await audited.acts(1)
    await audited.publishes()
    await audited.tampers("DELETE FROM audit WHERE number > 2")
    report = await audited.small.check(audit_keys=AuditKeys.from_pems(public_pem(KEY)))
    assert [w.text for w in report.wrong if w.invariant == "I11"] == [
        f"row 3 of {member_id(1)} is gone"
    ]


async def test_the_relays_role_sees_where_chains_end_and_no_more(audited: AuditedSmall) -> None:
    await audited.acts(1)
    relay = await asyncpg.connect(audited.frame.url("relay").replace("+asyncpg", ""))
    try:
        assert await relay.fetchval("SELECT max(number) FROM audit") == 3
        for forbidden in ("SELECT action FROM audit", "SELECT * FROM audit", "DELETE FROM audit"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await relay.execute(forbidden)
    finally:
        await relay.close()


def test_a_key_of_another_kind_is_refused() -> None:
    for pem in ("nonsense", public_pem(KEY)):
        with pytest.raises(NotAnEd25519Key):
            AuditSigner.from_pem(GROUP, pem)
    with pytest.raises(NotAnEd25519Key):
        AuditKeys.from_pems("nonsense")
