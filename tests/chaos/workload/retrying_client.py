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
    """Sends a person's requests, with retries, and journals them."""

    http: HttpClient
    urls: Mapping[str, str]
    journal: Journal

    async def send(self, person: Person, verb: str, request: Request, rng: Random) -> RequestResult:
        """Ask; after a `maybe` perhaps again, under the same key. The answer is learnt from."""
        has_key = can_have_key(request) and rng.random() < KEY_PROBABILITY
        should_retry, delay_seconds = rng.random() < RETRY_PROBABILITY, rng.uniform(0.2, 1)
        key = f"{self.journal.run}/{self.journal.next_number()}" if has_key else None
        result = await self.send_once(person, verb, request, key)
        for attempt in range(1, MAX_ATTEMPTS):
            if result.outcome is not Outcome.MAYBE or not (has_key and should_retry):
                break
            await asyncio.sleep(max(delay_seconds * attempt, min(result.retry_after_seconds, 2)))
            result = await self.send_once(person, verb, request, key)
        return result

    async def send_once(
        self, person: Person, verb: str, request: Request, key: str | None = None
    ) -> RequestResult:
        """Ask once, journal it, learn from the answer."""
        begun, number = datetime.now(UTC), self.journal.next_number()
        sent, headers = _outgoing(person, request, key)
        path = f"/{request.service}/v1{request.path}"
        response, failure = None, "the asker left"
        try:
            url = self.urls[request.service]
            response = await self.http.request(url, request.method, path, headers, sent)
        except NoResponse as lost:
            failure = str(lost)
        finally:
            outcome = (
                outcome_of(response.status, response.content_type) if response else Outcome.MAYBE
            )
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
                    body=_journal_body(request, sent),
                    idempotency_key=key,
                    status=response.status if response else None,
                    answer=_journal_body(request, response.body) if response else failure,
                    outcome=outcome,
                    expected=request.expected_status,
                    replayed=response is not None and "idempotent-replay" in response.headers,
                )
            )
        return _apply_response(person, request, outcome, response)


def can_have_key(request: Request) -> bool:
    """Return whether the request may carry an idempotency key: an authenticated, valid POST."""
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


def _journal_body(request: Request, body: bytes) -> object:
    """Give what the journal keeps: JSON as it came, anything else as text, nothing secret."""
    if not body:
        return None
    try:
        decoded: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "backslashreplace")
    secretive = request.service == "identity" and isinstance(decoded, dict)
    return redact(decoded) if secretive and isinstance(decoded, dict) else msgspec.Raw(body)


def _apply_response(
    person: Person, request: Request, outcome: Outcome, response: HttpResponse | None
) -> RequestResult:
    if response is None:
        return RequestResult(outcome)
    if outcome is Outcome.OK:
        request.on_success(response.body)
    elif outcome is Outcome.FAILED and request.expected_status is None:
        if response.status == 401 and request.token is None:
            person.access = ""
        if request.content and GONE_PROBLEMS.get(response.status) == problem_of(response.body):
            request.content.gone = True
    retry_after = response.headers.get("retry-after", "")
    return RequestResult(
        outcome,
        response.status,
        response.body,
        float(retry_after) if retry_after.isdigit() else 0.0,
    )
