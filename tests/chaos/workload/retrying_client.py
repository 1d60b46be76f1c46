"""Asks as a good client does, and journals each request as it ends."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

import msgspec

from tests.chaos.workload.http_client import HttpClient, HttpResponse, NoResponse
from tests.chaos.workload.journal import Journal, Operation, Outcome, outcome_of, redact
from tests.chaos.workload.request import Request
from tests.chaos.workload.tenant_state import Person

MAX_ATTEMPTS = 3
RETRY_PROBABILITY = 0.6
"""How many of those whose answer did not come ask again."""
KEY_PROBABILITY = 0.9
"""How many POSTs carry an idempotency key: only those are ever asked again."""
GONE_PROBLEMS = {404: "content_not_found", 409: "content_gone"}


class Problem(msgspec.Struct):
    """What of a problem document a client looks at."""

    type: str = ""


@dataclass(frozen=True)
class RequestResult:
    """What came of a request."""

    outcome: Outcome
    status: int | None = None
    body: bytes = b""
    retry_after_seconds: float = 0.0

    @property
    def problem(self) -> str:
        """The key of the problem that was answered."""
        return problem_of(self.body)


@dataclass(frozen=True)
class RetryingClient:
    """Asks on somebody's behalf."""

    http: HttpClient
    urls: Mapping[str, str]
    journal: Journal

    async def send(
        self, person: Person, verb: str, request: Request, draw: Random
    ) -> RequestResult:
        """Ask; after a `maybe` perhaps again, under the same key. The answer is learnt from."""
        keyed = can_have_key(request) and draw.random() < KEY_PROBABILITY
        again, patience = draw.random() < RETRY_PROBABILITY, draw.uniform(0.2, 1)
        key = f"{self.journal.run}/{self.journal.next_number()}" if keyed else None
        heard = await self.send_once(person, verb, request, key)
        for attempt in range(1, MAX_ATTEMPTS):
            if heard.outcome is not Outcome.MAYBE or not (keyed and again):
                break
            await asyncio.sleep(max(patience * attempt, min(heard.retry_after_seconds, 2)))
            heard = await self.send_once(person, verb, request, key)
        return heard

    async def send_once(
        self, person: Person, verb: str, request: Request, key: str | None = None
    ) -> RequestResult:
        """Ask once, journal it, learn from the answer."""
        begun, number = datetime.now(UTC), self.journal.next_number()
        sent, headers = _outgoing(person, request, key)
        path = f"/{request.service}/v1{request.path}"
        answer, why = None, "the asker left"
        try:
            url = self.urls[request.service]
            answer = await self.http.request(url, request.method, path, headers, sent)
        except NoResponse as lost:
            why = str(lost)
        finally:
            outcome = outcome_of(answer.status, answer.content_type) if answer else Outcome.MAYBE
            self.journal.write(
                Operation(
                    n=number,
                    run=self.journal.run,
                    begun=begun,
                    ended=datetime.now(UTC),
                    member=None if request.token is not None else person.member_id or None,
                    tenant=person.tenant.tenant_id or None,
                    service=request.service,
                    verb=verb,
                    method=request.method,
                    path=path,
                    body=_kept(request, sent),
                    idempotency_key=key,
                    status=answer.status if answer else None,
                    answer=_kept(request, answer.body) if answer else why,
                    outcome=outcome,
                    expected=request.expected_status,
                    replayed=answer is not None and "idempotent-replay" in answer.headers,
                )
            )
        return _learn(person, request, outcome, answer)


def can_have_key(request: Request) -> bool:
    """Say whether this is a POST of somebody who is known: no other answer is ever kept."""
    return request.method == "POST" and request.token is None and request.expected_status is None


def problem_of(body: bytes) -> str:
    """Give the key of a problem document, empty when it is none."""
    try:
        return msgspec.json.decode(body, type=Problem).type.rpartition("/")[2]
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _outgoing(person: Person, request: Request, key: str | None) -> tuple[bytes, dict[str, str]]:
    token = person.access if request.token is None else request.token
    headers = {"authorization": f"Bearer {token}"} if token else {}
    if key is not None:
        headers["idempotency-key"] = key
    if request.body is None:
        return b"", headers
    headers["content-type"] = "application/json"
    body = request.body
    return (body if isinstance(body, bytes) else msgspec.json.encode(body)), headers


def _kept(request: Request, body: bytes) -> object:
    """Give what the journal keeps: JSON as it came, anything else as text, nothing secret."""
    if not body:
        return None
    try:
        said: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "backslashreplace")
    secretive = request.service == "identity" and isinstance(said, dict)
    return redact(said) if secretive and isinstance(said, dict) else msgspec.Raw(body)


def _learn(
    person: Person, request: Request, outcome: Outcome, answer: HttpResponse | None
) -> RequestResult:
    if answer is None:
        return RequestResult(outcome)
    if outcome is Outcome.OK:
        request.on_success(answer.body)
    elif outcome is Outcome.FAILED and request.expected_status is None:
        if answer.status == 401 and request.token is None:
            person.access = ""
        if request.content and GONE_PROBLEMS.get(answer.status) == problem_of(answer.body):
            request.content.gone = True
    after = answer.headers.get("retry-after", "")
    return RequestResult(
        outcome, answer.status, answer.body, float(after) if after.isdigit() else 0.0
    )
