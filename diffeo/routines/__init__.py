"""The routines: primitives for special functions, matrices, convolution, windows, Fourier
transforms and random bits.

They are written on top of the language with the same contract as any primitive of anybody's own,
so the language (`diffeo/primitives/`) knows nothing of them.
"""
