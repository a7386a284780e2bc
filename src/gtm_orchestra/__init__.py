"""GTM Orchestra: go-to-market requests become governed plans that run over your customer data."""

__all__ = ["__version__"]

__version__ = "0.1.0"
