"""One service layer behind every door: command line, Python, and later HTTP, MCP and chat."""
