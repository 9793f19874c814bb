"""The command `python -m diffeo.as_jax script.py [args]`: run a program of jax's with diffeo.

Modules named `jax`, `jax.numpy` ... are diffeo's in this process, with jax's defaults: 32 bits,
unless JAX_ENABLE_X64 or `jax.config.update("jax_enable_x64", True)` say 64. `-m module` runs a
module, pytest too: `python -m diffeo.as_jax -m pytest tests`. `-c code` runs code.
"""

import sys

from .interop.serving.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
