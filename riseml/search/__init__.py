"""Search strategies: what makes assignments of a space of parameters. Each is one file."""
