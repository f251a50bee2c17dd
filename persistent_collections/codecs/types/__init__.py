"""How values of each type are encoded and restored."""
