"""Checks of subscribers before a request to Kafka, and the ACLs of users."""

import pytest

from shared.contracts.catalogue import PUBLISHERS, TOPICS
from shared.kit.bus.kafka.acls import (
    Operation,
    Pattern,
    Resource,
    service_acls,
    subscriber_acls,
    topics_written,
)
from shared.kit.bus.kafka.subscribers import PERSONAL_TOPICS, RefusedSubscriber, check_request


def test_unknown_topic_is_rejected_with_the_known_topics() -> None:
    with pytest.raises(RefusedSubscriber, match=r"no such topic: community\.pots\. Known: .*post"):
        check_request("mine", ["community.post", "community.pots"], personal_data=False)


def test_topic_with_personal_data_needs_the_flag() -> None:
    assert "identity.member" in PERSONAL_TOPICS
    with pytest.raises(RefusedSubscriber, match="--personal-data"):
        check_request("mine", ["identity.member"], personal_data=False)
    check_request("mine", ["identity.member"], personal_data=True)


@pytest.mark.parametrize("name", [*PUBLISHERS, "admin", "broker", "", "a b", "É", "a.b", "User:x"])
def test_reserved_or_invalid_name_is_rejected(name: str) -> None:
    with pytest.raises(RefusedSubscriber):
        check_request(name, ["community.post"], personal_data=False)


def test_no_topic_is_written_by_two_services() -> None:
    writers = {
        topic: [name for name in PUBLISHERS if topic in topics_written(name)] for topic in TOPICS
    }
    assert all(len(names) == 1 for names in writers.values()), writers


@pytest.mark.parametrize("service", PUBLISHERS)
def test_service_may_use_only_groups_with_its_name(service: str) -> None:
    groups = {
        (entry.name, entry.pattern)
        for entry in service_acls(service)
        if entry.resource is Resource.GROUP
    }
    assert groups == {(service, Pattern.LITERAL), (f"{service}.", Pattern.PREFIXED)}


def test_subscriber_may_only_read() -> None:
    entries = subscriber_acls("mine", ["community.post"])
    assert {entry.operation for entry in entries} == {Operation.READ}
