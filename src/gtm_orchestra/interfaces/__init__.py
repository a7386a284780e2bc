"""The doors: command line now; chat, HTTP, MCP and web on the same service layer."""
