"""The interpreters. Start reading at README.md, `interpreter.py`, then `jvp.py`."""

if __name__ != "diffeo.transforms":
    raise ImportError(
        f"this folder was imported as '{__name__}', which would make a second copy of every class; "
        "write `import diffeo.transforms` (the link `transforms` at the repository's top is for "
        "reading)"
    )
