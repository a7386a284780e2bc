"""Whether a two-valued column says what a person agreed to, for which purpose, and which way round."""

# ruff: noqa: E501, SIM905 - a word list is read and extended by line, one purpose per line

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OTHER_MAIL", "PURPOSE_WORDS", "ConsentWords", "purpose_of", "read_consent"]

_NEGATIVE = (
    "optout", "optedout", "unsubscribed", "unsubscribe", "do not", "donotcontact", "donotemail", "donotcall", "dnc",
    "widerspruch", "widersprochen", "abgemeldet", "desinscrit", "desabonne", "opposition", "baja", "afgemeld",
    "uitgeschreven", "no marketing", "keine werbung", "werbesperre", "no contact", "no email", "no calls", "kein newsletter",
    "not contact", "not email", "not call", "not mail", "opt me out", "suppress", "suppressed", "blacklisted", "blocklisted",
    "stop email", "objected", "objects", "objection", "objects to", "emailsperre", "geen",
)  # fmt: skip
_POSITIVE = (
    "optin", "optedin", "consent", "consented", "permission", "accepts", "accept", "accepted", "agree", "agreed",
    "agrees", "allow", "allows", "allowed", "einwilligung", "einverstanden", "zustimmung", "erlaubnis",
    "werbeeinwilligung", "werbeerlaubnis", "werbezustimmung", "consentement", "consenti", "accepte", "acepta",
    "consentimiento", "autoriza", "autorizacion", "permiso", "toestemming", "akkoord", "gdpr", "dsgvo", "rgpd", "lopd",
    "newsletter", "newsletteranmeldung", "newsletteroptin", "wants", "ok", "subscribed", "subscriber", "abonniert",
    "abonne", "suscrito", "aangemeld", "subscription", "infolettre", "boletin", "nieuwsbrief", "mailing",
    "lettre information", "lettre d information", "lettre info", "lettres d information", "rundbrief", "infobrief",
    "mailing list", "mailing lists", "email list", "marketing emails", "emails marketing", "lista correo",
    "lista de correo", "boletin informativo", "recibir ofertas", "recevoir offres", "recevoir les offres",
    "offres partenaires", "offres commerciales", "offres promotionnelles", "offres des partenaires", "partner offers",
    "partnerangebote", "ofertas socios", "ofertas de socios", "aanbiedingen partners", "prospection commerciale",
    "werbeemails", "werbemails", "werbung erlaubt", "marketing allowed", "can contact", "contactable", "may contact",
    "may email", "may call", "may we contact", "can email", "can call", "email allowed", "call allowed", "kontakterlaubnis",
    "can be contacted", "may be contacted",
)  # fmt: skip
# Terms of use are a contract, a privacy notice is information: neither is an agreement to be addressed.
_NO_CONSENT = frozenset(
    {
        "terms",
        "tos",
        "agb",
        "conditions",
        "cgv",
        "cgu",
        "policy",
        "privacy",
        "notice",
        "datenschutz",
        "voorwaarden",
        "condiciones",
        "double",
        "doi",
        "confirmed",
        "contract",
        "reason",
        "reasons",
        "grund",
        "abmeldegrund",
        "motif",
        "motivo",
        "raison",
        "reden",
    }
)
_PURPOSES: tuple[tuple[str, frozenset[str]], ...] = (
    ("sms-marketing", frozenset({"sms", "textmessage"})),
    ("whatsapp-marketing", frozenset({"whatsapp"})),
    ("phone-marketing", frozenset({"phone", "call", "calls", "telefon", "telephone", "telefono", "telefoon", "tel", "telefonwerbung", "donotcall", "dnc", "anruf"})),
    ("postal-marketing", frozenset({"post", "postal", "directmail", "brief", "postwerbung", "courrier"})),
    ("personalization", frozenset({"personalization", "personalisation", "personalized", "personalised", "personalisierung", "personnalisation", "personalizacion", "personalisatie", "profiling", "profilierung", "profilage", "perfilado"})),
    ("ads", frozenset({"ads", "advertising", "advertisement", "retargeting", "remarketing", "targeting", "publicite", "publicidad", "advertenties"})),
    ("analytics", frozenset({"analytics", "tracking", "statistics", "statistik", "cookies", "cookie", "mesure"})),
    ("third-party", frozenset({"third", "partner", "partners", "partnern", "partenaires", "socios", "derden", "dritte", "sharing", "sell", "partnerangebote", "affiliates", "terceros", "tiers"})),
    ("newsletter", frozenset({"lettre", "lettres", "rundbrief", "infobrief", "newsletter", "newsletters", "newsletteranmeldung", "newsletteroptin", "infolettre", "boletin", "nieuwsbrief", "mailing"})),
    ("email-marketing", frozenset({"email", "emails", "mail", "emailwerbung", "werbeemails", "werbemails", "donotemail", "emailsperre", "correo", "courriel", "mails"})),
    ("sales-contact", frozenset({"sales", "vertrieb"})),
    ("marketing", frozenset({"marketing", "werbung", "werbeeinwilligung", "werbeerlaubnis", "werbezustimmung", "werbesperre", "promo", "promotions", "promotional", "offers", "angebote", "offres", "ofertas", "aanbiedingen", "prospection"})),
)  # fmt: skip
# Mail that is none for marketing: who refuses it has refused nothing else.
_TOPICS: tuple[tuple[str, frozenset[str]], ...] = (
    ("product-updates", frozenset("product products release releases changelog roadmap beta feature features produkt produktneuheiten produktupdates produit producto".split())),
    ("cart-reminders", frozenset("cart basket abandoned warenkorb panier carrito winkelwagen".split())),
    ("surveys", frozenset("survey surveys feedback research nps review reviews umfrage umfragen enquete encuesta enquetes".split())),
    ("event-invitations", frozenset("event events webinar webinars veranstaltung veranstaltungen evenements eventos".split())),
    ("service-messages", frozenset("service services transactional billing invoice invoices account security support notification notifications alert alerts order orders shipping system servicemails facturation".split())),
    ("one-to-one", frozenset(("one",))),
    ("job-offers", frozenset("job jobs career careers recruiting stellenangebote".split())),
)  # fmt: skip
OTHER_MAIL = frozenset(name for name, _ in _TOPICS)
# Beside these words a topic only says what else is in the marketing.
_MARKETING = frozenset(
    "marketing werbung newsletter newsletters promo promotional promotions offers angebote all any every alle alles toute "
    "tous todos todas alle global ads".split()
)
_ASIDE = frozenset("contact customer user is has of to from for all the a do not status date".split())
# "Receive offers by e-mail?": a wish for mail is an agreement to it, whatever the mail is about.
_WISHES = frozenset(
    "receive receives receiving want wants get accept accepts optin subscribe subscribes erhalten empfangen bekommen "
    "zusenden wunscht mochte recevoir recoit souhaite accepter recibir recibe desea quiere aceptar ontvangen ontvangt "
    "wenst accepteren".split()
)
# "Can send e-mail" may be what a user of the product is allowed to do.
_SENDING_WISHES = frozenset("send envoyer enviar senden sturen schicken".split())
_MEDIA = frozenset(
    "mail mails email emails emailing emailings sms text texts textmessage newsletter newsletters mailing mailings whatsapp push "
    "message messages nachrichten call calls post marketing offers angebote offres ofertas aanbiedingen updates werbung correo "
    "correos courriel courriels infolettre boletin nieuwsbrief rundbrief".split()
)
_NO_WISH = frozenset(
    "last first next sent received opened clicked count number num total days date at time frequency format type language day "
    "provider platform list address id name can max min anzahl nombre numero aantal".split()
)
# Words that name a purpose by themselves.
PURPOSE_WORDS = frozenset(word for _, known in _PURPOSES for word in known)
_WEAK = frozenset(
    {
        "subscribed",
        "subscriber",
        "subscription",
        "accepted",
        "ok",
        "abonniert",
        "abonne",
        "suscrito",
        "aangemeld",
        "baja",
        "accepte",
        "agreed",
        "allowed",
        "geen",
        "consent",
        "accept",
        "allow",
        "allows",
        "permission",
        "wants",
        "opposition",
        "mailing",
        "accepts",
    }
)


@dataclass(frozen=True, slots=True)
class ConsentWords:
    """What a header says about consent.

    Attributes:
        purpose: Purpose of processing, in our words.
        inverted: A yes in this column is a no to the purpose (an opt-out).
        weak: The words fit other meanings too; the surroundings must agree.
    """

    purpose: str
    inverted: bool
    weak: bool = False


def purpose_of(header: tuple[str, ...]) -> str | None:
    """Return the purpose of processing that a header names, or None.

    >>> purpose_of(("sms", "marketing", "status")), purpose_of(("status",))
    ('sms-marketing', None)
    """
    return next((name for name, known in _PURPOSES if set(header) & known), None)


def _wish(header: tuple[str, ...]) -> str:
    """Return the verb by which a header asks for mail, calls or messages; "" if it does not."""
    said = set(header)
    if said & _NO_WISH or not said & _MEDIA:
        return ""
    return next((word for word in header if word in _WISHES | _SENDING_WISHES), "")


def read_consent(header: tuple[str, ...]) -> ConsentWords | None:
    """Return what a header says about consent, or None.

    >>> read_consent(("email", "optedout"))
    ConsentWords(purpose='email-marketing', inverted=True, weak=False)
    >>> read_consent(("terms", "accepted")) is None
    True
    >>> read_consent(("optedout", "of", "email", "product", "updates"))
    ConsentWords(purpose='product-updates', inverted=True, weak=False)
    """
    if set(header) & _NO_CONSENT:
        return None
    padded = f" {' '.join(header)} "
    negative = [phrase for phrase in _NEGATIVE if f" {phrase} " in padded]
    positive = [phrase for phrase in _POSITIVE if f" {phrase} " in padded]
    wish = _wish(header) if not negative and not positive else ""
    if not negative and not positive and not wish:
        return None
    positive += [wish] if wish else []
    purpose = purpose_of(header)
    if purpose in {"email-marketing", None} and not set(header) & _MARKETING:
        purpose = next((name for name, known in _TOPICS if set(header) & known), purpose)
    hits = {*negative, *positive}
    weak = (hits <= _WEAK and purpose is None) or wish in _SENDING_WISHES
    if purpose in {"email-marketing", "phone-marketing"} and hits <= {
        "ok",
        "accepted",
        "allowed",
        "subscription",
    }:
        weak = True
    if purpose is None:
        spent = {word for phrase in hits for word in phrase.split()} | _ASIDE
        purpose = "-".join(word for word in header if word not in spent) or "general"
    return ConsentWords(purpose, inverted=bool(negative), weak=weak)
