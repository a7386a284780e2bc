"""The words of the sample's free text. Invented: names of nobody, domains that are reserved for examples."""

from __future__ import annotations

__all__ = [
    "ACCOUNT_ENDINGS",
    "ACCOUNT_STEMS",
    "FIRST_NAMES",
    "INDUSTRIES",
    "LAST_NAMES",
    "MAIL_DOMAINS",
    "NOTES",
    "TITLES",
    "UNREADABLE_NUMBERS",
    "UNREADABLE_TIMES",
]

FIRST_NAMES = (
    "Avrel", "Belka", "Corvin", "Dessa", "Elyro", "Fenna", "Garrik", "Hylda", "Ilvane", "Jorrin",
    "Kessa", "Lorvik", "Mirel", "Nolka", "Orvane", "Pelka", "Quillo", "Rhessa", "Sorvin", "Tilka",
    "Ulvane", "Vessa", "Wrenko", "Ysolda",
)  # fmt: skip
LAST_NAMES = (
    "Amberlock", "Brackenfell", "Coldwharf", "Dunmarrow", "Elderquay", "Fallowmere", "Grimshaven",
    "Hollowick", "Ironmere", "Juniperow", "Kestrelby", "Larkhollow", "Mossgarth", "Nettlewick",
    "Oakenshore", "Pebblecroft", "Quarrymoor", "Rookhaven", "Saltmarrow", "Thistlegate", "Underbeck",
    "Vinterholm", "Willowquay", "Yarrowby",
)  # fmt: skip
ACCOUNT_STEMS = (
    "Arvon", "Brelka", "Cindro", "Dravex", "Eltano", "Forvik", "Glimra", "Hestro", "Imbrel", "Jaskor",
    "Kolvan", "Lumbro", "Morvex", "Nebrik", "Ostrano", "Prelvo", "Quastor", "Relvik", "Sombrel",
    "Travok",
)  # fmt: skip
ACCOUNT_ENDINGS = ("Freight", "Labs", "Foods", "Energy", "Textiles", "Software", "Clinics", "Retail")
INDUSTRIES = (
    "LOGISTICS",
    "RESEARCH",
    "FOOD",
    "ENERGY",
    "TEXTILES",
    "COMPUTER_SOFTWARE",
    "HOSPITALITY",
    "RETAIL",
)
MAIL_DOMAINS = ("mail.example", "post.example", "inbox.example")

# Eight spellings per job function, in the order of population.FUNCTIONS.
TITLES = (
    "Software Engineer", "software engineer", "Sr. Software Eng", "Backend Developer", "DEV", "Data Engineer",
    "Staff Engineer, Platform", "eng lead",
    "Product Manager", "product manager", "PM", "Head of Product", "Sr PM, Growth", "Product Owner",
    "prod. ops", "Group Product Manager",
    "Marketing Manager", "marketing mgr", "Growth Marketer", "VP, Marketing", "vp marketing",
    "Demand Gen Lead", "Content & SEO", "CMO",
    "Operations Manager", "ops", "RevOps Analyst", "Rev Ops", "Business Operations", "Office manager", "COO",
    "Ops / IT",
    "Account Executive", "AE", "Sales Manager", "SDR", "Head of Sales", "sales",
    "Partner Manager", "Sales Engineer",
    "Financial Analyst", "Controller", "finance", "CFO", "Accountant", "FP&A Lead",
    "Billing", "Head of Finance",
)  # fmt: skip
NOTES = (
    "Asked for a demo, wants it before the end of the quarter.",
    "No answer after two calls.",
    "Interested in the API; will check with the team first.",
    "Prefers to be called in the morning",
    "compares us with a spreadsheet, price is the topic",
    "Met at the spring meet-up. Follow up in two weeks!",
    "Trial extended by 7 days",
    "Needs SSO -> passed on to sales engineering.",
)
UNREADABLE_TIMES = ("n/a", "31/31/2025", "#REF!", "0000-00-00", "last spring")
UNREADABLE_NUMBERS = ("n/a", "#N/A", "high", "4O")
