"""Countries and the groups of countries that marketing words name.

Codes are ISO 3166-1 (alpha-2, alpha-3); English short names with the spellings that CRM exports use.
Membership, each as of 2025:

- EU: https://european-union.europa.eu/principles-countries-history/eu-countries_en (27 members)
- EEA: https://www.efta.int/eea (the EU, Iceland, Liechtenstein, Norway)
- EFTA: https://www.efta.int/about-efta/the-efta-states
- Nordics: https://www.norden.org/en/information/facts-about-nordic-countries (the five states)
- Benelux: https://www.benelux.int

The United Kingdom and Switzerland are in neither the EU nor the EEA.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["COUNTRIES", "REGIONS", "CountryStyle", "country_style", "find_region", "members_as"]

CountryStyle = Literal["code", "lower_code", "code3", "name"]

# alpha-2, alpha-3, then names; the first name is the one that is written out. The first 27 are the EU.
_TABLE = """
AT AUT Austria|Österreich
BE BEL Belgium
BG BGR Bulgaria
HR HRV Croatia
CY CYP Cyprus
CZ CZE Czechia|Czech Republic
DK DNK Denmark
EE EST Estonia
FI FIN Finland
FR FRA France
DE DEU Germany|Deutschland
GR GRC Greece
HU HUN Hungary
IE IRL Ireland|Republic of Ireland
IT ITA Italy
LV LVA Latvia
LT LTU Lithuania
LU LUX Luxembourg
MT MLT Malta
NL NLD Netherlands|The Netherlands|Holland
PL POL Poland
PT PRT Portugal
RO ROU Romania
SK SVK Slovakia|Slovak Republic
SI SVN Slovenia
ES ESP Spain
SE SWE Sweden
IS ISL Iceland
LI LIE Liechtenstein
NO NOR Norway
CH CHE Switzerland|Schweiz
GB GBR United Kingdom|UK|Great Britain|Britain|U.K.
US USA United States|United States of America|America|U.S.|U.S.A.
CA CAN Canada
MX MEX Mexico
BR BRA Brazil
AR ARG Argentina
CL CHL Chile
CO COL Colombia
PE PER Peru
AU AUS Australia
NZ NZL New Zealand
JP JPN Japan
KR KOR South Korea|Korea, Republic of
CN CHN China
HK HKG Hong Kong
TW TWN Taiwan
IN IND India
SG SGP Singapore
ID IDN Indonesia
MY MYS Malaysia
PH PHL Philippines
TH THA Thailand
VN VNM Vietnam|Viet Nam
IL ISR Israel
AE ARE United Arab Emirates|UAE
SA SAU Saudi Arabia
TR TUR Turkey|Türkiye
UA UKR Ukraine
RU RUS Russia|Russian Federation
RS SRB Serbia
ZA ZAF South Africa
NG NGA Nigeria
KE KEN Kenya
EG EGY Egypt
MA MAR Morocco
"""


def _countries() -> dict[str, tuple[str, tuple[str, ...]]]:
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for line in _TABLE.strip().splitlines():
        code, code3, names = line.split(" ", 2)
        found[code] = (code3, tuple(names.split("|")))
    return found


COUNTRIES: dict[str, tuple[str, tuple[str, ...]]] = _countries()
_EU = tuple(COUNTRIES)[:27]

REGIONS: dict[str, tuple[str, tuple[str, ...]]] = {
    "eu": ("the European Union", _EU),
    "eea": ("the European Economic Area", (*_EU, "IS", "LI", "NO")),
    "efta": ("EFTA", ("IS", "LI", "NO", "CH")),
    "dach": ("Germany, Austria and Switzerland", ("DE", "AT", "CH")),
    "benelux": ("Benelux", ("BE", "NL", "LU")),
    "nordics": ("the Nordic countries", ("DK", "FI", "IS", "NO", "SE")),
    "baltics": ("the Baltic states", ("EE", "LV", "LT")),
    "anz": ("Australia and New Zealand", ("AU", "NZ")),
}
_REGION_WORDS = {
    "eu": "eu",
    "e.u": "eu",
    "eu27": "eu",
    "eu-27": "eu",
    "eu member states": "eu",
    "eu countries": "eu",
    "european union": "eu",
    "eea": "eea",
    "european economic area": "eea",
    "efta": "efta",
    "dach": "dach",
    "d-a-ch": "dach",
    "benelux": "benelux",
    "nordic": "nordics",
    "nordics": "nordics",
    "nordic countries": "nordics",
    "baltic": "baltics",
    "baltics": "baltics",
    "baltic states": "baltics",
    "anz": "anz",
}
_CODE_OF_NAME = {
    name.casefold().rstrip("."): code for code, (_, names) in COUNTRIES.items() for name in names
}
_CODE_OF_CODE3 = {code3: code for code, (code3, _) in COUNTRIES.items()}
# English words too: "is", "no" and the like name a country only when written in capitals.
_WORDS_TOO = set("AT BE IS IT NO IN MY ID US CO DE LI MT PE SI ES AR".split())  # noqa: SIM905 one line


def find_region(phrase: str) -> tuple[str, tuple[str, ...]] | None:
    """Return the name and the alpha-2 codes of the region or country that a phrase names, or None.

    >>> find_region("the DACH region")
    ('Germany, Austria and Switzerland', ('DE', 'AT', 'CH'))
    """
    written = phrase.strip().rstrip(".")
    word = written.casefold().removeprefix("the ").removesuffix(" region").strip()
    if word in _REGION_WORDS:
        return REGIONS[_REGION_WORDS[word]]
    code = _CODE_OF_NAME.get(word)
    bare = written.removeprefix("the ").removeprefix("The ").strip()
    code_like = bare.isupper() or bare.upper() not in _WORDS_TOO
    if code is None and code_like and bare.upper() in COUNTRIES:
        code = bare.upper()
    if code is None and bare.isupper():
        code = _CODE_OF_CODE3.get(bare)
    if code is None:
        return None
    name = COUNTRIES[code][1][0]
    return (f"the {name}" if name.split()[0] in {"United", "Netherlands", "Philippines"} else name), (code,)


def country_style(value: str) -> CountryStyle | None:
    """Return how a value writes a country, or None when it writes none that is known here."""
    if value in COUNTRIES:
        return "code"
    if value.islower() and value.upper() in COUNTRIES:
        return "lower_code"
    if value in _CODE_OF_CODE3:
        return "code3"
    return "name" if value.casefold().rstrip(".") in _CODE_OF_NAME else None


def members_as(codes: Iterable[str], styles: Iterable[CountryStyle]) -> tuple[str, ...]:
    """Return every way in which the given styles write these countries, sorted."""
    found: set[str] = set()
    for style in styles:
        for code in codes:
            code3, names = COUNTRIES[code]
            match style:
                case "code":
                    found.add(code)
                case "lower_code":
                    found.add(code.lower())
                case "code3":
                    found.add(code3)
                case "name":
                    found.update(names)
    return tuple(sorted(found))
