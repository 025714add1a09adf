"""The same programme through other solvers, and through anybody's, every answer judged."""
