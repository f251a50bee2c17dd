"""How dict keys and set members become text."""
