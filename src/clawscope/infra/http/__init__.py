"""HTTP: endpoints that say who may call them, strict bodies, one renderer of refusals, the generated OpenAPI."""
