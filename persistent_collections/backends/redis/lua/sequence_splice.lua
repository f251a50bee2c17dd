-- Put items in place of a slice. ARGV: where the items are, start, stop, a random text, items.
local list, first, last = items(5)
local n = redis.call('LLEN', KEYS[1])
local from, _, count = selected(ARGV[2], ARGV[3], 1, n)
splice(n, from, from + count, list, first, last, ARGV[4])
