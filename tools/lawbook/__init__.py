"""One law a function: a source in, its breaches out."""
