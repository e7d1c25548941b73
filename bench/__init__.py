"""The benchmark: Clawscope's figures (tokens.md §14, keys.md §9) and the same work done by peers installed beside it."""
