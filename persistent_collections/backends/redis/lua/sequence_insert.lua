-- Insert an item. ARGV: index, a random text, bytes.
local n = redis.call('LLEN', KEYS[1])
local at = selected(ARGV[1], '', 1, n)
splice(n, at, at, ARGV, 3, 3, ARGV[2])
