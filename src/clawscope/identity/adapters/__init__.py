"""How identity meets HTTP and SQL."""
