"""Objects with declared fields that live in a store."""
