-- Add items to a list that is put in place of another one later; once, however often it is asked for. Return 1 if they are
-- there, 0 if the list is gone. ARGV: how many items it has before, for how many milliseconds it is kept, items.
local count, n = #ARGV - 2, redis.call('LLEN', KEYS[1])
if n == ARGV[1] + count then return 1 end
if n ~= tonumber(ARGV[1]) then return 0 end
feed('RPUSH', KEYS[1], ARGV, 3, #ARGV)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
