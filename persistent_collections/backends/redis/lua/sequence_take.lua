-- Delete an item and return it; do nothing if it is out of range or not as expected.
-- ARGV: index, a random text, and, if it matters, the expected bytes.
local n = redis.call('LLEN', KEYS[1])
local at = tonumber(ARGV[1])
if at < 0 then at = at + n end
if at < 0 or at >= n then return false end
local data = redis.call('LINDEX', KEYS[1], at)
if ARGV[3] and data ~= ARGV[3] then return false end
if at == 0 then return redis.call('LPOP', KEYS[1]) end
if at == n - 1 then return redis.call('RPOP', KEYS[1]) end
remove(n, at, 1, 1, ARGV[2])
return data
