-- Set a field if it is absent, else return what is there. ARGV: field, bytes.
local left = inherited()
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return redis.call('HGET', KEYS[1], ARGV[1]) end
settle(KEYS[1], left)
return false
