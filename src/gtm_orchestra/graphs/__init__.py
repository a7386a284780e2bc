"""A plan becomes a LangGraph graph: tasks and gates as nodes. No input or output happens here."""
