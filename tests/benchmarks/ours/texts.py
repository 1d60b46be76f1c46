"""What people write, as load: no two requests alike, with accents and emoji, of real length."""

import json
import random
from uuid import uuid4

SHORTEST, LONGEST = 50, 2_000
"""Characters of a post."""
KINDS = 500
_MARK = "@" * 32
_WORDS = """
à l’école où « bien que » est suivi du subjonctif ça dépend cœur naïf Noël déjà peut-être élève
leçon *malgré* **que** forêt hôpital août garçon 🤔 👩🏽‍🏫 🎉 l’œuvre un une dans pour avec nous
exercice numéro trois réponse question merci énoncé géométrie français Ångström żółw — oui, non…
""".split()
_TITLES = ("Malgré que, est-ce admis ? 🤔", "Un verbe à l’impératif", "Où est l’énoncé ? 👀")


class Texts:
    """Request bodies that are prepared in advance, except for a unique mark."""

    def __init__(self, seed: int = 7) -> None:
        chance = random.Random(seed)
        bodies = [_body(chance) for _ in range(KINDS)]
        self._parts = [body.split(_MARK.encode()) for body in bodies]
        self._turn = 0

    def next(self) -> bytes:
        """Return a body that no other request has."""
        self._turn += 1
        return uuid4().hex.encode().join(self._parts[self._turn % KINDS])


def _body(chance: random.Random) -> bytes:
    # Most are short: as many between 50 and 100 characters as between 1,000 and 2,000.
    length = int(SHORTEST * (LONGEST / SHORTEST) ** chance.random())
    words = [_MARK]
    while sum(map(len, words)) + len(words) < length:
        words.append(chance.choice(_WORDS) + chance.choice(("", "", "", ",", ".\n\n")))
    kind = chance.choice(("discussion", "discussion", "question"))
    title = f"{chance.choice(_TITLES)} {_MARK[:32]}"
    body = " ".join(words)[:length].ljust(SHORTEST, "é")
    written = {"kind": kind, "title": title, "body": body}
    return json.dumps(written, ensure_ascii=False).encode()
