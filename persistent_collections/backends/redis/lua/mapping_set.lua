-- Set and delete fields. ARGV: where the items are, how many fields go; items: those, then the others with their bytes.
local list, first, last = items(3)
local kept = first + ARGV[2]
feed('HSET', KEYS[1], list, kept, last)
drop(KEYS[1], list, first, kept - 1, IS_RECORD)
