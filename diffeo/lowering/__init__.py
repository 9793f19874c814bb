"""Floor 2, the machine: from the language to StableHLO, and through jaxlib to numbers."""

if __name__ != "diffeo.lowering":
    raise ImportError(
        f"this folder was imported as {__name__!r}; write `import diffeo.lowering`. The link "
        "`lowering` at the repository's top is for reading only: a second import would make a "
        "second copy of every class."
    )
