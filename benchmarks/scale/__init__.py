"""How far each store goes: what its parts take, measured, and what a large cluster does with that, simulated."""
