"""The agents' work in code: one module of handlers per agent, and the registry that finds them."""
