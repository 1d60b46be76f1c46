"""People, spaces and a past, generated in SQL; their ids can be computed here too."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from uuid import UUID

import asyncpg

from shared.kit.text.markup import HTML_VERSION

TENANTS = 20
SPACES = 10
"""In each tenant."""
_PLACES = f"""
    INSERT INTO rights_structures (tenant_id, structure_id, path, time_zone)
    SELECT md5('tenant ' || t)::uuid, md5('structure ' || t)::uuid, '{{}}', 'Europe/Paris'
    FROM generate_series(0, {TENANTS - 1}) t;
    INSERT INTO spaces (tenant_id, space_id, name, visibility, joining, structure_id, path,
                        time_zone, opened_at)
    SELECT md5('tenant ' || t)::uuid, md5('space ' || t || ' ' || s)::uuid, 'Espace ' || s || ' ☀️',
           'structure', 'open', md5('structure ' || t)::uuid, '{{}}', 'Europe/Paris', now()
    FROM generate_series(0, {TENANTS - 1}) t, generate_series(0, {SPACES - 1}) s;
"""
_MEMBERS = f"""
    INSERT INTO rights_members (tenant_id, member_id, kind, minor, structure_id, known)
    SELECT md5('tenant ' || n % {TENANTS})::uuid, md5('member ' || n)::uuid, 'person', false,
           md5('structure ' || n % {TENANTS})::uuid, true
    FROM generate_series($1::int, $2::int - 1) n
"""
_ROLES = f"""
    INSERT INTO rights_roles (tenant_id, member_id, role, structure_id)
    SELECT md5('tenant ' || n % {TENANTS})::uuid, md5('member ' || n)::uuid, 'pupil',
           md5('structure ' || n % {TENANTS})::uuid
    FROM generate_series($1::int, $2::int - 1) n
"""
_MEMBERSHIPS = f"""
    INSERT INTO memberships (tenant_id, space_id, member_id, role, joined_at)
    SELECT md5('tenant ' || n % {TENANTS})::uuid,
           md5('space ' || n % {TENANTS} || ' ' || n / {TENANTS} % {SPACES})::uuid,
           md5('member ' || n)::uuid, 'member', now()
    FROM generate_series($1::int, $2::int - 1) n
"""
_POSTS = f"""
    INSERT INTO contents (tenant_id, content_id, kind, root_id, space_id, structure_id, title, body,
                          html, html_version, format, author_id, author_role, version, standing,
                          created_at)
    SELECT md5('tenant ' || n % {TENANTS})::uuid, id, 'discussion', id,
           md5('space ' || n % {TENANTS} || ' ' || n / {TENANTS} % {SPACES})::uuid,
           md5('structure ' || n % {TENANTS})::uuid, 'Un titre', repeat('Des mots, et encore. ', 8),
           '<p>' || repeat('Des mots, et encore. ', 8) || '</p>', {HTML_VERSION},
           'markdown', md5('member ' || n)::uuid, 'pupil', 1, 'visible', at
    FROM (SELECT n, ('01' || substr(md5('post ' || n), 3))::uuid AS id,
                 now() - n * interval '1 second' AS at
          FROM generate_series($1::int, $2::int - 1) n) AS written
"""
_HEADS = f"""
    INSERT INTO heads (topic, key, sequence)
    SELECT 'community.post',
           md5('tenant ' || n % {TENANTS})::uuid || ':' ||
           ('01' || substr(md5('post ' || n), 3))::uuid, 1
    FROM generate_series($1::int, $2::int - 1) n
"""
# Ids as a day's events have them: milliseconds since 1970, seven, chance.
_INBOX = """
    INSERT INTO inbox (consumer_group, event_id)
    SELECT 'yesterday', (lpad(to_hex($3::bigint + n), 12, '0') || '7' || substr(h, 1, 3)
                         || '8' || substr(h, 4, 15))::uuid
    FROM (SELECT n, md5('event ' || n) AS h FROM generate_series($1::int, $2::int - 1) n) AS past
"""
_EMPTY = """
    TRUNCATE rights_structures, rights_members, rights_roles, spaces, memberships, contents
"""


def _id(words: str) -> UUID:
    return UUID(md5(words.encode()).hexdigest())  # noqa: S324  a name, not a secret


@dataclass(frozen=True)
class Member:
    """A member who may publish in a space."""

    tenant: UUID
    member: UUID
    space: UUID


def members(number: int, among: int | None = None) -> Iterator[Member]:
    """Name so many of them, spread evenly over the first `among`."""
    step = max(1, (among or number) // number)
    # A step that is no multiple of the number of tenants, so that all of them have their share.
    for n in range(0, number * step, step + 1 if step % TENANTS == 0 else step):
        tenant, space = n % TENANTS, n // TENANTS % SPACES
        yield Member(_id(f"tenant {tenant}"), _id(f"member {n}"), _id(f"space {tenant} {space}"))


async def populate(admin: asyncpg.Connection, number: int, *, posts: int = 0) -> None:
    """Replace all members, their posts and outbox heads by generated ones."""
    await admin.execute(_EMPTY)
    await admin.execute(_PLACES)
    for statement in (_MEMBERS, _ROLES, _MEMBERSHIPS):
        await admin.execute(statement, 0, number)
    if posts:
        await admin.execute(_POSTS, 0, posts)
        await admin.execute(_HEADS, 0, posts)


async def remember(admin: asyncpg.Connection, events: int, midnight_ms: int) -> None:
    """Insert event ids of today into the inbox, for another consumer group."""
    await admin.execute(_INBOX, 0, events, midnight_ms)
