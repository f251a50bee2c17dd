-- Hold the items so many times over. ARGV: times.
local list = redis.call('LRANGE', KEYS[1], 0, -1)
local times = #list == 0 and 1 or tonumber(ARGV[1])
if times < 1 then redis.call('UNLINK', KEYS[1]) end
for _ = 2, times do feed('RPUSH', KEYS[1], list, 1, #list) end
