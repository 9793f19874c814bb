"""The machine: from the language to StableHLO, and through jaxlib to numbers.

- `text/` writes a program as StableHLO, the text that XLA compiles.
- `compiler.py` compiles the text, or finds what was compiled before; `executables.py` runs it.
- `caches/` keeps compiled programs on disk.
- `devices/` has the devices, and brings arrays to them.
- `pytree.py` takes containers of arrays apart.
- `compat.py` is the one file that knows which jaxlib this is.

Read `text/module.py` and `compiler.py` first.
"""

if __name__ != "diffeo.lowering":
    raise ImportError(
        f"this folder was imported as {__name__!r}; write `import diffeo.lowering`. The link "
        "`lowering` at the repository's top is for reading only: a second import would make a "
        "second copy of every class."
    )
