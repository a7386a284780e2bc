"""What headers mean, in the words of shops, CRMs and product analytics, in five languages.

English, German, French, Spanish and Dutch, folded as `names.words` does.

A phrase is an exact header after `names.words` and without filler words; it is a hypothesis that the measured
values may refute (`shapes`), never a proof.
"""

# ruff: noqa: E501, SIM905 - a word list is read and extended by line, one meaning per line

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Literal

from gtm_orchestra.warehouse.proposals.dialects import MORE_PHRASES
from gtm_orchestra.warehouse.proposals.names import plural_free, words

if TYPE_CHECKING:
    from gtm_orchestra.config import Sensitivity

__all__ = ["FILLERS", "OWNERS", "Concept", "Shape", "find_concept", "is_business_word"]

Shape = Literal["id", "text", "prose", "number", "time", "flag", "email", "phone", "url", "ip", "empty"]

TEXT: frozenset[Shape] = frozenset({"text", "id", "flag"})
ID: frozenset[Shape] = frozenset({"id", "text", "number", "email"})
NUMBER: frozenset[Shape] = frozenset({"number"})
TIME: frozenset[Shape] = frozenset({"time"})
FLAG: frozenset[Shape] = frozenset({"flag", "number"})

FILLERS = frozenset(
    "the a an of in on for to and s de du des d l la le les el los del der die das den dem des von zu im am um "
    "van het een en y et ist is op nr no hubspot salesforce shopify stripe".split()
)
OWNERS = frozenset(
    "customer customers user users contact contacts person people client clients member members subscriber lead leads "
    "buyer shopper guest recipient profile kunde kunden nutzer benutzer empfanger cliente clientes usuario klant "
    "klanten gebruiker utilisateur billing default primary main your".split()
)


@dataclass(frozen=True, slots=True)
class Concept:
    """One meaning that a column may have.

    Attributes:
        name: The meaning, as in `[tables.ROLE] columns` and in the evidence.
        shapes: Forms of values that this meaning allows.
        sensitivity: Class proposed for the attribute catalog.
        label: What it is in plain words, for descriptions.
    """

    name: str
    shapes: frozenset[Shape]
    sensitivity: Sensitivity
    label: str


_KEYS = """
person_id|personal|identifier of a person|guest number, gastnummer, mitgliedsnummer, mitgliedsnr, lidnummer, numero adherent, numero membre, numero socio, donor id, patient id, student id, customer id, customer number, customer no, customer nr, customer key, customer, customerid, user id, userid, user uid, user key, user, contact id, contactid, contact record id, vid, canonical vid, person id, people id, member id, memberid, subscriber id, lead id, profile id, distinct id, kunden id, kundenid, kundennummer, kunden nummer, kundennr, kunde id, kunden nr, nutzer id, benutzer id, id client, numero client, numero de client, code client, identifiant client, client number, client id, id cliente, numero cliente, numero de cliente, codigo cliente, klantnummer, klant id, klantid, klantnr, gebruiker id, gebruikers id, utilisateur id, id utilisateur, id usuario, usuario id, known user id, identified user id, braze id, shopper id, buyer id
anonymous_id|personal|identifier of an unknown visitor|anonymous id, anonymousid, anon id, visitor id, visitorid, cookie id, device id, ga client id, browser id, user pseudo id, full visitor id, fullvisitorid, previous id, guest id
account_id|internal|identifier of an account|account id, accountid, account number, account key, account, company id, companyid, company record id, associated company id, associated company ids, primary company id, primary associated company id, organization id, organisation id, org id, organization, organisation, workspace id, tenant id, team id, firmen id, firmennummer, entreprise id, id entreprise, id empresa, empresa id, bedrijf id, bedrijfs id, business id, crm account id, parent account id
order_id|internal|identifier of an order|booking id, booking number, booking reference, booking code, reservation id, reservation number, confirmation number, buchungsnummer, reservierungsnummer, boekingsnummer, reserveringsnummer, numero reservation, numero reserva, order id, orderid, order number, order no, order nr, order name, order, order key, order ref, order reference, bestellnummer, bestell nr, bestellnr, bestell id, auftragsnummer, auftrag id, numero commande, numero de commande, id commande, commande, numero pedido, numero de pedido, id pedido, pedido, bestelnummer, ordernummer, ordernr, bestelling, invoice id, invoice number, rechnungsnummer, rechnung nr, numero facture, numero factura, factuurnummer, transaction id, transaction number, receipt number, checkout id, purchase id
opportunity_id|internal|identifier of an opportunity|opportunity id, opportunityid, opp id, deal id, dealid, deal record id, opportunity key
subscription_id|internal|identifier of a subscription|subscription id, subscriptionid, subscription, sub id, abo id, abonummer, abo nr, contract id, contract number, vertragsnummer, abonnement id, id abonnement, id suscripcion, licence id, license id, membership id
event_id|internal|identifier of an event|event id, eventid, event uuid, message id, messageid, insert id, event key, activity id, log id, hit id
session_id|internal|identifier of a visit|session id, sessionid, ga session id, visit id, session uuid, session
product_id|internal|identifier of a product|product id, productid, sku, lineitem sku, article number, artikelnummer, artikel nr, variant id, item id, product code, item sku, ean, gtin, barcode, reference produit, referencia, codigo producto, productnummer, product sku
campaign_id|internal|identifier of a campaign|campaign id, gclid, fbclid, ad id, adgroup id, creative id, email campaign id, list id, audience id
record_id|internal|identifier of the row|record id, object id, row id, entry id, hs object id
external_id|internal|identifier in another system|external id, externalid, stripe customer id, stripe id, salesforce contact id, salesforce account id, salesforce lead id, shopify customer id, hubspot contact id, hubspot id, hubspot company id, crm id, legacy id, foreign id, old id, import id, reference id, intercom id, segment id
group_id|internal|identifier of a household or group|household id, family id
"""
_PERSONAL = """
email|personal|e-mail address|email, email address, emailaddress, emailadresse, mail, mail address, mailadresse, adresse email, adresse mail, courriel, correo, correo electronico, direccion correo electronico, direccion email, emailadres, mailadres, primary email, work email, login email, contact email
email_hash|personal|hashed e-mail address|email hash, hashed email, email sha256, email md5, sha256 email, md5 email
phone|personal|telephone number|phone, phone e 164, mobile e 164, msisdn, sms phone, phone number, phonenumber, telephone, telephone number, tel, tel nr, mobile, mobile phone, mobile phone number, mobile number, mobilenumber, cell phone, cell, fax, fax number, whatsapp, whatsapp phone number, telefon, telefonnummer, handy, handynummer, mobil, mobilnummer, mobiltelefon, numero telephone, portable, telephone portable, telefono, numero telefono, movil, telefono movil, telefoon, telefoonnummer, mobiel, gsm, work phone, home phone, sms number, rufnummer, festnetz, telefon privat, telefon mobil
first_name|personal|given name|firstname, first, given name, givenname, forename, vorname, prenom, nombre, nombre pila, primer nombre, voornaam, preferred name, nickname, middle name, middlename
last_name|personal|family name|lastname, last, surname, family name, familyname, nachname, familienname, zuname, nom famille, nom de famille, apellido, apellidos, achternaam, familienaam
full_name|personal|full name|fullname, display name, displayname, contact name, customer name, user full name, name full, nom complet, nom prenom, vollstandiger name, nombre completo, volledige naam, shipping name, billing name, recipient name, username, login, login name, benutzername, nom utilisateur, nombre usuario, gebruikersnaam, kundenname, nom client, nombre cliente, klantnaam
salutation|personal|form of address|salutation, title prefix, prefix, anrede, civilite, tratamiento, aanhef, honorific, titel
street|personal|street address|address, addresses, adressen, adresses, direcciones, address book, all addresses, customer addresses, street, street address, streetaddress, address line, address line 1, address line 2, address 1, address 2, address1, address2, street 1, street 2, strasse, hausnummer, strasse hausnummer, anschrift, adresse, rue, adresse postale, calle, direccion, domicilio, straat, straatnaam, huisnummer, adres, shipping address, billing address, house number, mailing street, billing street, shipping street, lieferadresse, rechnungsadresse, adresszusatz
postal_code|personal|postal code|postcode, postal code, postalcode, zipcode, zip, plz, postleitzahl, code postal, codigo postal, cp, shipping zip, billing zip, shipping zipcode, shipping postcode, mailing postal code, billing postal code, shipping postal code, zip postal code
city|personal|city|city, town, stadt, ort, wohnort, ville, commune, ciudad, poblacion, localidad, stad, plaats, woonplaats, shipping city, billing city, mailing city, ip city, locality
geo|personal|place on the map|latitude, longitude, lat, lon, lng, geo location, location coordinates, coordinates, geolocation
birthdate|personal|date of birth|birthdate, birth date, birthday, date birth, date of birth, dob, geburtsdatum, geburtstag, date naissance, fecha nacimiento, geboortedatum, verjaardag, geb datum, year birth, birth year, year of birth, geburtsjahr, annee naissance, geboortejaar
age|personal|age of the person|age, age band, age class, alter, edad, leeftijd, age years, age group, age range, age bracket, altersgruppe, tranche age, rango edad, leeftijdsgroep
gender|personal|gender|gender, sex, geschlecht, sexe, sexo, genero, geslacht, genre
ip|personal|network address|ip, ip address, ipaddress, ip adresse, adresse ip, direccion ip, client ip, signup ip, optin ip, confirm ip, last ip, remote addr, ip adres
user_agent|personal|browser identification|user agent, useragent, browser agent, device fingerprint, browser fingerprint, fingerprint
social|personal|profile in a social network|linkedin, linkedin url, linkedin profile, linkedin bio, linkedin profile url, twitter, twitter handle, twitter username, twitter bio, facebook, facebook id, instagram, xing, github username, github, social handle, avatar, avatar url, photo, photo url, profile picture, picture, skype, telegram
marital_status|personal|marital status|marital status, relationship status, familienstand, situation familiale, etat civil, estado civil, burgerlijke staat
household|personal|household|number children, children, kids, number of children, kinder, anzahl kinder, nombre enfants, hijos, aantal kinderen, household size, haushaltsgrosse
income|personal|income or creditworthiness|income, household income, salary, salaire, gehalt, einkommen, ingresos, salario, inkomen, credit score, schufa, net worth, bonitat
national_id|personal|number given by a state|ssn, social security number, passport number, passport, national id, tax id, steuer id, steuernummer, sozialversicherungsnummer, bsn, nif, dni, nie, numero securite sociale, drivers license, personalausweis
iban|personal|bank account|iban, bank account, account iban, kontonummer, bankverbindung, compte bancaire, cuenta bancaria, rekeningnummer, card number, credit card number, card last4, last 4
vat_id|internal|VAT number of a company|vat id, vat number, vatid, ust id, ustid, ustidnr, umsatzsteuer id, tva, numero tva, nif iva, cif, btw nummer, tax number
"""
_COMPANY = """
account_name|internal|name of the company|company, company name, companyname, account name, organization name, organisation name, org name, workspace name, tenant name, firma, firmenname, unternehmen, unternehmensname, societe, entreprise, nom entreprise, raison sociale, empresa, nombre empresa, razon social, bedrijf, bedrijfsnaam, associated company, primary company, primary associated company, employer, arbeitgeber, business name, shipping company, billing company
domain|internal|domain of the company|domain, email domain, company domain, company domain name, website domain, account domain, internet domain
website|internal|website of the company|website, website url, web site, company website, webseite, homepage, site web, sitio web, pagina web
industry|internal|industry|industry, branche, sector, industrie, secteur, secteur activite, sector actividad, vertical, bedrijfstak, naics, sic code, industry group
employees|internal|size of the company|number employees, num employees, employees, employee count, company size, size, headcount, mitarbeiter, mitarbeiterzahl, anzahl mitarbeiter, nombre employes, effectif, effectifs, taille entreprise, empleados, numero empleados, aantal medewerkers, medewerkers, firm size, number of employees, size bracket, company size bracket, employees range, unternehmensgrosse
annual_revenue|internal|yearly revenue of the company|annual revenue, annualrevenue, revenue range, jahresumsatz, chiffre affaires, facturacion anual, jaaromzet, total revenue company
job_title|internal|job title|job title, jobtitle, title, position, poste, fonction, funktion, cargo, puesto, functie, functietitel, berufsbezeichnung, stelle, intitule poste, occupation
job_role|internal|role in the company or product|role, job function, jobfunction, employment role, rolle, user role, account role, buying role, permission role, member role, rol, funcion
department|internal|department|department, abteilung, departement, service, departamento, afdeling, division, business unit
seniority|internal|seniority|seniority, employment seniority, job level, management level, karrierestufe
persona|internal|buyer persona|persona, buyer persona, user persona, zielgruppe, use case, usecase, primary use case, goal
owner|personal|member of staff in charge|owner, contact owner, company owner, account owner, deal owner, opportunity owner, owner name, owner id, hubspot owner id, lead owner, record owner, sales rep, account manager, csm, customer success manager, betreuer, vertriebler, ansprechpartner, responsable, propietario, eigenaar, kundenbetreuer, created by, updated by, created by user id, updated by user id, last modified by, assigned to, invited by, invited by user id, referred by, referrer id
hubspot_team|internal|team in charge|hubspot team, team, sales team, owner team, territory
"""
_STAGE = """
lifecycle_stage|internal|stage of the customer lifecycle|lifecycle stage, lifecyclestage, lifecycle, life cycle stage, customer stage, lebenszyklusphase, lifecycle phase, etape cycle vie, phase cycle vie, etapa ciclo vida, levenscyclusfase, customer lifecycle stage, user stage
lead_status|internal|state of the lead|lead status, leadstatus, hs lead status, lead state, contact status, statut prospect, estado lead
lead_score|internal|score|lead score, leadscore, hubspot score, hubspotscore, score, predictive lead score, likelihood close, likelihood to close, fit score, engagement score, health score, account health score, customer health score, customer health, account health, health, contact priority, mql score, pql score, propensity score, churn score, churn risk
status|internal|status|status, state code, customer status, account status, user status, subscription status, stat, zustand, statut, estado, estatus, toestand, kundenstatus, membership status, member status, record status, plan status, is status
plan|internal|plan or tariff|plan, plan name, plan type, plan tier, tariff, tarif, product plan, pricing plan, subscription plan, current plan, package, paket, forfait, formule, abonnement, abo, tier, edition, subscription type, plan id, price id, plan code, license type, abo typ
billing_interval|internal|billing interval|billing interval, interval, billing period, billing cycle, billing frequency, plan interval, term, payment interval, abrechnungszeitraum, periodicite, zahlungsintervall, contract term, term months
segment|internal|segment or type|segment, customer segment, segment name, rfm segment, customer group, customer type, kundengruppe, kundentyp, kundensegment, segment client, tipo cliente, groupe client, klantgroep, klanttype, account type, company type, contact type, account tier, account segment, user type, typ, customer category, type client
loyalty|internal|loyalty level or points|loyalty tier, loyalty level, loyalty status, loyalty points, loyalty, points, reward points, bonuspunkte, treuepunkte, punkte, vip, vip status, vip level, treuestufe, points fidelite, puntos, punten, membership level, membership tier, club level, loyalty card
tags|internal|labels or interests|tags, labels, schlagworte, etiquetas, etiquettes, tag, kenmerken, interests, interessen, interets, intereses, interesses, customer tags
language|internal|language|language, locale, lang, preferred language, sprache, langue, langue preferee, idioma, taal, voorkeurstaal, bevorzugte sprache, language code, browser language, korrespondenzsprache, customer locale
country|internal|country|country, country code, countrycode, country region, land, staat, laendercode, landercode, landerkurzel, pays, code pays, pais, codigo pais, landcode, shipping country, billing country, mailing country, ip country, ip country code, iso country, country iso, shipping country code, country name, lieferland, hq country, company country
region|internal|region|state, region, province, state region, bundesland, kanton, departement code, region code, provincia, provincie, comunidad, county, shipping province, shipping region, billing province, billing state, shipping state, mailing state, ip state region, ip state, state province, state code region, sales region, market, markt, marche, mercado
visibility|internal|who may see the record|visible to
slug|internal|name in web addresses|slug
feature_flags|unknown|settings or properties|feature flags
onboarding_step|internal|step of the onboarding|onboarding step
timezone|internal|time zone|timezone, time zone, zeitzone, fuseau horaire, zona horaria, tijdzone, tz
"""
_SOURCE = """
source|internal|where the person came from|analytics source original, captured by, captured via, collected via, collected by, source, signup source, original source, original source type, latest source, latest traffic source, lead source, leadsource, acquisition source, traffic source, record source, origin, herkunft quelle, quelle, leadquelle, canal acquisition, source acquisition, fuente, origen, bron, herkomst, original traffic source, original source drill down 1, original source drill down 2, analytics source, latest source drill down 1, acquisition channel, acquisition, first touch, last touch, registration source, source name, referral source, signup channel, marketing channel, sales channel, order source, source detail, subscription source, optin source, anmeldequelle, consent source, signup method, how did you hear about us, first touch channel, last touch channel, created source, object source, registered via, signup via
medium|internal|medium of the campaign|medium, utm medium, marketing medium
campaign|internal|campaign or its parts|campaign, campaign name, utm campaign, kampagne, campagne, campana, latest campaign, first conversion campaign, utm source, utm term, utm content, ad name, adgroup, keyword, first campaign
first_conversion|internal|form or page|first conversion, recent conversion, first page seen, last page seen, first referring site, last referring site, first url, last url, recent sales email clicked, ip timezone, landing page, landing site, landing page url, form name, form, formular, form id, signup form, signup page
referrer|internal|referring page|referrer, referer, referring site, referrer url, page referrer, referring domain, document referrer
page_url|internal|page|url, page url, page, page path, path, page location, current url, screen name, screen, page name, page title, title page, pathname
channel|internal|channel|channel, kanal, canal, kanaal, channel grouping, touchpoint
platform|internal|platform, device or version|platform, device, device type, device category, devicetype, os, operating system, os version, os name, browser, browser version, browser name, app version, appversion, sdk version, library, library name, client, gerat, gerate typ, geraetetyp, appareil, dispositivo, apparaat, device model, device brand, app, screen resolution, app name, version, user agent family
ab_experiment|internal|experiment|experiment, experiment id, experiment key, experiment name, test name, ab test, feature flag, flag key, feature key
ab_variant|internal|variant of an experiment|variant, variation, variation id, variant id experiment, variant name, variation name, test group, experiment group, ab group, bucket, treatment, arm
"""
_TIMES = """
created_at|internal|when the record was created|created, created at, createdat, created date, createddate, create date, createdate, creation date, creation time, date created, created on, created time, created ts, created timestamp, date added, added at, date of creation, erstellt, erstellt am, erstelldatum, erstellungsdatum, angelegt, angelegt am, anlagedatum, anlage datum, date creation, cree le, cree, fecha creacion, fecha de creacion, creado, creado en, fecha alta, aangemaakt, aangemaakt op, aanmaakdatum, datum aangemaakt, record created, entry date
signup_at|internal|when the person signed up|signup, signup date, signup at, signupdate, signup time, signup timestamp, signed up, signed up at, signed up on, registered, registered at, registered on, registration date, registration time, registrationdate, date registered, date joined, joined, joined at, joined on, join date, member since, customer since, client since, user since, first seen, first seen at, time first seen, registriert, registriert am, registrierung, registrierungsdatum, anmeldedatum, anmeldung, angemeldet am, kunde seit, mitglied seit, date inscription, inscrit le, inscription, client depuis, date adhesion, fecha registro, registrado, cliente desde, fecha inscripcion, registratiedatum, geregistreerd op, klant sinds, lid sinds, aanmelddatum, inschrijfdatum, account created, account created at, account created date, account creation date, onboarded at, onboarding date
loaded_at|internal|when the row was loaded|loaded at, load date, load time, load timestamp, synced at, last synced at, last synced, fivetran synced, airbyte extracted at, airbyte emitted at, airbyte normalized at, sdc batched at, sdc received at, ingested at, ingestion time, received at, server received at, imported at, import date, etl loaded at, etl timestamp, dbt updated at, batch date, extracted at, exported at, export date, dw loaded at, dwh loaded at, uuid ts, server upload time, processed time
updated_at|internal|when the record last changed|laatst gewijzigd, laatst bijgewerkt, zuletzt aktualisiert, derniere modification, derniere mise a jour, ultima modificacion, ultima actualizacion, updated, updated at, updatedat, updated on, updated date, update date, last modified date, last modified, lastmodifieddate, lastmodified, modified, modified at, modified date, modified on, last updated, last updated at, last update, lastupdated, geandert, geandert am, geaendert am, anderungsdatum, aktualisiert am, aktualisiert, zuletzt geandert, letzte anderung, date modification, modifie le, date maj, mis a jour le, fecha modificacion, actualizado, fecha actualizacion, gewijzigd op, wijzigingsdatum, bijgewerkt op, system modstamp, record updated, last changed
event_time|internal|when it happened|event time, event timestamp, eventtime, event date, event datetime, event at, timestamp, occurred at, occurred on, occurred, happened at, sent at, original timestamp, client event time, time, date, datetime, datum, zeitpunkt, zeit, uhrzeit datum, fecha, fecha hora, heure, horodatage, tijdstip, tijd, ts, server time, triggered at, performed at, date time, date heure, activity date, tracked at, logged at, derived tstamp, collector tstamp, received timestamp, day
order_time|internal|when it was ordered|booked at, booked on, booking date, booking time, booking timestamp, reservation date, reserved at, gebucht am, buchungsdatum, reserviert am, geboekt op, boekingsdatum, gereserveerd op, reserve le, date reservation, reservado el, fecha reserva, order date, orderdate, ordered, ordered at, ordered on, order time, order timestamp, order datetime, purchase date, purchase time, purchase timestamp, purchased at, purchased on, bestelldatum, bestellt am, auftragsdatum, kaufdatum, gekauft am, date commande, date de commande, commande le, date achat, fecha pedido, fecha compra, fecha de pedido, fecha de compra, besteldatum, aankoopdatum, besteld op, processed at, order created at, order created, order placed at, placed at, transaction date, transaction time, transacted at, invoice date, rechnungsdatum, date facture, fecha factura, factuurdatum, checkout completed at, sold at
last_activity_at|internal|when something last happened|last activity, last activity date, last activity at, last seen, last seen at, last seen date, last active, last active at, last active date, last login, last login at, last login date, last signin, last sign in, last sign in at, last visit, last visit date, last session, last session date, letzter login, letzte anmeldung, letzte aktivitat, letzter besuch, derniere connexion, derniere activite, derniere visite, ultimo acceso, ultima conexion, ultima actividad, ultima visita, laatste login, laatste bezoek, laatste activiteit, laatst gezien, laatst ingelogd, last engagement, last engagement date, last contacted, last contacted date, last time contacted, last contact date, notes last contacted, last email open date, last email click date, last email send date, last email opened, last email clicked, last opened at, last clicked at, time last seen, time last session, last touch date, last marketing email open date, last marketing email click date, recent conversion date, first conversion date, last activity time, last emailed at, last engaged at, last event at
last_contact_at|internal|when your side was last in touch|last contacted
planned_at|internal|a date that is planned|next activity date
last_order_at|internal|last or first order|last order, last order date, last order at, last ordered at, last purchase, last purchase date, last purchase at, last purchased at, first order, first order date, first order at, first purchase date, first purchase at, letzte bestellung, letzter kauf, letztes bestelldatum, erste bestellung, erstkauf, derniere commande, dernier achat, premiere commande, ultimo pedido, ultima compra, fecha ultimo pedido, fecha ultima compra, primera compra, laatste bestelling, laatste aankoop, eerste bestelling, datum letzte bestellung, datum letzter kauf, date derniere commande, recent deal close date, last order time
stage_date|internal|a date in the customer's history|became a customer date, became customer date, became customer, became lead date, became a lead date, became mql date, became a marketing qualified lead date, became a sales qualified lead date, became an opportunity date, became a subscriber date, became opportunity date, became paying at, converted at, conversion date, converted date, activated at, activation date, qualified at, mql date, sql date, date entered customer, first deal created date, demo date, first paid at, next activity date, next contact date, upgraded at, onboarding completed at, verified at, email verified at, email confirmed at, reactivated at, first session, invited at, accepted at, churned at, churn date, churned on, first login at, first login
deleted_at|internal|when the record was deleted|deleted at, deleted on, deleted date, date deleted, deletion date, archived at, blocked at, deactivated at, anonymized at, anonymised at, erased at, soft deleted at, removed at, discarded at, geloscht am, loschdatum, gesperrt am, archiviert am, deaktiviert am, supprime le, date suppression, eliminado el, fecha eliminacion, verwijderd op
started_at|internal|start|start date, startdate, started, started at, started on, starts at, start, start time, subscription start, subscription start date, subscription started at, current period start, current period started at, period start, vertragsbeginn, startdatum, beginn, beginn datum, date debut, debut, fecha inicio, inicio, begindatum, contract start, contract start date, valid from, trial start, trial started at, trial start date, trial began at, begins at
cancelled_at|internal|when it was cancelled or ended|kundigungsdatum, gekundigt am, kuendigungsdatum, date resiliation, opzegdatum, cancelled at, canceled at, cancelled on, canceled on, cancelled date, canceled date, cancel date, cancellation date, cancelled, storniert am, stornodatum, date annulation, fecha cancelacion, geannuleerd op, termination date, ended, ended at, terminated at, gekundigt, beendet am, geeindigd op
trial_end|internal|when the trial ends|trial end, trial ends at, trial end date, trial ended at, trial expires at, trial expiry, trial expires, trial expiration date, trial until, testphase bis, testphase ende, testende, probezeit bis, fin essai, fin periode essai, fin prueba, einde proefperiode, proefperiode tot
renews_at|internal|when it renews or is billed next|current period end, current period ends at, period end, renewal date, renews at, renews on, next renewal date, renewal, next billing date, next billing at, next renewal, next payment date, next invoice date, next charge date, verlangerungsdatum, verlangert sich am, prochaine facturation, proxima renovacion, verlengingsdatum
ended_at|internal|when it ends|end date, enddate, ends at, end, end time, subscription end, subscription end date, expires at, expiry date, expiration date, expired at, vertragsende, enddatum, ablaufdatum, date fin, fecha fin, einddatum, contract end, contract end date, valid until, valid to
paid_at|internal|when it was paid|paid at, paid on, paid date, payment date, payment time, bezahlt am, zahlungsdatum, date paiement, paye le, fecha pago, betaald op, betaaldatum, captured at
shipped_at|internal|when it was shipped, delivered or returned|shipped at, shipped on, ship date, shipping date, shipped date, dispatch date, dispatched at, delivered at, delivery date, delivered on, delivered date, fulfilled at, fulfilled on, lieferdatum, versanddatum, versendet am, geliefert am, date livraison, date expedition, fecha envio, fecha entrega, verzenddatum, leverdatum, returned at, return date, refunded at, refund date
close_date|internal|close date of the deal|close date, closedate, closed at, closed on, closed date, expected close date, deal close date, won at, won date, lost at, close time
granted_at|internal|when it was agreed to|subscribed at, subscribed on, subscribe date, subscribed date, subscription date, date subscribed, optin at, optin on, optin date, optin time, optin timestamp, optedin at, optedin on, consent at, consent on, consent date, consent time, consent timestamp, consent given at, consent given on, consented at, consented on, consent updated at, newsletter signup date, newsletter signup at, newsletter subscribed at, newsletter optin date, newsletter optin at, newsletter since, newsletter date, email optin at, email optin date, marketing optin date, email marketing consent updated at, gdpr consent date, gdpr date, einwilligung am, einwilligungsdatum, datum einwilligung, zustimmung am, newsletter anmeldung, newsletter anmeldedatum, date consentement, date abonnement, fecha consentimiento, fecha suscripcion, suscrito el, abonne le, toestemmingsdatum, ingeschreven op, status changed at, status date, status updated at, email marketing consent date, terms accepted at, tos accepted at, accepted terms at, privacy accepted at
withdrawn_at|internal|when consent was withdrawn|unsubscribed at, unsubscribed on, unsubscribe date, unsubscribed date, date unsubscribed, unsubscribe time, optout at, optout on, optout date, optout time, optedout at, optedout on, optedout date, withdrawn at, withdrawn on, revoked at, abgemeldet am, abmeldedatum, widerruf am, widerrufen am, date desinscription, desinscrit le, desabonne le, date desabonnement, fecha baja, fecha de baja, afmelddatum, uitgeschreven op, uitschrijfdatum, email optout date
confirmed_at|internal|when it was confirmed|confirmed at, confirmed on, confirm time, confirmation date, confirmed date, double optin at, double optin date, double optin time, double optin confirmed at, doi date, doi at, doi confirmed at, bestatigt am, bestatigungsdatum, confirme le, confirmado el, bevestigd op, optin confirmed at, doi timestamp, double optin timestamp, email confirmed
"""
_MONEY = """
amount|internal|amount of money|amount, total, total price, totalprice, order total, ordertotal, order amount, order value, grand total, total amount, total paid, total inc tax, total incl vat, net total, gross total, gross amount, net amount, amount paid, paid amount, revenue, sales, order revenue, purchase amount, purchase value, value, event value, transaction amount, invoice total, invoice amount, betrag, gesamtbetrag, summe, gesamt, gesamtsumme, bestellwert, warenkorbwert, rechnungsbetrag, umsatz, bruttobetrag, nettobetrag, montant, montant total, montant commande, total ttc, total ht, montant ttc, montant ht, importe, importe total, total pedido, bedrag, totaal, totaalbedrag, orderbedrag, orderwaarde, omzet, deal amount, deal value, opportunity amount, contract value, tcv, acv, amount cents, price total, order total price, item total, total value, endbetrag, gesamtpreis, prix total, precio total, totaalprijs, basket value, cart value, cart total, checkout value
subtotal|internal|sum before tax and shipping|subtotal, sub total, subtotal price, zwischensumme, sous total, subtotaal, items total
tax|internal|tax|tax, taxes, total tax, tax amount, vat, vat amount, mwst, steuer, ust, umsatzsteuer, tva montant, montant tva, iva, impuestos, btw, btw bedrag, tax rate, mwst satz
shipping_cost|internal|cost of shipping|shipping, shipping cost, shipping costs, shipping price, shipping amount, shipping fee, freight, versand, versandkosten, porto, frais port, frais livraison, frais de port, gastos envio, verzendkosten, total shipping, delivery fee, delivery cost
discount|internal|discount|discount, discounts, discount amount, total discounts, total discount, discount value, rabatt, nachlass, rabattbetrag, remise, reduction, descuento, korting, kortingsbedrag, discount percent, discount pct
price|internal|price of one unit|price, unit price, item price, lineitem price, preis, einzelpreis, stuckpreis, prix, prix unitaire, precio, precio unitario, prijs, stukprijs, list price, unit amount, price per unit
refund|internal|money paid back|refund, refunded amount, refund amount, amount refunded, total refunded, erstattung, ruckerstattung, remboursement, reembolso, terugbetaling
mrr|internal|monthly recurring revenue|mrr, monthly recurring revenue, mrr amount, monthly amount, monthly revenue, monthly price, current mrr, plan mrr
arr|internal|yearly recurring revenue|arr, annual recurring revenue, yearly amount, annual amount, annual contract value, current arr
lifetime_value|internal|money per customer|lifetime value, ltv, clv, cltv, customer lifetime value, total spent, total spend, lifetime spend, lifetime revenue, amount spent, gesamtumsatz, kundenwert, umsatz gesamt, valeur vie client, total depense, ca total, gasto total, total gastado, valor cliente, totale omzet, klantwaarde, total revenue, total order value, customer value, recent deal amount, total deal value, spend, avg order value, average order value, aov, durchschnittlicher bestellwert, panier moyen, ticket medio, total purchases value, annual spend
currency|internal|currency|currency, currency code, currencycode, wahrung, waehrung, devise, monnaie, moneda, divisa, valuta, munteenheid, order currency, presentment currency, deal currency
"""
_COUNTS = """
quantity|internal|number of items|quantity, qty, items, item count, number items, number of items, items count, num items, lineitem quantity, units, total quantity, total items, menge, anzahl, anzahl artikel, stuckzahl, artikelanzahl, positionen, quantite, nombre articles, cantidad, unidades, numero articulos, aantal, aantal artikelen, n items, product count, count items
orders_count|internal|number of orders or deals|orders count, order count, number orders, number of orders, num orders, total orders, orders, n orders, anzahl bestellungen, bestellungen, nombre commandes, nb commandes, numero pedidos, numero de pedidos, aantal bestellingen, purchase count, purchases, number of purchases, lifetime orders, total purchases, num associated deals, number of associated deals, associated deals, number associated deals
seats|internal|seats, licences or users|seats, seat count, number seats, num seats, licenses, licences, license count, lizenzen, plazas, users count, user count, number users, num users, number of users, team size, active users, member count, seats used, seats purchased, seat limit, number of seats, seats total, active seats, paid seats
page_views|internal|visits, logins or page views|page views, pageviews, number pageviews, number page views, number of page views, num page views, sessions, session count, number sessions, number of sessions, num sessions, visits, visit count, number visits, web visits, average pageviews, average page views, login count, logins, number logins, sign in count, anzahl logins, nombre connexions, event count, events count, number of event completions, number event completions, number of logins, total sessions, total logins, seitenaufrufe, besuche, event completions, events last 30 days, active days
email_engagement|internal|number or rate of interactions|emails opened, marketing emails opened, email opens, opens, open count, emails clicked, marketing emails clicked, email clicks, clicks, click count, emails delivered, marketing emails delivered, emails sent, emails bounced, marketing emails bounced, email open rate, email click rate, open rate, click rate, sends since last engagement, email sends since last engagement, emails replied, marketing emails replied, number form submissions, number of form submissions, form submissions, number unique forms submitted, number of unique forms submitted, times contacted, number times contacted, number of times contacted, number sales activities, number of sales activities, email sent count, avg open rate, avg click rate, total opens, total clicks, member rating, ratings
activity_count|internal|number of activities of your side|done activities
deal_count|internal|number of deals|won deals
nps|internal|satisfaction|nps, nps score, csat, csat score, satisfaction, satisfaction score, rating, review score, zufriedenheit, net promoter score, stars, bewertung
tickets|internal|tickets, cases or returns|tickets, ticket count, number tickets, support tickets, open tickets, number of tickets, cases, open cases, number of associated tickets, returns, return count, returns count
usage|internal|a figure|usage, api calls, storage used, projects, project count, number projects, number of projects, integrations, integration count, documents, feature count, storage gb, projects count, reports created, tasks created, duration, duration seconds, duration s, duration ms, session duration, time on page, load time ms, seconds, minutes used, credits, credits used, credit balance, balance, store credit, days active, tenure days, tenure months, days since signup, days since last login, days since last order, days to close, sequence, step
probability|internal|probability of closing|probability, win probability, deal probability, forecast probability, close probability
"""
_ORDER = """
payment_method|internal|way of payment|payment method, paymentmethod, payment type, payment gateway, gateway, payment provider, zahlungsart, zahlungsmethode, zahlart, bezahlart, mode paiement, moyen paiement, metodo pago, forma pago, betaalmethode, betaalwijze, payment processor, paid with
payment_status|internal|state of the payment|payment status, financial status, paid, is paid, zahlungsstatus, bezahlt, statut paiement, paye, estado pago, pagado, betaalstatus, betaald, invoice status, refunded, is refunded
fulfillment_status|internal|state of the order|fulfillment status, fulfilment status, shipping status, delivery status, versandstatus, lieferstatus, statut livraison, estado envio, verzendstatus, order status, bestellstatus, auftragsstatus, statut commande, etat commande, estado pedido, orderstatus, bestelstatus, order state, returned, is returned, shipped, delivered
shipping_method|internal|way of shipping|shipping method, shipping option, shipping type, delivery method, versandart, lieferart, mode livraison, metodo envio, verzendmethode, carrier, shipping carrier
product_name|internal|product|product, product name, productname, item, item name, lineitem name, product title, artikel, artikelname, artikelbezeichnung, produkt, produktname, produit, nom produit, article, producto, nombre producto, articulo, productnaam, product type, products, line items, lineitems
product_category|internal|category or brand of products|category, product category, item category, kategorie, warengruppe, produktkategorie, categorie, categorie produit, categoria, categoria producto, productcategorie, brand, marke, marque, marca, merk, vendor, collection, favorite category, favourite category, preferred category, lieblingskategorie, top category, department product, categorie preferee, favoriete categorie
coupon|internal|coupon|coupon, coupon code, discount code, discount codes, promo code, voucher, voucher code, gutschein, gutscheincode, rabattcode, code promo, bon reduction, cupon, codigo descuento, codigo promocional, kortingscode, promotion code, promotion
opportunity_stage|internal|stage of the deal|deal stage, dealstage, opportunity stage, stage, stage name, stagename, sales stage, pipeline stage, phase
pipeline|internal|kind or reason|pipeline, deal pipeline, sales pipeline, deal type, dealtype, opportunity type, forecast category, loss reason, lost reason, closed lost reason, closed won reason, win reason, cancel reason, cancellation reason, churn reason, kundigungsgrund, refund reason, unsubscribe reason, abmeldegrund, competitor, reason, hard bounce reason, email hard bounce reason, bounce reason, cancellation feedback
opportunity_name|internal|name of the deal|deal name, dealname, opportunity name, opp name
event_name|internal|what happened|outcome, outcome name, conversion, conversion name, conversion event, goal name, goal event, event, event name, eventname, event type, eventtype, action, activity, activity type, ereignis, ereignisname, evenement, nom evenement, type evenement, evento, nombre evento, gebeurtenis, event key name, event action, event category, event label, interaction, interaction type, hit type
consent_purpose|internal|purpose of the consent|purpose, consent purpose, consent type, subscription type name, subscription name, processing purpose, zweck, verarbeitungszweck, finalite, finalidad, doel, doeleinde, list name, list, newsletter list, mailing list, topic, newsletter name, newsletter type, liste, lista, lijst, newsletter topic
consent_status|internal|state of the consent|consent status, subscription status, subscriber status, optin status, email status, newsletter status, email subscription status, email marketing status, marketing status, consent state, subscribed, is subscribed, abonniert, abostatus, abonnestatus, einwilligungsstatus, statut abonnement, statut consentement, estado suscripcion, abonne, suscrito, inschrijfstatus, consent decision, decision, optin state
consent_proof|internal|proof of the consent|proof, consent proof, evidence, consent text, consent version, policy version, consent document, nachweis, preuve, prueba, bewijs, consent method, collection method, optin method, consent url, proof id, proof url, text version
legal_basis|internal|legal basis|legal basis, lawful basis, legal basis processing contact data, legal basis for processing contacts data, rechtsgrundlage, base legale, base juridica, rechtsgrond, legal basis processing contacts data, legal basis processing data
"""
_FLAGS = """
is_active|internal|active|active, is active, isactive, enabled, is enabled, activated, is activated, aktiv, actif, activo, actief, user active, onboarding completed, onboarded, is onboarded, has logged in
is_test|internal|staff, test or bot|bot suspected, suspected bot, is spam, spam, test, is test, is test user, test account, is test account, internal, is internal, is employee, employee, is staff, staff, mitarbeiterkonto, is bot, bot, is demo, is internal user, internal user, is test order
is_gone|internal|deleted or blocked|deleted, is deleted, isdeleted, archived, is archived, is disabled, disabled, blocked, is blocked, gesperrt, geloscht, geblokkeerd, bloque, bloqueado, supprime, eliminado, verwijderd, soft deleted, is removed, account deleted, konto gesperrt, konto geloscht
is_deleted|internal|closed, cancelled or won|closed, is closed, isclosed, is won, iswon, won, is canceled, is cancelled, churned, is churned, cancel at period end
email_verified|internal|verified or secured|email verified, verified, is verified, verified email, email is verified, email confirmed flag, is confirmed, email valid, double optin, doi, is double optin, double optin confirmed, two factor enabled, mfa enabled, sso enabled, has two factor, phone verified
bounced|internal|address bounces|bounced, email bounced, is bounced, hard bounce, hard bounced, email hard bounced, has bounced, invalid email, invalid email address, bounce, soft bounced
is_admin|internal|administrator|admin, is admin, isadmin, is owner, account admin, is primary, is billing contact, is primary contact, primary contact, is billing admin, is account owner
is_paying|internal|yes or no|guest, is guest, guest checkout, guest order, guest account, gast, gastbestellung, gastkonto, gastkunde, ist gast, commande invite, compte invite, client invite, pedido invitado, cuenta invitado, invitado, gastbestelling, gastaccount, stammkunde, neukunde, paying, is paying, is paid, is customer, has purchased, is premium, premium, is trial, trial, on trial, is trialing, in trial, has subscription, is subscriber, repeat customer, new customer, is new customer, first order flag, is first order, is returning, tax exempt, has account, accepted terms, terms accepted, tos accepted, agb akzeptiert, is b2b, b2b, is business, is gift, gift, is vip, is company, auto renew, auto renewal, is reseller, is partner, is annual, has credit card, payment method on file, is free, is free trial
marketing_contact_status|internal|state of the record in the CRM|marketing contact status, marketing contact, is marketing contact, marketing contact until next update, member of list, list memberships, contact unworked, contact unworked, is contact unworked, number of open deals, currently in workflow, currently in sequence
"""
_PROSE = """
free_text|unknown|free text|latest note, last note text, latest message, notes, note, comment, comments, description, message, remarks, remark, bemerkung, bemerkungen, kommentar, kommentare, notiz, notizen, anmerkung, anmerkungen, beschreibung, nachricht, commentaire, commentaires, remarque, remarques, comentario, comentarios, notas, observaciones, descripcion, opmerking, opmerkingen, notitie, notities, toelichting, feedback, free text, freitext, freetext, bio, about, about me, customer note, order note, order notes, internal notes, internal note, customer notes, lieferhinweis, special instructions, body, subject, last note, company description, gift message, sales notes, support notes, call notes
"""
_TABLES: tuple[tuple[str, frozenset[Shape]], ...] = (
    (_KEYS, ID),
    (_PERSONAL, TEXT | NUMBER | TIME | {"email", "phone", "url", "ip", "prose"}),
    (_COMPANY, TEXT | NUMBER | {"url", "email", "prose"}),
    (_STAGE, TEXT | NUMBER | {"prose"}),
    (_SOURCE, TEXT | {"url", "prose", "number"}),
    (_TIMES, TIME),
    (_MONEY, NUMBER | TEXT),
    (_COUNTS, NUMBER | TEXT),
    (_ORDER, TEXT | {"prose", "number"}),
    (_FLAGS, FLAG | TEXT),
    (_PROSE, TEXT | {"prose"}),
)
# Where a family of concepts is too wide, the concept itself says what its values are.
_SHAPES: dict[str, frozenset[Shape]] = {
    "email": frozenset({"email"}),
    "email_hash": frozenset({"id", "text"}),
    "phone": frozenset({"phone", "text", "number", "id"}),
    "first_name": TEXT,
    "last_name": TEXT,
    "full_name": TEXT | {"email"},
    "salutation": TEXT,
    "street": TEXT | {"prose", "number"},
    "birthdate": TIME | NUMBER,
    "ip": frozenset({"ip"}),
    "age": NUMBER | TEXT,
    "gender": TEXT,
    "currency": frozenset({"text", "id"}),
    "amount": NUMBER,
    "subtotal": NUMBER,
    "refund": NUMBER,
    "mrr": NUMBER,
    "arr": NUMBER,
    "price": NUMBER,
    "shipping_cost": NUMBER,
    "lifetime_value": NUMBER,
    "quantity": NUMBER,
    "orders_count": NUMBER,
    "page_views": NUMBER,
    "email_engagement": NUMBER,
    "probability": NUMBER,
    "activity_count": NUMBER,
    "deal_count": NUMBER,
    "feature_flags": TEXT | {"prose"},
    "product_name": TEXT | {"prose"},
    "event_name": frozenset({"text", "id"}),
    "website": frozenset({"url", "text"}),
    "country": frozenset({"text", "id"}),
    "plan": TEXT,
    "timezone": frozenset({"text", "id"}),
    "is_active": FLAG,
    "email_verified": FLAG,
    "is_admin": FLAG,
    "owner": TEXT | {"email", "number"},
    "usage": NUMBER,
}


_TELLING_LENGTH = 9
_SHORTEST = 4
_UNITS = frozenset(
    "cents cent eur usd gbp chf euro euros dollars pct utc gmt ms millis milliseconds sec secs seconds us micros "
    "epoch unix ts timestamp iso iso8601 local".split()
)
_TAX = frozenset(
    "tax taxes vat gst tva iva mwst ust btw steuer steuern impuestos impuesto taxe sales".split()
)
_WITH = frozenset("inc incl including included with inkl inklusive avec con toutes incluidos".split())
_UNTAXED = frozenset("ex exc excl excluding without exkl zzgl ohne hors sin zonder ht netto net".split())
_TAXED = frozenset("ttc ht gross net brutto netto bruto neto".split())
_JOINED_ADJECTIVES = ("haupt", "unter", "ober", "lieblings", "hoofd", "sub", "lievelings", "gesamt")
# Say nothing alone: only the table around them tells.
_BARE = frozenset({("id",), ("key",), ("number",), ("name",), ("code",), ("type",), ("uid",), ("nr",)})


@cache
def _phrases() -> dict[tuple[str, ...], Concept]:
    known: dict[tuple[str, ...], Concept] = {}
    for table, shapes in _TABLES:
        for line in table.strip().splitlines():
            name, sensitivity, label, _ = line.split("|")
            concept = Concept(name, _SHAPES.get(name, shapes), sensitivity, label)  # type: ignore[arg-type]  # the tables above hold only classes of Sensitivity; a test reads them all
            # What one tool means by a header is surer than what most people mean by it.
            for phrase in MORE_PHRASES.get(name, ()):
                known.setdefault(words(phrase), concept)
    for table, shapes in _TABLES:
        for line in table.strip().splitlines():
            name, sensitivity, label, listed = line.split("|")
            concept = Concept(name, _SHAPES.get(name, shapes), sensitivity, label)  # type: ignore[arg-type]  # as above
            for phrase in listed.split(","):
                # The first concept that names a phrase keeps it: the tables go from keys to loose words.
                known.setdefault(words(phrase), concept)
    # A phrase without its filler words never takes the place of a phrase that is written so.
    for written, concept in list(known.items()):
        if _key(written) not in _BARE:
            known.setdefault(_key(written), concept)
        # Internal names of CRMs are written in one word: numberofemployees, associatedcompanyid.
        if len("".join(written)) >= _TELLING_LENGTH:
            known.setdefault(("".join(written),), concept)
    return known


def _key(found: tuple[str, ...]) -> tuple[str, ...]:
    kept = tuple(word for word in found if word not in FILLERS)
    return kept or found


def find_concept(  # noqa: C901, PLR0911 - one way out per way to say it
    header: tuple[str, ...],
) -> tuple[Concept, float] | None:
    """Return the meaning that these words name, with how sure the words alone are; None if nobody knows them.

    The whole header must be a known phrase: a known ending ("name" in "last product name") proves nothing.
    """
    known = _phrases()
    if (concept := known.get(header)) is not None:
        return concept, 0.95
    if (concept := known.get(_key(header))) is not None:
        return concept, 0.9
    stripped = _key(header)
    while len(stripped) > 1 and stripped[0] in OWNERS:
        stripped = stripped[1:]
        if (concept := known.get(stripped)) is not None and stripped not in _BARE:
            return concept, 0.85
    while len(stripped) > 1 and stripped[-1] in OWNERS:
        stripped = stripped[:-1]
        if (concept := known.get(stripped)) is not None:
            return concept, 0.8
    if (untaxed := _without_tax(stripped)) != stripped and (found := find_concept(untaxed)) is not None:
        # Of two totals the one with tax is what was paid.
        return found[0], 0.75 if set(stripped) & _UNTAXED else 0.85
    # A list of scores names the kind second: "Score: Engagement".
    if (
        len(stripped) > 1
        and stripped[0] == "score"
        and (concept := known.get((*stripped[1:], "score"))) is not None
    ):
        return concept, 0.85
    # Shops write the number first: id_order, N° facture.
    if (
        len(stripped) > 1
        and stripped[0] == "id"
        and (concept := known.get((*stripped[1:], "id"))) is not None
    ):
        return concept, 0.85
    # Units stand at the end: amount_cents, total_eur, occurred_at_ms.
    if len(stripped) > 1 and stripped[-1] in _UNITS:
        return find_concept(stripped[:-1])
    # German and Dutch write the adjective into the word: a Hauptkategorie is a Kategorie.
    for start in _JOINED_ADJECTIVES:
        rest = stripped[0].removeprefix(start)
        if rest != stripped[0] and (concept := known.get((rest, *stripped[1:]))) is not None:
            return concept, 0.8
    return None


def _without_tax(header: tuple[str, ...]) -> tuple[str, ...]:
    """Return a header without what it says about tax at its end: "Order Total (inc tax)"."""
    rest = header
    if len(rest) > 2 and rest[-1] in _TAX and rest[-2] in _WITH | _UNTAXED:  # noqa: PLR2004 - "total inc tax"
        rest = rest[:-2]
    elif len(rest) > 1 and rest[-1] in _TAXED:
        rest = rest[:-1]
    return rest


def is_business_word(word: str) -> bool:
    """Return whether a word says nothing delicate about a person; a compound of such words does not either.

    >>> is_business_word("warenkorbwert"), is_business_word("kirchensteuer")
    (True, False)
    """
    known = _business_words()
    if word in known or plural_free(word) in known:
        return True
    for cut in range(_SHORTEST, len(word) - _SHORTEST + 1):
        head, tail = word[:cut], word[cut:]
        joints = {head, head.removesuffix("s"), head.removesuffix("n"), head.removesuffix("en")}
        if any(len(joint) >= _SHORTEST and joint in known for joint in joints) and is_business_word(tail):
            return True
    return False


@cache
def _business_words() -> frozenset[str]:
    """Return the words that occur in phrases of no personal or special meaning.

    A header made of these alone ("first invoice paid") says nothing delicate about a person.
    """
    harmless = {
        word for phrase, concept in _phrases().items() if concept.sensitivity == "internal" for word in phrase
    }
    delicate = {
        word for phrase, concept in _phrases().items() if concept.sensitivity == "personal" for word in phrase
    }
    extra = set(
        "last first next total number count avg average max min sum days weeks months hours rate ratio has is was can "
        "did num n pct percent share per since until before after 7d 14d 30d 60d 90d 7 14 30 60 90 365 12 24 1 2 3 "
        "completed started viewed created clicked opened invited uploaded exported imported shared upgraded downgraded "
        "feature features dashboard report export import workspace project task invite template file upload download "
        "integration api key webhook limit quota trial demo webinar ebook content asset survey quiz referral cart "
        "basket wishlist checkout return exchange store shop location branch filiale magasin tienda winkel push sms "
        "enterprise theme verified company business linked exposed changed captured mapped merged matched stitched assigned touched suspected mode notification notifications app web mobile desktop onboarding activation adoption retention churn upsell "
        "warenkorb wert korb gutschein lager rabatt panier carrito winkelwagen konto artikel filter liste "
        "score scores points rating engagement attended joined watched registered submitted booked participated training course "
        "workshop event meeting session login visit call ticket review survey video lesson module article post reply comment "
        "cross sell expansion renewal invoice payment credit".split()
    )
    return frozenset((harmless - delicate) | extra | FILLERS)
