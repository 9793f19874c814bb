"""StableHLO, written as text: the builder, lines, modules, types."""
