"""Rate limits for attempts at secrets."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.identity.sessions.domain import Guess, TooManyAttempts
from services.identity.sessions.ports import SessionsDeps
from shared.kit.core.errors import PreauError, Unauthorised


@asynccontextmanager
async def limit_attempts(
    deps: SessionsDeps, guess: Guess, failure: type[PreauError] = Unauthorised
) -> AsyncIterator[None]:
    """Count an attempt before the secret is checked in the block; concurrent attempts count too.

    The attempt stays counted when the block raises `failure`. When the block succeeds, the counts
    of this person from this client address are reset; after any other error the charge is taken
    back. Raises `TooManyAttempts` instead of entering the block.
    """
    ticket, charges = str(deps.new_id()), guess.charges
    decision = await deps.attempts.limiter.take(ticket, charges)
    if not decision.allowed:
        raise TooManyAttempts(retry_after=decision.retry_after)
    try:
        yield
    except failure:
        raise
    except BaseException:
        await deps.attempts.limiter.refund(ticket, charges)
        raise
    await deps.attempts.limiter.refund(ticket, guess.shared)
    await deps.attempts.limiter.reset(guess.own)
