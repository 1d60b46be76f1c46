"""The authorisation matrix: the personas allowed for each action, and a request for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.support.platform_harness import Json, PlatformHarness, member_id_of

PERSONAS = (
    "anonymous",
    "stranger",
    "pupil",
    "owner",
    "manager",
    "moderator",
    "administrator",
    "operator",
)
USER_BY_PERSONA = {
    "anonymous": "anonymous",
    "stranger": "ulla",
    "pupil": "ines",
    "owner": "zoe",
    "manager": "claire",
    "moderator": "omar",
    "administrator": "anne",
    "operator": "operator",
}
"""The user for each persona; `owner` is author of the content and recipient of the notification."""
ALL_PERSONAS = frozenset(PERSONAS)
SIGNED_IN = ALL_PERSONAS - {"anonymous"}
"""With any token a user reads their own data, or data of their tenant."""
SAME_TENANT = SIGNED_IN - {"stranger"}
MANAGERS = frozenset({"manager", "administrator"})
MODERATORS = frozenset({"moderator", "administrator"})
ADMINISTRATOR = frozenset({"administrator"})
OPERATOR = frozenset({"operator"})
OWNER = frozenset({"owner"})
UNUSED_POSITION = "community.post/0/987654321"
"""A log position without a record."""

ALLOWED: Mapping[str, frozenset[str]] = {
    "session.open": ALL_PERSONAS,
    "session.refresh": ALL_PERSONAS,
    "invitation.accept": ALL_PERSONAS,
    "session.list": SIGNED_IN,
    "session.sign_out": SIGNED_IN,
    "session.end": OWNER,
    "session.end_all": SIGNED_IN,
    "password.change": SIGNED_IN,
    "tenant.open": OPERATOR,
    "tenant.invite": OPERATOR,
    "structure.list": SIGNED_IN,
    "structure.open": ADMINISTRATOR,
    "member.add": ADMINISTRATOR,
    "member.import": ADMINISTRATOR | OPERATOR,
    "member.suspend": ADMINISTRATOR,
    "member.reinstate": ADMINISTRATOR,
    "member.invite": ADMINISTRATOR,
    "member.uninvite": ADMINISTRATOR,
    "member.end_sessions": ADMINISTRATOR,
    "role.grant": ADMINISTRATOR,
    "role.revoke": ADMINISTRATOR,
    "space.list": SIGNED_IN,
    "space.open": MANAGERS | OPERATOR,
    "space.join": SAME_TENANT,
    "space.leave": SAME_TENANT,
    "post.list": SAME_TENANT,
    "post.publish": SAME_TENANT,
    "content.read": SAME_TENANT,
    "content.edit": OWNER,
    "content.remove": OWNER,
    "answer.publish": SAME_TENANT,
    "comment.publish": SAME_TENANT,
    "answer.accept": OWNER | {"manager"},
    "content.flag": SAME_TENANT - OWNER,
    "content.import": ADMINISTRATOR | OPERATOR,
    "case.list": SIGNED_IN,
    "case.read": MODERATORS,
    "case.claim": MODERATORS,
    "case.decide": MODERATORS,
    "statement.list": SIGNED_IN,
    "statement.read": OWNER,
    "appeal.submit": OWNER,
    "appeal.list": SIGNED_IN,
    "appeal.read": MODERATORS,
    "appeal.decide": MODERATORS,
    "inbox.read": SIGNED_IN,
    "inbox.mark_read": OWNER,
    "kpi.read": MANAGERS | OPERATOR,
    "kpi.define": SIGNED_IN,
    "alert.list": SIGNED_IN,
    "alert.close": MANAGERS,
    "operate.status": OPERATOR,
    "operate.resume": OPERATOR,
    "operate.dead_letters": OPERATOR,
    "operate.dead_letter": OPERATOR,
    "operate.decide": OPERATOR,
}
"""The personas allowed for each action; `manager` opened the space."""

MODERATION_BODIES: Mapping[str, Json] = {
    "case.decide": {"version": 1, "action": "keep", "policy": "spam", "reason": "other"},
    "appeal.submit": {"text": "C’était une citation."},
    "appeal.decide": {"outcome": "upheld", "answer": "Relue : la décision tient."},
}


MEMBER = {"display_name": "Noé", "email": "noe@demo.example"}
PASSWORD_BODIES: Mapping[str, Json] = {
    "password.change": {"current_password": "raté", "new_password": "abricot pont violon 12"},
    "invitation.accept": {"invitation": "…", "password": "un long mot de passe"},
}


@dataclass(frozen=True)
class RouteArguments:
    """Ids and bodies for the requests to every route; the resources they name exist."""

    paths: Mapping[str, Mapping[str, str]]
    """Action (empty for all other actions) → path parameter → id."""
    bodies: Mapping[str, Json]
    queries: Mapping[str, str]

    def path(self, action: str, template: str) -> str:
        """Return the path of a route with its parameters filled."""
        values = {**self.paths[""], **self.paths.get(action, {})}
        return template.format(**values) + self.queries.get(action, "")


async def create_route_arguments(platform: PlatformHarness) -> RouteArguments:
    """Create the contents, cases and members that the routes refer to."""
    space = await platform.open_space("zoe", "ines", "malik", "tom", "omar", "anne", "operator")
    question = await platform.publish_post("zoe", space, "Qui a raison ? 🤔", "question")
    answer_id = await platform.publish_reply("malik", question, "Moi.", "answers")
    removed_post = await platform.publish_post("zoe", space, "Je l’enlève bientôt.")
    flagged_post = await platform.publish_post("zoe", space, "On se retrouve tous contre lui.")
    second_flagged_post = await platform.publish_post("zoe", space, "Encore.")
    await _flag_content(platform, flagged_post, "ines", "malik", "tom")
    await _flag_content(platform, second_flagged_post, "malik", "tom")
    hidden_post = await platform.publish_post("zoe", space, "Tu es vraiment un connard, dégage.")
    await platform.wait_for_standing("ines", hidden_post, None)
    notification = await platform.wait_for_notification("zoe", "answer_to_mine", answer_id)
    statement = await platform.wait_for_notification("zoe", "statement")
    appeal_path = f"/moderation/v1/statements/{statement['about']}/appeal"
    appeal = await platform.request_ok("zoe", "POST", appeal_path, {"text": "C’est une citation."})
    await platform.wait_until_idle()
    alerts = (await platform.request_ok("claire", "GET", "/metrics/v1/alerts"))["items"]
    sessions = (await platform.request_ok("zoe", "GET", "/identity/v1/sessions"))["items"]
    paths = {
        "space_id": space,
        "content_id": question,
        "case_id": (await platform.wait_for_case(flagged_post))["case_id"],
        "statement_id": statement["about"],
        "appeal_id": appeal["appeal_id"],
        "notification_id": notification["notification_id"],
        "alert_id": next(alert["alert_id"] for alert in alerts if alert["space_id"] == space),
        "member_id": str(member_id_of(platform.tokens["tom"])),
        "session_id": sessions[0]["session_id"],
    }
    paths_by_action = {
        "content.remove": {"content_id": removed_post},
        "answer.accept": {"content_id": answer_id},
    }
    queries = {
        "kpi.read": f"?space_id={space}&from=2026-01-01&to=2026-02-01",
        "operate.dead_letter": f"?place={UNUSED_POSITION}",
    }
    bodies = await _build_bodies(platform, space, paths)
    return RouteArguments({"": paths, **paths_by_action}, bodies, queries)


async def _flag_content(platform: PlatformHarness, content: str, *users: str) -> None:
    for user in users:
        await platform.flag_content(user, content)


async def _build_bodies(
    platform: PlatformHarness, space: str, paths: Mapping[str, str]
) -> dict[str, Json]:
    school = await platform.school_id()
    role = {"member_id": paths["member_id"], "role": "parent", "structure_id": school}
    session = await platform.sign_in("zoe")
    return {
        "session.open": {
            "tenant": "academie-de-demonstration",
            "email": "zoe@demo.example",
            "password": platform.seeded.password_of("zoe"),
        },
        "session.refresh": {"refresh_token": session["refresh_token"]},
        **PASSWORD_BODIES,
        "tenant.invite": {"tenant_id": str(platform.other_tenant), "member_id": paths["member_id"]},
        "tenant.open": {"name": "Université d’à côté", "admin": "chef@cote.example"},
        "structure.open": {"name": "Sixième B", "kind": "class", "parent_id": school},
        "member.add": MEMBER | {"structure_id": school},
        "member.import": {
            "source": "matrix",
            "structure_id": school,
            "lines": [
                {"outside_id": "1", "display_name": "Yaël", "joined_at": "2020-01-01T00:00:00Z"}
            ],
        },
        "member.suspend": {"reason": "matrix"},
        "role.grant": role,
        "role.revoke": role,
        "space.open": {"name": "Une autre salle", "structure_id": school},
        "post.publish": {"title": "Une idée", "body": "La voici."},
        "answer.publish": {"body": "Une réponse"},
        "comment.publish": {"body": "Un commentaire"},
        "content.edit": {"body": "Mieux dit"},
        "content.flag": {"reason": "spam"},
        "content.import": {"space_id": space, "source": "matrix", "lines": []},
        **MODERATION_BODIES,
        "operate.decide": {"decision": "replay", "places": [UNUSED_POSITION]},
        "operate.resume": {},
    }
