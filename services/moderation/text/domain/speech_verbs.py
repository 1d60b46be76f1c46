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
NAMING: Final = (
    _forms(
        f"trait tret insult injuri qualifi surnomm nomm baptis rebaptis-{_FIRST_GROUP}",
        f"appell appel apell apel mapell mappell mapel-{_FIRST_GROUP}",
    )
    | _FOR
    | _AS
)
# What must follow within three words, for the verb to name somebody.
NEEDED: Final = dict.fromkeys(_FOR, "pour") | dict.fromkeys(_AS, "comme")
# "X dit …", "m'écrit …": any words follow, those of the speaker.
SAYING: Final = _forms(
    "di-. t s se ses sent sait saient ra ront rait raient re te tes",
    "ecri-t s ve ves vent vait vaient ra re te tes ree",
    f"cri hurl gueul beugl scand repet affirm pretend-{_FIRST_GROUP}",
    "chant-ent aient",
    "repon-d du dent dait daient dre ds",
)
# These report only with a hearer or a colon: "il m'a sorti …", "elle poste : …".
LOOSE: Final = _forms(
    f"lanc balanc murmur chuchot souffl envoy envoi post publi comment-{_FIRST_GROUP}",
    f"tagu tagg marqu grav text not coll jet crach demand conseill ordonn-{_FIRST_GROUP}",
    f"menac racont jur recommand propos appell appel apell apel-{_FIRST_GROUP}",
    "sor-t ti tent tait taient tir s",
    "fai-t",
)
# "j'ai reçu …", "elle reçoit …", "j'entends …": words come from somebody else.
RECEIVING: Final = _forms(
    "rec-u us ue ues ois oit oivent oi evait evais evaient oive evoir",
    "entend-s u ues . ent ait ais",
    "lis lu-.",
)
# Nouns that hold words: "un message : …", "mon surnom, c'est …".
HOLDING: Final = frozenset(
    "message messages msg commentaire commentaires sms snap snaps texto textos mot mots "
    "lettre mail mails tag tags graffiti surnom surnoms remarque remarques reflexion "
    "reflexions note vocal dm mp story".split()
)
ENGLISH: Final = frozenset(
    "called calls call calling told tells tell telling texted texts texting wrote writes writing "
    "said says say saying shouted shouts yelled yells messaged messages sent sends "
    "screamed".split()
)
FIRST: Final = frozenset("je j i".split())
SECOND: Final = frozenset("tu you u".split())
THIRD: Final = frozenset(
    "il elle ils elles on qui iel quelqu un monde certains certaines autres personne plein "
    "gens eleves filles garcons mecs meufs potes classe he she they who someone somebody people "
    "everyone everybody".split()
)
TO_ME: Final = frozenset("m me nous".split())
# "ma dit", "mon dit" for "m'a dit", "m'ont dit".
TO_ME_JOINED: Final = frozenset("ma mon".split())
TO_YOU: Final = frozenset("t te vous".split())
TO_OTHERS: Final = frozenset("l lui leur les le la".split())
TO_SELF: Final = frozenset("se s".split())
BEING: Final = frozenset(
    "est sont suis es sommes etes ete etait etaient etais serait sera fut fus etre soit "
    "was were been being is are am got get gets getting".split()
)
HAVING: Final = frozenset(
    "a ont ai as ait aient aie auraient auront avait avaient avais aurait aura avons avez".split()
)
MAKING: Final = frozenset(
    "fais fait faire faisait faisais font faite fera ferait fe fai faisaient fasse fesait".split()
)
# The hearer is spoken to now: what was told has ended.
SPOKEN_TO: Final = frozenset(
    "tu t toi ta ton tes vous va ferme nique niquez allez you your ur u youre est es c".split()
)
CONTRAST: Final = frozenset(
    "et mais alors donc puis pis or sinon bref comme car toi and but so then because like "
    "parce parceque pcq pck".split()
)
YOURSELF: Final = frozenset("toi vous tu t ta you ur u your youre".split())
# Between an insult and the words that tell who said it: "…, voilà ce qu'il m'a dit".
LINKING: Final = frozenset(
    "voila c est etait ce qu que comme ca ainsi le les message messages mot mots surnom "
    "qui ou quoi sont la phrase texto sms est tout cela that s is what thats".split()
)
# Between a clitic or a subject and its verb.
BETWEEN: Final = (
    frozenset(
        "ne n pas plus jamais encore deja toujours souvent meme tous tout toute tt bien aussi tjrs "
        "ete deux trois fois juste carrement grave".split()
    )
    | HAVING
)
# Who speaks here may be the author: "je veux te dire", "on va l'appeler".
AUTHOR_ACTS: Final = frozenset("je j on vais va veux envie tu t te toi vous allez laisse".split())
# After a verb that tells of the words before it: "…, il m'a dit hier".
CIRCUMSTANCES: Final = frozenset(
    "hier ce cet cette dans devant a en tous toute toutes chaque au aujourd par quand "
    "pendant depuis sur apres avant ici la-bas partout maintenant le la et mais je j "
    "encore souvent tout un mon ma il elle".split()
)
DETERMINERS: Final = frozenset(
    "un une des les le la l mon ma mes son sa ses ce cet cette ces quelques plusieurs deux trois "
    "certains certaines notre nos leur leurs my his a some these".split()
)
REFLEXIVE: Final = TO_SELF | TO_ME | frozenset("t te vous".split())
ABOUT_ME: Final = frozenset("je j ma mon mes me m moi i".split())
NEVER: Final = frozenset("pas jamais interdit interdite arrete arretez arreter sans".split())
# Not infinitives, for all their ending.
FINITE_IN_RE: Final = frozenset("lettre".split())
# After a noun that holds words: "des messages du genre …", "un mot qui disait …".
RUNNING: Final = frozenset("disant du genre style comme c est qui avec".split())
# Whose message it is: one that came to somebody.
OWNED: Final = TO_ME | frozenset(
    "mon ma mes son ses leur leurs recu recois recoit ai eu a ont trouve trouvee envoye par "
    "y lu vu des dans sur my got".split()
)
# "J'ai trouvé un mot dans mon sac : …": it came from somebody else.
COMING: Final = frozenset("trouve trouvee trouves recu recois lu vu eu".split())
# "Je me suis pris un …": the author was told so.
SUFFERING: Final = frozenset("pris prise mange mangee ramasse tape".split())
REPORTING: Final = SUFFERING | NAMING | SAYING | LOOSE | RECEIVING | HOLDING | ENGLISH
OBJECTS: Final = frozenset("l le la les".split())
# "Il a écrit un roman": what is written is a work, no words said.
WRITTEN_ABOUT: Final = DETERMINERS | frozenset("sur dans a au aux pour".split())
# What pupils call by a name: "un groupe qui s'appelle …".
GROUPS: Final = frozenset(
    "compte groupe page conv conversation serveur story chaine sondage hashtag".split()
)
MARKED: Final = frozenset(
    "ecrit ecrite ecrits tague taguee tagge marque marquee grave gravee colle".split()
)


def is_own_place(words: Sequence[str]) -> bool:
    """Return whether the words lead to a thing of the author or of a third person."""
    there = words[:1] in (["sur"], ["dans"], ["au"], ["a"], ["derriere"])
    return there and words[1:2] != [] and words[1] in OWN_THINGS


def is_marked_thing(words: Sequence[str]) -> bool:
    """Return whether up to four words are followed by such a thing: "(tagué) … sur mon casier"."""
    return any(is_own_place(words[start : start + 2]) for start in range(1, 5))


OWN_THINGS: Final = frozenset("ma mon mes sa son ses notre nos la le les".split())
# After "dire", these begin no words that are spoken about.
NO_WORDS_SAID: Final = WRITTEN_ABOUT | frozenset(
    "comme que qu ke quelle quil lui moi toi leur ca ce rien tout merci bonjour oui non c".split()
)
THAT: Final = frozenset("que qu ke quelle quil kil that".split())
