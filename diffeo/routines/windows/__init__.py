"""Operations over windows that move along arrays: convolutions, reductions."""
