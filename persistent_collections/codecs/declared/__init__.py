"""How values are checked against declared types and rebuilt."""
