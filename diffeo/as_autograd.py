"""The command `python -m diffeo.as_autograd script.py [args]`: run a program of autograd's with
diffeo.

Modules named `autograd`, `autograd.numpy` ... are diffeo's in this process. `-m module` runs a
module, pytest too: `python -m diffeo.as_autograd -m pytest tests`. `-c code` runs code.
"""

import sys

from .interop.serving.autograd import as_autograd
from .interop.serving.command import main

USAGE = """usage: python -m diffeo.as_autograd script.py [arguments]
       python -m diffeo.as_autograd -m module [arguments]
       python -m diffeo.as_autograd -c code [arguments]

Runs a program in which modules named autograd are diffeo's.
"""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], as_autograd, USAGE))
