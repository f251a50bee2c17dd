-- Insert an item. ARGV: index, a text to make the marker from, bytes.
local DEARER = 12 -- moving an item takes as long as looking at so many, which LPOS and LINSERT do from the head
local n = redis.call('LLEN', KEYS[1])
local at = selected(ARGV[1], '', 1, n)
if (n - at) * DEARER <= at then return splice(n, at, at, ARGV, 3, 3) end
local old = redis.call('LINDEX', KEYS[1], at)
local here = marker(ARGV[2], 1, at + 1)
redis.call('LSET', KEYS[1], at, here)
redis.call('LINSERT', KEYS[1], 'BEFORE', here, ARGV[3])
redis.call('LSET', KEYS[1], at + 1, old)
