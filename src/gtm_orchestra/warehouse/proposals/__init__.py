"""How gtm.toml is proposed from an unknown source: measured values first, then names, else unknown."""

from __future__ import annotations

from gtm_orchestra.warehouse.proposals.draft import propose
from gtm_orchestra.warehouse.proposals.proposal import ColumnProposal, Evidence, Proposal
from gtm_orchestra.warehouse.proposals.writing import config_text, write_config

__all__ = ["ColumnProposal", "Evidence", "Proposal", "config_text", "propose", "write_config"]
