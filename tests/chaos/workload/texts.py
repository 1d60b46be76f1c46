"""What people write: French with its accents, apostrophes and emoji; now and then what must go."""

from dataclasses import dataclass
from random import Random

OPENINGS = (
    "Bonjour à tous,", "Petite question :", "À mon avis,", "J’ai cherché dans le manuel :",
    "Hier, en cours,", "Coucou 👋", "Quelqu’un sait-il ?", "Voilà où j’en suis :", "Hello!",
    "Merci d’avance 🙏", "Ça m’étonne :", "Zoë et moi hésitons :", "« Alors là… »",
)  # fmt: skip
SUBJECTS = (
    "l’accord du participe passé", "la guerre de Trente Ans", "l’équation du second degré",
    "le subjonctif après « bien que »", "la photosynthèse", "un exposé sur Molière",
    "la règle de l’œuf et du bœuf", "le théorème de Thalès", "the present perfect",
    "l’haïku d’été", "la dérivée de ln(x)", "l’histoire de l’Île-de-Bréhat", "le mot « naïf »",
    "la sortie au musée Dobrée", "l’orthographe de « ambiguë »",
)  # fmt: skip
REMARKS = (
    "je n’y arrive pas 😅", "c’est plus simple qu’il n’y paraît", "le livre dit l’inverse",
    "on s’y perd vite", "voici ce que j’ai trouvé : *regardez page {n}*", "qu’en pensez-vous ?",
    "il me manque l’étape {n}", "ça marche pour n = {n} 🎉", "let me know what you think",
    "c’était déjà demandé, je crois", "j’ai mis {n} minutes", "le professeur a dit « peut-être »",
)  # fmt: skip
CLOSINGS = (
    "",
    "",
    " Merci !",
    " 😀",
    " À bientôt.",
    " — Ç’a été long.",
    " 👩🏽‍🏫📚",
    " Bon week-end ☀️",
)
INSULTS = (
    "Tu es vraiment un connard, dégage.",
    "T'es qu'un connard",
    "You are such an asshole.",
    "Espèce de con, ferme ta gueule.",
    "Va te faire... foutre",
)
"""Each is hidden by the rules as soon as it is screened."""
DOUBTFUL = ("T'es con", "Espèce d’abruti, lis la consigne.", "You idiot!")
"""Each waits for a moderator."""
PERSONAL = (
    "Écris-moi à lea.martin@exemple.fr si tu veux.",
    "Mon numéro : 2 95 10 99 126 111 93",
    "IBAN FR76 3000 6000 0112 3456 7890 189",
    "Appelle-moi au 06 12 34 56 78, j’habite au 12 rue de Rivoli.",
)
LINK_TEMPLATE = "https://exemple.org/a{n} https://exemple.org/b{n} https://exemple.org/c{n}"


@dataclass(frozen=True, slots=True)
class Text:
    """A text, and whether the rules will have something to say of it."""

    body: str
    may_be_moderated: bool = False


def random_text(rng: Random) -> Text:
    """Write something."""
    first_sentence = random_sentence(rng)
    chance = rng.random()
    if chance < 0.05:
        return Text(f"{rng.choice(INSULTS)} {rng.choice(CLOSINGS)}", may_be_moderated=True)
    if chance < 0.08:
        return Text(rng.choice(DOUBTFUL), may_be_moderated=True)
    if chance < 0.12:
        return Text(f"{first_sentence} {rng.choice(PERSONAL)}", may_be_moderated=True)
    if chance < 0.13:
        return Text(LINK_TEMPLATE.format(n=rng.randrange(10**6)), may_be_moderated=True)
    more = " ".join(random_sentence(rng) for _ in range(rng.randrange(4)))
    return Text(f"{first_sentence} {more}".strip())


def random_sentence(rng: Random) -> str:
    """Write an ordinary sentence, hardly ever the same twice."""
    remark = rng.choice(REMARKS).format(n=rng.randrange(10**6))
    middle = f"{rng.choice(OPENINGS)} {rng.choice(SUBJECTS)}, {remark}."
    return middle + rng.choice(CLOSINGS)


def random_title(rng: Random) -> str:
    """Write a title."""
    sign = rng.choice("✏️ 🤔 📐 🌍".split())
    return f"{rng.choice(SUBJECTS).capitalize()} : {rng.randrange(10**6)} {sign}"
