"""The users of the embedded broker: one per service, an administrator, the broker itself.

The administrator and the broker are defined in the broker's settings (mechanism PLAIN), so that
they can log in while the data folder has no users; the services have SCRAM passwords in the
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
    """Return the name of a user's password in `secrets.json`."""
    return f"kafka_{user}"


def secret_names() -> list[str]:
    """Return the names of all users' passwords."""
    return [secret_name(user) for user in (ADMIN, BROKER, *SERVICES)]


def broker_settings(passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the broker settings that require a login on both listeners."""
    admin, broker = passwords[secret_name(ADMIN)], passwords[secret_name(BROKER)]
    clients = f"listener.name.{LISTENER.lower()}"
    return {
        "listener.security.protocol.map": f"{LISTENER}:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
        "inter.broker.listener.name": LISTENER,
        "sasl.mechanism.inter.broker.protocol": "PLAIN",
        "sasl.mechanism.controller.protocol": "PLAIN",
        f"{clients}.sasl.enabled.mechanisms": "SCRAM-SHA-256,PLAIN",
        f"{clients}.plain.sasl.jaas.config": _plain_jaas_config(ADMIN, admin),
        f"{clients}.scram-sha-256.sasl.jaas.config": (
            f"{_SECURITY}.scram.ScramLoginModule required;"
        ),
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": _plain_jaas_config(BROKER, broker),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": f"User:{ADMIN};User:{BROKER}",
    }


def _plain_jaas_config(user: str, password: str) -> str:
    login = f'username="{user}" password="{password}" user_{user}="{password}"'
    return f"{_SECURITY}.plain.PlainLoginModule required {login};"


def settings_owner(user: str) -> str:
    """Return the prefix owner of a user's login settings: the service, or the operator."""
    return OPERATOR if user == ADMIN else user


def login_variables(user: str, passwords: Mapping[str, str]) -> dict[str, str]:
    """Return a user's login settings as environment variables."""
    prefix = f"{settings_owner(user).upper()}_KAFKA"
    return {
        f"{prefix}_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        f"{prefix}_USERNAME": user,
        f"{prefix}_PASSWORD": passwords[secret_name(user)],
    }


def cluster_as_user(address: str, user: str, passwords: Mapping[str, str]) -> Cluster:
    """Return the embedded cluster with the login of one user."""
    return Cluster.from_environment(settings_owner(user), login_variables(user, passwords), address)


async def provision_users(address: str, passwords: Mapping[str, str]) -> None:
    """Set the password and the rights of every user, and create the missing topics.

    Idempotent. A right that this version does not need is revoked.
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
    # The client warns about a password in clear text; it is sent on the loopback address only.
    logging.getLogger("aiokafka.conn").addFilter(_is_other_message)
    async with connect_as_admin(first) as access:
        users = {user: passwords[secret_name(user)] for user in (ADMIN, *SERVICES)}
        await access.set_passwords(users)
        await _update_acls(access)
    await _create_topics(cluster_as_user(address, ADMIN, passwords))


async def _create_topics(admin_cluster: Cluster) -> None:
    """Create every topic, so that no service waits for the topics of another at its start."""
    bus = KafkaBus(admin_cluster, client_id="preau-local")
    try:
        dead = (f"dead.{service}" for service in SERVICES)
        await bus.ensure_topics([Topic(name) for name in (*TOPICS, *dead)])
    finally:
        await bus.close()


def _is_other_message(record: logging.LogRecord) -> bool:
    return record.msg != "Sending username and password in the clear"


def required_acls() -> frozenset[Acl]:
    """Return the ACLs of the services' users. Imports the services at the first call."""
    return frozenset(entry for service in SERVICES for entry in service_acls(service))


async def _update_acls(access: Access) -> None:
    required = required_acls()
    existing = await access.entries()
    await access.revoke([entry for entry in existing - required if entry.user in SERVICES])
    # Written even without a change: the metadata log is ordered, so the passwords are applied too.
    await access.allow(required)
