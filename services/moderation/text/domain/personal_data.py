"""Personal data, matched by shape and confirmed by check digits.

A number with wrong check digits is rejected (NIR, IBAN, SIRET: python-stdnum); a telephone number
must exist in its country's plan and belong to a person, not to a helpline (phonenumbers).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import phonenumbers
import re2
from stdnum import iban
from stdnum.fr import nir, siret

from services.moderation.text.domain.spans import Span

PersonalDataKind = Literal["nir", "iban", "siret", "phone", "email", "address"]
PERSONAL_DATA_KINDS: Final[tuple[PersonalDataKind, ...]] = get_args(PersonalDataKind)

_SEPARATOR = r"[ .\-]?"
# Letters as ranges: a Unicode class would make the pattern fifty times larger in RE2.
_CAPITAL = "A-ZÀ-ÖØ-ÞŒ"
_PARTICLE = "(?:(?:du|des|de la|de l['’]|de|d['’]|l['’]|la|le|les) ?)?"
_NAME = rf"[{_CAPITAL}a-zß-öø-ÿœ][{_CAPITAL}a-zß-öø-ÿœ'’\-]*"
_PROPER = rf"[{_CAPITAL}][{_CAPITAL}a-zß-öø-ÿœ'’\-]*"
_EMAIL = (
    r"(?i)\b[a-z0-9._%+\-]{1,64}(?:@|\s?[(\[](?:at|arobase|chez)[)\]]\s?)"
    r"(?:[a-z0-9\-]{1,63}(?:\.|\s?[(\[](?:dot|point)[)\]]\s?)){1,4}[a-z]{2,24}\b"
)
_FRENCH_ADDRESS = (
    r"\b\d{1,4}(?: ?(?i:bis|ter|quater|[a-d]))?,? (?:(?i:rue|avenue|av\.|boulevard|bd|chemin"
    rf"|impasse|allée|allee|lotissement|faubourg) {_PARTICLE}{_NAME}"
    rf"|(?i:place|quai|route|square) {_PARTICLE}{_PROPER})"
    rf"(?: {_PROPER}){{0,3}}(?:,? \d{{5}}(?: {_PROPER}){{1,3}})?"
)
_ENGLISH_ADDRESS = (
    rf"\b\d{{1,4}}[A-Z]? (?:{_PROPER} ){{1,3}}(?:Street|Road|Avenue|Lane|Drive|Close|Court)\b"
)
# The surest kinds first: where two patterns overlap, the first that passes its check has it.
_PATTERNS: Final[tuple[tuple[PersonalDataKind, str], ...]] = (
    ("nir", rf"\b[12478](?:{_SEPARATOR}\d){{5}}{_SEPARATOR}[\dABab](?:{_SEPARATOR}\d){{8}}\b"),
    ("iban", rf"\b[A-Za-z]{{2}}\d\d(?:{_SEPARATOR}[A-Za-z0-9]){{11,30}}\b"),
    ("siret", rf"\b\d(?:{_SEPARATOR}\d){{13}}\b"),
    ("phone", r"(?:\+|\b00)[1-9](?:[ .\-()/]{0,2}\d){7,13}\b|\b0[1-9](?:[ .\-/]{0,2}\d){8}\b"),
    ("email", _EMAIL),
    ("address", f"{_FRENCH_ADDRESS}|{_ENGLISH_ADDRESS}"),
)
_DIGITS = frozenset("0123456789")
# The number of a public service is no personal data.
_PERSONAL_NUMBER_TYPES = frozenset(
    {
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
        phonenumbers.PhoneNumberType.VOIP,
        phonenumbers.PhoneNumberType.PERSONAL_NUMBER,
    }
)
_FRENCH_PHONE_DIGITS = 10
_BLANKS = str.maketrans({"\u00a0": " ", "\u202f": " ", "\u2011": "-", "\u2009": " "})


@dataclass(frozen=True, slots=True)
class PersonalDataMatch:
    """A piece of personal data and its place."""

    kind: PersonalDataKind
    span: Span


class PersonalDataFinder:
    """The patterns, compiled once; one pass selects the patterns that need a full search."""

    def __init__(self) -> None:
        options = re2.Options()
        # Trap: on a hostile text RE2 changes its algorithm and logs it to standard error.
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._patterns = []
        for kind, shape in _PATTERNS:
            self._set.Add(shape)
            self._patterns.append((kind, re2.compile(shape, options)))
        self._set.Compile()

    def find(self, text: str) -> tuple[PersonalDataMatch, ...]:
        """Return the matches in order; they do not overlap, and the surest kind wins."""
        if _DIGITS.isdisjoint(text) and "@" not in text and "(" not in text and "[" not in text:
            return ()
        plain_text = text.translate(_BLANKS)
        is_matched = bytearray(len(plain_text))
        matches: list[PersonalDataMatch] = []
        for index in sorted(self._set.Match(plain_text) or ()):
            kind, pattern = self._patterns[index]
            for match in pattern.finditer(plain_text):
                span = _confirm(kind, plain_text, Span(*match.span()))
                if span and not any(is_matched[span.start : span.end]):
                    is_matched[span.start : span.end] = b"\1" * (span.end - span.start)
                    matches.append(PersonalDataMatch(kind, span))
        return tuple(sorted(matches, key=lambda personal: personal.span))


def _confirm(kind: PersonalDataKind, text: str, span: Span) -> Span | None:
    """Return the part of the match that passes its check, or None."""
    if kind == "iban":
        parts = [Span(span.start, end) for end in _iban_ends(text, span)]
        return next((part for part in reversed(parts) if iban.is_valid(part.of(text))), None)
    if kind == "phone" and _is_decimal(text, span.start):
        return None
    checks = {"nir": _is_nir, "siret": siret.is_valid, "phone": _is_personal_phone}
    check = checks.get(kind)
    return span if check is None or check(span.of(text)) else None


def _is_decimal(text: str, start: int) -> bool:
    """Return whether the digits are decimals: the end of "3.0123456789" is no telephone number."""
    return start > 1 and text[start - 1] in ".," and text[start - 2].isdigit()


def _iban_ends(text: str, span: Span) -> Iterator[int]:
    """Yield the ends of words where the check digits are right; the pattern matches more.

    The remainder is updated from end to end, so that all ends cost one pass.
    """
    first = int("".join(str(int(letter, 36)) for letter in text[span.start : span.start + 4]))
    remainder = 0
    for end in range(span.start + 5, span.end + 1):
        if text[end - 1].isalnum():
            digits = str(int(text[end - 1], 36))
            remainder = (remainder * 10 ** len(digits) + int(digits)) % 97
        if (end == span.end or not text[end].isalnum()) and (remainder * 10**6 + first) % 97 == 1:
            yield end


def _is_nir(number: str) -> bool:
    return bool(nir.is_valid(number.replace(".", " ")))


def _is_personal_phone(number: str) -> bool:
    digits = "".join(filter(str.isdecimal, number))
    if number[0] == "0" and len(digits) == _FRENCH_PHONE_DIGITS:
        # The same result as parsing, in a tenth of the time.
        french = phonenumbers.PhoneNumber(33, int(digits[1:]))
        return phonenumbers.number_type(french) in _PERSONAL_NUMBER_TYPES
    try:
        parsed = phonenumbers.parse(number, "FR")
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.number_type(parsed) in _PERSONAL_NUMBER_TYPES
