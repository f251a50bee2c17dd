-- Put items in place of all. ARGV: where the items are, the command that fails on another shape, the one that puts
-- items, items.
local list, first, last = items(4)
redis.call(ARGV[2], KEYS[1])
put(ARGV[3], KEYS[1], list, first, last)
