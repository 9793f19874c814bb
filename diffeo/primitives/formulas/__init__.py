"""How rows are computed: by NumPy, by StableHLO, and their derivatives."""
