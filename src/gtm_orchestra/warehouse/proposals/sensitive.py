"""Special categories of personal data (Art. 9 GDPR) and their proxies, by header and by value."""

# ruff: noqa: E501, SIM905 - a word list is read and extended by line, one category per block

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from gtm_orchestra.warehouse.proposals.names import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["names_secret", "proxy_category", "special_category", "special_values"]

# A stem at the start of a word; phrases are written out with their spaces.
_STEMS: dict[str, tuple[str, ...]] = {
    "health": (
        "gesundheit", "krankheit", "krankenkasse", "krankenversicher", "erkrankung", "behinder", "schwanger", "allerg",
        "diagnos", "disabilit", "disabled person", "handicap", "illness", "disease", "medical", "medication", "medicine",
        "prescription", "symptom", "pregnan", "embaraz", "enceinte", "grossesse", "zwanger", "maladie", "sante", "salud",
        "enfermedad", "discapaci", "gezondheid", "ziekte", "medicijn", "medikament", "medicament", "salute", "malattia",
        "blood type", "blood group", "blutgruppe", "groupe sanguin", "grupo sanguineo", "bloedgroep", "bmi", "diabet", "psorias", "eczem", "ekzem", "dyslex",
        "health condition", "health status", "health insurance", "health issue", "health concern", "health plan",
        "health data", "mental health", "chronic", "patient", "genetic", "genetisch", "genetique", "dna", "vaccin",
        "impf", "hiv", "beperking", "therapie", "therapy", "arbeidsongeschikt", "pathology", "patholog", "medisch",
        "medizin", "intolerance", "intoleranz", "unvertraglich", "dietary restriction",
    ),
    "religion": (
        "religio", "konfession", "confession", "glaube", "kirche", "church", "kirchensteuer", "faith", "denomination",
        "croyance", "creencia", "geloof", "levensbeschouwing", "weltanschauung", "godsdienst", "religie", "culto",
    ),
    "trade union": (
        "gewerkschaft", "trade union", "labor union", "labour union", "union member", "union membership", "syndicat",
        "syndique", "sindicat", "sindical", "afiliacion sindical", "vakbond", "vakbeweging", "sindacat",
    ),
    "sexual orientation": (
        "sexual", "sexuell", "sexuel", "seksue", "orientamento sessuale", "lgbt", "gender identity",
        "geschlechtsidentitat", "identite genre", "identidad genero", "genderidentiteit", "sex life", "geaardheid",
    ),
    "ethnicity": (
        "ethni", "etni", "etnia", "race ethnicity", "racial", "rasse", "raza", "hautfarbe", "skin color", "skin colour",
        "origine ethnique", "origine raciale", "migrationshintergrund", "tribe", "caste",
    ),
    "politics": (
        "political", "politische", "parteizugehorigkeit", "partei mitglied", "parteimitglied", "party affiliation",
        "opinion politique", "opinions politiques", "parti politique", "opinion politica", "ideologia", "partido politico",
        "politieke", "voting intention", "voted for", "wahlverhalten", "stemgedrag", "party preference",
    ),
    "biometrics": (
        "biometr", "fingerprint template", "fingerprint scan", "fingerabdruck", "empreinte digitale", "huella",
        "vingerafdruk", "face id", "face template", "faceprint", "facial recognition", "voiceprint", "iris scan", "retina",
    ),
}  # fmt: skip
# Exact words that are special only when they stand alone as the header.
_WHOLE: dict[str, str] = {
    "health": "health", "race": "ethnicity", "ethnic": "ethnicity", "union": "trade union", "disabled": "health",
    "orientation": "sexual orientation", "party": "politics", "partei": "politics", "diet": "health",
}  # fmt: skip
_HARMLESS = (
    "health score", "account health", "customer health", "health check", "healthcheck", "product health", "health grade",
    "deal health", "health club", "health food", "health index", "pipeline health", "workspace health", "health color", "health trend",
    "politique confidentialite", "politique de confidentialite", "politica privacidad", "politica de privacidad",
    "sante compte", "salud cuenta", "raza perro", "dog breed",
)  # fmt: skip
_PROXIES: dict[str, tuple[str, ...]] = {
    "health": (
        "accessibil", "access requirement", "access need", "access support", "special need", "special requirement", "additional need",
        "support need", "reasonable adjustment", "barrierefrei", "barrierearm", "unterstutzungsbedarf", "besondere bedurfnisse", "besoins particuliers",
        "besoins specifiques", "necesidades especiales", "toegankelijk", "speciale behoefte", "assistive", "skin concern", "skin condition", "skin problem", "hautproblem",
        "hautzustand", "hautbedurfnis", "probleme peau", "probleme de peau", "problema piel", "problema de piel", "huidprobleem", "huidaandoening",
        "hair loss", "haarausfall", "mobility aid", "fertility", "sleep problem", "pain area", "wellness concern", "body concern", "beschwerden", "health goal",
    ),
    "ethnicity": (
        "nationality", "citizenship", "nationalitat", "staatsangehorigkeit", "staatsburgerschaft", "nationalite",
        "nacionalidad", "nationaliteit", "place of birth", "birth place", "birthplace", "geburtsort", "geburtsland",
        "country of birth", "birth country", "lieu naissance", "lieu de naissance", "pays naissance", "lugar nacimiento",
        "lugar de nacimiento", "geboorteplaats", "geboorteland", "mother tongue", "muttersprache", "native language",
        "langue maternelle", "lengua materna", "moedertaal",
    ),
    "religion or health": (
        "diet", "dietary preference", "eating habit", "allergen", "alimentaire",
        "alimentari", "voeding", "eetgewoonte", "essgewohnheit", "menuwunsch", "food restriction", "dietary", "ernahrung", "ernahrungsweise", "regime alimentaire", "dieta",
        "dieet", "halal", "kosher", "meal preference", "food preference",
    ),
}  # fmt: skip
_VALUES: dict[str, frozenset[str]] = {
    "religion": frozenset(
        [
            "catholic",
            "protestant",
            "muslim",
            "islam",
            "christian",
            "jewish",
            "hindu",
            "buddhist",
            "atheist",
            "orthodox",
            "sikh",
            "agnostic",
            "christianity",
            "katholisch",
            "evangelisch",
            "muslimisch",
            "judisch",
            "konfessionslos",
            "romisch-katholisch",
            "buddhismus",
            "catholique",
            "musulman",
            "juif",
            "protestante",
            "catolico",
            "musulmana",
            "katholiek",
            "protestants",
            "moslim",
            "joods",
            "hindoe",
            "boeddhist",
            "hinduism",
            "judaism",
        ]
    ),
    "sexual orientation": frozenset(
        [
            "heterosexual",
            "homosexual",
            "bisexual",
            "gay",
            "lesbian",
            "straight",
            "queer",
            "asexual",
            "pansexual",
            "heterosexuell",
            "homosexuell",
            "bisexuell",
            "schwul",
            "lesbisch",
            "heterosexuel",
            "homosexuel",
            "bisexuel",
            "heteroseksueel",
            "homoseksueel",
        ]
    ),
    "ethnicity": frozenset(
        [
            "caucasian",
            "hispanic",
            "latino",
            "latina",
            "african-american",
            "roma",
            "arab",
            "caucasien",
            "hispanico",
            "kaukasisch",
            "asian",
            "black",
            "white",
            "african",
        ]
    )
    - {"black", "white"},
    "politics": frozenset(
        [
            "democrat",
            "republican",
            "cdu",
            "csu",
            "spd",
            "afd",
            "fdp",
            "grune",
            "labour",
            "tory",
            "libdem",
            "psoe",
            "podemos",
            "vox",
            "socialista",
            "conservateur",
            "vvd",
            "pvda",
            "d66",
            "groenlinks",
            "conservative",
        ]
    )
    - {"vox"},
    "health": frozenset(
        [
            "diabetes",
            "asthma",
            "hypertension",
            "cancer",
            "depression",
            "pregnant",
            "epilepsy",
            "migraine",
            "arthritis",
            "schwanger",
            "asthme",
            "diabete",
            "enceinte",
            "asma",
            "embarazada",
            "zwanger",
            "kanker",
            "krebs",
        ]
    ),
    "trade union": frozenset(
        ["verdi", "ver.di", "ig-metall", "igmetall", "fnv", "cgt", "cfdt", "ccoo", "ugt", "unison"]
    ),
}
_NONE = frozenset(
    {
        "none",
        "other",
        "unknown",
        "n/a",
        "na",
        "keine",
        "andere",
        "autre",
        "otro",
        "geen",
        "no",
        "yes",
        "prefer not to say",
        "non",
        "ninguna",
        "ninguno",
        "aucune",
        "aucun",
    }
)
# Starts of words inside values: "für Diabetiker geeignet" and "keine Nüsse (Allergie)" say what they say in passing.
_VALUE_STEMS: dict[str, tuple[str, ...]] = {
    "health": (
        "diabet", "allerg", "asthma", "epilep", "celiac", "coeliac", "zoliak", "coeliaq", "celiaq", "celiac",
        "intoleran", "unvertraglich", "schwanger", "pregnan", "enceinte", "embaraz", "zwanger", "autis", "depress",
        "wheelchair", "rollstuhl", "rolstoel", "fauteuil roulant", "silla de ruedas", "behinder", "disabilit", "handicap", "chronic", "chronisch", "migraine", "migran",
        "rheuma", "cancer patient", "onkolog", "hiv",
    ),
    "religion": ("halal", "kosher", "koscher", "casher", "cacher", "kashrut", "koosjer", "ramadan", "jain"),
}  # fmt: skip
# Names of illnesses and of what people with a disability need. Two of them in one column speak of health,
# whatever else it holds: nobody lists "Psoriasis" and "Eczema", or "Hearing loop" and "Large print", otherwise.
_CONDITIONS = (
    "psorias", "schuppenflechte", "eczem", "ekzem", "eccema", "eczeem", "neurodermit", "rosacea", "couperose", "dermatit",
    "acne", "akne", "vitiligo", "alopecia", "hyperpigment", "diabet", "asthm", "asma ", "astma", "epilep", "migrain", "migran", "celiac", "coeliac",
    "zoliak", "coeliaq", "celiaq", "arthrit", "artrit", "arthros", "artros", "rheuma", "reuma", "fibromyalg", "osteopor", "parkinson", "alzheim", "dement",
    "demence", "multiple scleros", "multiple skleros", "crohn", "colitis", "hepatit", "hypertens", "bluthochdruck", "cancer", "krebs ", "kanker",
    "depressi", "anxiety disorder", "angststor", "bipolar", "schizo", "autis", "adhd", "adhs", "tdah", "dyslex", "dislex", "legasthen", "dyscalcul",
    "dyskalkul", "dyspra", "anorex", "bulimi", "eating disorder", "insomnia", "infertil", "endometrio", "menopaus", "hiv ", "copd", "lupus", "burnout",
    "wheelchair", "rollstuhl", "rolstoel", "fauteuil roulant", "silla de ruedas", "walking frame", "rollator", "mobility impair", "reduced mobility", "gehbehind", "mobilite reduite", "movilidad reducida",
    "step free", "blind ", "braille", "deaf ", "deafblind", "gehorlos", "schwerhorig", "horgerat", "horbehind", "malentendant", "sourd ", "sordo ", "sorda ", "doof ",
    "slechthorend", "slechtziend", "malvoyant", "ciego ", "aveugle", "sehbehind", "sehschwach", "low vision", "colour blind", "color blind", "farbenblind", "visual impair", "visually impair",
    "vision impair", "hearing impair", "hearing loop", "hearing aid", "hearing loss", "hard of hearing", "induction loop", "induktionsschleife", "screen read", "screenread", "vorleseprogramm", "bildschirmleser",
    "lecteur d ecran", "lector de pantalla", "schermlezer", "sign language", "bsl ", "asl interpreter", "gebardensprach", "langue des signes", "lengua de signos",
    "gebarentaal", "guide dog", "assistance dog", "blindenhund", "assistenzhund", "large print", "grossdruck", "high contrast", "hoher kontrast", "contraste eleve", "alto contraste",
    "reduced motion", "learning disab", "learning difficult", "lernbehind", "speech impair", "neurodiver",
)  # fmt: skip
# Headers under which one such word is enough.
_HEALTH = "health"
# What people leave out of their food because of an illness; alone it may be a taste.
_DIET_STEMS = (
    "gluten",
    "lactose",
    "laktose",
    "lactosa",
    "fructose",
    "fruktose",
    "histamin",
    "nut free",
    "nussfrei",
)
_DIET = "religion or health"
_ENOUGH = 0.5


_SECRETS = frozenset(
    {
        "password", "passwords", "passwd", "pwd", "passphrase", "passcode", "passwort", "kennwort", "wachtwoord", "contrasena",
        "secret", "salt", "pin", "cvv", "cvc",
    }
)  # fmt: skip
_SECRET_PHRASES = (
    "mot de passe", "mot passe", "access token", "refresh token", "auth token", "authentication token", "api token", "api key", "apikey", "reset token", "password token",
    "confirmation token", "verification token", "invitation token", "unlock token", "session token", "remember token", "remember me token",
    "csrf token", "id token", "bearer token", "login token", "private key", "secret key", "otp secret", "totp secret", "mfa secret", "recovery code", "recovery codes",
    "backup codes", "otp backup codes", "unsubscribe token", "push token", "device token", "zugangstoken",
)  # fmt: skip
# A password of a person and what was done with it: "password reset count" is none.
_ABOUT_SECRETS = frozenset(
    "at on date time count changed updated expires expired set enabled required has is last strength policy sent number reset attempts".split()
)


def names_secret(header: tuple[str, ...]) -> bool:
    """Return whether a header names a password, token or key, in clear or hashed.

    >>> names_secret(("encrypted", "password")), names_secret(("password", "changed", "at"))
    (True, False)
    """
    text = f" {' '.join(header)} "
    if any(f" {phrase} " in text for phrase in _SECRET_PHRASES):
        return not set(header) & (_ABOUT_SECRETS - {"reset"})
    return bool(set(header) & _SECRETS) and not set(header) & _ABOUT_SECRETS and "code" not in header


def special_category(header: tuple[str, ...]) -> str | None:
    """Return the special category that a header names, or None.

    A customer health score and a privacy policy are none.
    """
    text = " ".join(header)
    if any(phrase in text for phrase in _HARMLESS):
        return None
    if (whole := _WHOLE.get(text)) is not None:
        return whole
    if "health" in header:
        return "health"
    padded = f" {text}"
    for category, stems in _STEMS.items():
        if any(f" {stem}" in padded for stem in stems):
            return category
    return None


def proxy_category(header: tuple[str, ...]) -> str | None:
    """Return the special category that a harmless-looking header gives away, or None."""
    text = " ".join(header)
    return next((category for category, phrases in _PROXIES.items() if any(p in text for p in phrases)), None)


def special_values(values: Iterable[str], header: tuple[str, ...] = ()) -> str | None:
    """Return the special categories that most of these few distinct values name, whatever the header says.

    Where the header speaks of food, one such value is enough: who may pick "halal" or "for diabetics" beside
    "vegan" tells a faith or an illness by it.

    >>> special_values(["vegan", "koscher", "für Diabetiker geeignet"], ("ernahrung",))
    'health and religion'
    >>> special_values(["vegan", "vegetarian"], ("diet", "preference")) is None
    True
    """
    folded = {fold(value.strip()) for value in values} - _NONE - {""}
    if proxy_category(header) == _DIET:
        return (
            " and ".join(_named_in(folded, {**_VALUE_STEMS, "health": _VALUE_STEMS["health"] + _DIET_STEMS}))
            or None
        )
    conditions = [value for value in folded if _named_in({value}, {_HEALTH: _CONDITIONS})]
    if len(conditions) > 1 or (conditions and proxy_category(header) == _HEALTH):
        return _HEALTH
    if len(folded) < 2:  # noqa: PLR2004 - one word proves nothing
        return None
    for category, known in _VALUES.items():
        if len(folded & known) >= max(2, _ENOUGH * len(folded)):
            return category
    naming = [value for value in folded if _named_in({value}, _VALUE_STEMS)]
    if len(naming) >= max(2, _ENOUGH * len(folded)):
        return " and ".join(_named_in(naming, _VALUE_STEMS))
    return None


def _named_in(values: Iterable[str], stems: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the categories that some of these values name by the start of a word, sorted."""
    padded = [f" {' '.join(re.findall(r'[a-z0-9]+', value))} " for value in values]
    return sorted(
        category
        for category, starts in stems.items()
        if any(f" {start}" in value for value in padded for start in starts)
    )
