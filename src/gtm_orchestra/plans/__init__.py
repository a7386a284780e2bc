"""Plans as pure data: the document, its blueprint, its graph, gates, triggers, review, digest and diff."""
