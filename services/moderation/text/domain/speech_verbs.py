"""The words of reported speech, folded: verbs by what follows them, persons, closers.

Spellings of pupils are among them ("apelle", "ecri"), since folding takes accents away only.
"""

from collections.abc import Sequence
from typing import Final


def _forms(*stems_and_endings: str) -> frozenset[str]:
    """Return every stem (before the dash) with each of its endings (after it, "." for none)."""
    return frozenset(
        stem + ("" if ending == "." else ending)
        for row in stems_and_endings
        for stems, _, endings in [row.partition("-")]
        for stem in stems.split()
        for ending in endings.split()
    )


_FIRST_GROUP: Final = (
    "e es ent er ait aient ais a ant ee ees era eront erait eraient erent ez ons ai"
)
# "X traite Y de …", "m'appelle …", "me prend pour …": a name or an adjective follows.
_FOR: Final = _forms("pren pri prend-d s se t nent ds nait naient dre", "pass pas-er e ent ait")
_AS: Final = _forms("consider-e ent ait aient er")
NAMING_VERBS: Final = (
    _forms(
        f"trait tret insult injuri qualifi surnomm nomm baptis rebaptis-{_FIRST_GROUP}",
        f"appell appel apell apel mapell mappell mapel-{_FIRST_GROUP}",
    )
    | _FOR
    | _AS
)
# The word that must follow within three words, for the verb to name a person.
REQUIRED_COMPLEMENT: Final = dict.fromkeys(_FOR, "pour") | dict.fromkeys(_AS, "comme")
# "X dit …", "m'écrit …": the speaker's words follow, of any kind.
SAYING_VERBS: Final = _forms(
    "di-. t s se ses sent sait saient ra ront rait raient re te tes",
    "ecri-t s ve ves vent vait vaient ra re te tes ree",
    f"cri hurl gueul beugl scand repet affirm pretend-{_FIRST_GROUP}",
    "chant-ent aient",
    "repon-d du dent dait daient dre ds",
)
# These report only with a hearer or a colon: "il m'a sorti …", "elle poste : …".
AMBIGUOUS_VERBS: Final = _forms(
    f"lanc balanc murmur chuchot souffl envoy envoi post publi comment-{_FIRST_GROUP}",
    f"tagu tagg marqu grav text not coll jet crach demand conseill ordonn-{_FIRST_GROUP}",
    f"menac racont jur recommand propos appell appel apell apel-{_FIRST_GROUP}",
    "sor-t ti tent tait taient tir s",
    "fai-t",
)
# "j'ai reçu …", "elle reçoit …", "j'entends …": another person's words follow.
RECEIVING_VERBS: Final = _forms(
    "rec-u us ue ues ois oit oivent oi evait evais evaient oive evoir",
    "entend-s u ues . ent ait ais",
    "lis lu-.",
)
# Nouns for a message or a name: "un message : …", "mon surnom, c'est …".
MESSAGE_NOUNS: Final = frozenset(
    "message messages msg commentaire commentaires sms snap snaps texto textos mot mots "
    "lettre mail mails tag tags graffiti surnom surnoms remarque remarques reflexion "
    "reflexions note vocal dm mp story".split()
)
ENGLISH_VERBS: Final = frozenset(
    "called calls call calling told tells tell telling texted texts texting wrote writes writing "
    "said says say saying shouted shouts yelled yells messaged messages sent sends "
    "screamed".split()
)
FIRST_PERSON: Final = frozenset("je j i".split())
SECOND_PERSON: Final = frozenset("tu you u".split())
THIRD_PERSON: Final = frozenset(
    "il elle ils elles on qui iel quelqu un monde certains certaines autres personne plein "
    "gens eleves filles garcons mecs meufs potes classe he she they who someone somebody people "
    "everyone everybody".split()
)
FIRST_PERSON_CLITICS: Final = frozenset("m me nous".split())
# "ma dit", "mon dit" for "m'a dit", "m'ont dit".
JOINED_CLITICS: Final = frozenset("ma mon".split())
SECOND_PERSON_CLITICS: Final = frozenset("t te vous".split())
THIRD_PERSON_CLITICS: Final = frozenset("l lui leur les le la".split())
REFLEXIVE_CLITICS: Final = frozenset("se s".split())
BE_FORMS: Final = frozenset(
    "est sont suis es sommes etes ete etait etaient etais serait sera fut fus etre soit "
    "was were been being is are am got get gets getting".split()
)
HAVE_FORMS: Final = frozenset(
    "a ont ai as ait aient aie auraient auront avait avaient avais aurait aura avons avez".split()
)
MAKE_FORMS: Final = frozenset(
    "fais fait faire faisait faisais font faite fera ferait fe fai faisaient fasse fesait".split()
)
# Words that address the hearer: the reported words end before them.
ADDRESS_WORDS: Final = frozenset(
    "tu t toi ta ton tes vous va ferme nique niquez allez you your ur u youre est es c".split()
)
CONJUNCTIONS: Final = frozenset(
    "et mais alors donc puis pis or sinon bref comme car toi and but so then because like "
    "parce parceque pcq pck".split()
)
SECOND_PERSON_WORDS: Final = frozenset("toi vous tu t ta you ur u your youre".split())
# Between an insult and the words that name its speaker: "…, voilà ce qu'il m'a dit".
LINKING_WORDS: Final = frozenset(
    "voila c est etait ce qu que comme ca ainsi le les message messages mot mots surnom "
    "qui ou quoi sont la phrase texto sms est tout cela that s is what thats".split()
)
# Between a clitic or a subject and its verb.
PREVERBAL_WORDS: Final = (
    frozenset(
        "ne n pas plus jamais encore deja toujours souvent meme tous tout toute tt bien aussi tjrs "
        "ete deux trois fois juste carrement grave".split()
    )
    | HAVE_FORMS
)
# With these the speaker may be the author: "je veux te dire", "on va l'appeler".
AUTHOR_SUBJECTS: Final = frozenset(
    "je j on vais va veux envie tu t te toi vous allez laisse".split()
)
# After a verb that reports the words before it: "…, il m'a dit hier".
CIRCUMSTANCES: Final = frozenset(
    "hier ce cet cette dans devant a en tous toute toutes chaque au aujourd par quand "
    "pendant depuis sur apres avant ici la-bas partout maintenant le la et mais je j "
    "encore souvent tout un mon ma il elle".split()
)
DETERMINERS: Final = frozenset(
    "un une des les le la l mon ma mes son sa ses ce cet cette ces quelques plusieurs deux trois "
    "certains certaines notre nos leur leurs my his a some these".split()
)
REFLEXIVE_PRONOUNS: Final = (
    REFLEXIVE_CLITICS | FIRST_PERSON_CLITICS | frozenset("t te vous".split())
)
FIRST_PERSON_WORDS: Final = frozenset("je j ma mon mes me m moi i".split())
NEGATIONS: Final = frozenset("pas jamais interdit interdite arrete arretez arreter sans".split())
# Words that end like an infinitive and are none.
FINITE_IN_RE: Final = frozenset("lettre".split())
# After a noun for a message: "des messages du genre …", "un mot qui disait …".
MESSAGE_INTRODUCERS: Final = frozenset("disant du genre style comme c est qui avec".split())
# They show that a message was received.
RECIPIENT_MARKERS: Final = FIRST_PERSON_CLITICS | frozenset(
    "mon ma mes son ses leur leurs recu recois recoit ai eu a ont trouve trouvee envoye par "
    "y lu vu des dans sur my got".split()
)
# "J'ai trouvé un mot dans mon sac : …": another person wrote it.
RECEIVED_PARTICIPLES: Final = frozenset("trouve trouvee trouves recu recois lu vu eu".split())
# "Je me suis pris un …": these words were said to the author.
SUFFERING_VERBS: Final = frozenset("pris prise mange mangee ramasse tape".split())
REPORTING_WORDS: Final = (
    SUFFERING_VERBS
    | NAMING_VERBS
    | SAYING_VERBS
    | AMBIGUOUS_VERBS
    | RECEIVING_VERBS
    | MESSAGE_NOUNS
    | ENGLISH_VERBS
)
OBJECT_CLITICS: Final = frozenset("l le la les".split())
# "Il a écrit un roman": it introduces a work, and no speech.
WORK_MARKERS: Final = DETERMINERS | frozenset("sur dans a au aux pour".split())
# Things that pupils give a name to: "un groupe qui s'appelle …".
NAMED_THINGS: Final = frozenset(
    "compte groupe page conv conversation serveur story chaine sondage hashtag".split()
)
INSCRIBING_VERBS: Final = frozenset(
    "ecrit ecrite ecrits tague taguee tagge marque marquee grave gravee colle".split()
)


def is_own_place(words: Sequence[str]) -> bool:
    """Return whether the words lead to a thing of the author or of a third person."""
    has_preposition = words[:1] in (["sur"], ["dans"], ["au"], ["a"], ["derriere"])
    return has_preposition and words[1:2] != [] and words[1] in POSSESSIVES


def is_marked_thing(words: Sequence[str]) -> bool:
    """Return whether such a thing follows up to four words: "(tagué) … sur mon casier"."""
    return any(is_own_place(words[start : start + 2]) for start in range(1, 5))


POSSESSIVES: Final = frozenset("ma mon mes sa son ses notre nos la le les".split())
# After "dire", these do not begin reported words.
NON_SPEECH_OBJECTS: Final = WORK_MARKERS | frozenset(
    "comme que qu ke quelle quil lui moi toi leur ca ce rien tout merci bonjour oui non c".split()
)
SUBORDINATORS: Final = frozenset("que qu ke quelle quil kil that".split())
