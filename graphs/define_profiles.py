"""define-profiles for a LangGraph server."""

from gtm_orchestra.graphs.served import served
from gtm_orchestra.service.requests import perform

graph = served("define-profiles", perform)
