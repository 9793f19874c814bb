"""The words of the language: its primitives, and the operators on values that bind them."""
