"""Control flow for users: loops, conditionals, implicit functions, checkpoints."""
