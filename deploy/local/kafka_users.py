"""The users of the embedded broker: one for each service, an administrator, the broker itself.

The administrator and the broker are named in the broker's own settings (mechanism PLAIN), so that
they may log in to a data folder that has no users yet; everybody else has a SCRAM password in the
cluster's metadata.
"""

import logging
from collections.abc import Mapping

from shared.contracts.catalogue import PUBLISHERS, TOPICS
from shared.kit.bus.kafka import Cluster, KafkaBus
from shared.kit.bus.kafka.access import Access, connect_as_admin
from shared.kit.bus.kafka.acls import Acl, service_acls
from shared.kit.bus.kafka.settings import KafkaSettings
from shared.kit.core.bus import Topic

ADMIN, BROKER = "admin", "broker"
OPERATOR = "operator"
SERVICES = tuple(PUBLISHERS)
LISTENER = "CLIENTS"
_SECURITY = "org.apache.kafka.common.security"


def secret_name(user: str) -> str:
    """Name a user's password in `secrets.json`."""
    return f"kafka_{user}"


def secret_names() -> list[str]:
    """Name the passwords of all users."""
    return [secret_name(user) for user in (ADMIN, BROKER, *SERVICES)]


def broker_settings(passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the settings that close both listeners to whoever has no password."""
    admin, broker = passwords[secret_name(ADMIN)], passwords[secret_name(BROKER)]
    clients = f"listener.name.{LISTENER.lower()}"
    return {
        "listener.security.protocol.map": f"{LISTENER}:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": LISTENER,
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        f"{clients}.sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        f"{clients}.plain.sasl.jaas.config": _plain(ADMIN, admin),
        f"{clients}.scram-sha-256.sasl.jaas.config": (
            f"{_SECURITY}.scram.ScramLoginModule required;"
        ),
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": _plain(BROKER, broker),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN};User:{BROKER}",
    }


def _plain(user: str, password: str) -> str:
    login = f'username="{user}" password="{password}" user_{user}="{password}"'
    return f"{_SECURITY}.plain.PlainLoginModule required {login};"


def settings_owner(user: str) -> str:
    """Name whose settings a user's login is: a service's, or the operator's."""
    return OPERATOR if user == ADMIN else user


def login_variables(user: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the settings with which a user logs in, as environment variables."""
    prefix = f"{settings_owner(user).upper()}_KAFKA"
    return {
        f"{prefix}_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        f"{prefix}_USERNAME": user,
        f"{prefix}_PASSWORD": passwords[secret_name(user)],
    }


def cluster_as_user(address: str, user: str, passwords: Mapping[str, str]) -> Cluster:
    """Return the embedded cluster as one of its users sees it."""
    return Cluster.from_environment(settings_owner(user), login_variables(user, passwords), address)


async def provision_users(address: str, passwords: Mapping[str, str]) -> None:
    """Return every user its password and its rights, and make the topics that are missing.

    Doing it again changes nothing. A right that a newer version does not give is taken away.
    """
    first = Cluster(
        address,
        KafkaSettings(
            kafka_security_protocol="SASL_PLAINTEXT",
            kafka_sasl_mechanism="PLAIN",
            kafka_username=ADMIN,
            kafka_password=passwords[secret_name(ADMIN)],
        ),
    )
    # The password is in the clear on the loopback address only, and the client warns of it.
    logging.getLogger("aiokafka.conn").addFilter(_is_other_news)
    async with connect_as_admin(first) as access:
        users = {user: passwords[secret_name(user)] for user in (ADMIN, *SERVICES)}
        await access.set_passwords(users)
        await _set_entries(access)
    await _make_topics(cluster_as_user(address, ADMIN, passwords))


async def _make_topics(own: Cluster) -> None:
    """Make every topic: a service may make its own only, and waits for those that it reads."""
    bus = KafkaBus(own, client_id="preau-local")
    try:
        dead = (f"dead.{service}" for service in SERVICES)
        await bus.ensure_topics([Topic(name) for name in (*TOPICS, *dead)])
    finally:
        await bus.close()


def _is_other_news(record: logging.LogRecord) -> bool:
    return record.msg != "Sending username and password in the clear"


def required_acls() -> frozenset[Acl]:
    """Return what the services' users may do; imports the services at the first call."""
    return frozenset(entry for service in SERVICES for entry in service_acls(service))


async def _set_entries(access: Access) -> None:
    wanted = required_acls()
    there = await access.entries()
    await access.revoke([entry for entry in there - wanted if entry.user in SERVICES])
    # Written even when nothing is new: the log is in order, so passwords are known with them.
    await access.allow(wanted)
