"""Count a guess before it is tried, so that of many at once only so many are tried."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.identity.sessions.domain import Guess, TooManyAttempts
from services.identity.sessions.ports import SessionsDeps
from shared.kit.core.errors import PreauError, Unauthorised


@asynccontextmanager
async def limit_attempts(
    deps: SessionsDeps, guess: Guess, failure: type[PreauError] = Unauthorised
) -> AsyncIterator[None]:
    """Count a guess, then let it be tried in the block.

    It stays counted when the block raises `wrong`. When the block ends well, the count of this
    person at this place begins anew; after any other error it is as if nothing had been tried.
    Raises `TooManyAttempts` instead of entering the block.
    """
    ticket, charges = str(deps.new_id()), guess.charges
    decision = await deps.attempt_limiter.take(ticket, charges)
    if not decision.allowed:
        raise TooManyAttempts(retry_after=decision.retry_after)
    try:
        yield
    except failure:
        raise
    except BaseException:
        await deps.attempt_limiter.refund(ticket, charges)
        raise
    await deps.attempt_limiter.refund(ticket, guess.shared)
    await deps.attempt_limiter.reset(guess.own)
