"""Which words in a table's name speak of which role, in English, German, French, Spanish and Dutch."""

# ruff: noqa: E501 - a word list is read and extended by line, one role per line

from __future__ import annotations

__all__ = ["MEMBERS", "TABLE_HINTS"]

_WORDS = """
people: guest gast gaste gasten patient student mitglied mitglieder lid leden membre miembro donor spender customer user contact people person lead member profile kunde kunden nutzer benutzer client cliente klant klanten usuario utilisateur gebruiker crm buyer shopper personen contacto contactos contacten kontakt kontakte persoon personne
events: event track activity action pageview hit interaction ereignis ereignisse evenement evento gebeurtenis log usage stream telemetry clickstream
orders: order purchase transaction sale bestellung bestellungen commande pedido bestelling bestellingen invoice checkout auftrag auftrage rechnung rechnungen facture factura factuur kauf kaufe achat compra booking reservation buchung buchungen boeking boekingen reservering reserveringen reservierung reservierungen reserva
consents: subscribed newsletter consent permission optin einwilligung einwilligungen consentement consentimiento toestemming subscriber mailing preference abonnent abonnenten mailchimp klaviyo brevo sendinblue mailjet activecampaign getresponse cleverreach rapidmail omnisend mailerlite rundbrief infolettre boletin nieuwsbrief
identities: identity identities alias stitch mapping idmap identify
accounts: account company organization organisation org workspace tenant team brand firma firmen unternehmen entreprise empresa bedrijf bedrijven konto societe
membership: membership accountuser accountmember teammember workspacemember workspaceuser organizationmember orgmember companyuser seat
opportunities: opportunity deal pipeline opp
subscriptions: subscription contract abo abos abonnement plan license licence vertrag vertrage suscripcion
exposures: exposure experiment assignment variant abtest bucketing
outcomes: outcome conversion goal
"""

# At the end of a compound: workspace_members, account_users.
MEMBERS = frozenset(
    "member membership user role seat assignment mitglied mitgliedschaft membre miembro lid gebruiker nutzer".split()  # noqa: SIM905 - as above
)
# Orders are no role of gtm.toml: they become events.
TABLE_HINTS: dict[str, frozenset[str]] = {
    role: frozenset(listed.split())
    for role, _, listed in (line.partition(":") for line in _WORDS.strip().splitlines())
}
