"""Operations on programs: calls, conditionals, loops, and reverse mode through them.

They are primitives as any (`HigherOrder` in `diffeo/primitives/families.py`). Their parameters are
programs. Such an operation is applied to an interpreter's values (`interpret`) by transforming its
programs. README.md in this folder has a glossary, and says where to start reading.
"""
