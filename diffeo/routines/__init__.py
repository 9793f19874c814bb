"""The routines: primitives for special functions, matrices, convolution, windows, Fourier
transforms and random bits.

They are written on top of the language, with the contract that anybody's own primitive has. So the
language (`diffeo/primitives/`) knows nothing of them.

A folder holds the primitives of one subject: `special/`, `matrices/`, `windows/`. Formulas that
both NumPy and the language evaluate are explained in `special/special.py`.
"""
