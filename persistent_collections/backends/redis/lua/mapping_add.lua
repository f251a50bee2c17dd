-- Set a field if it is absent, else return what is there, which a server out of memory does too. ARGV: field, bytes.
local there = redis.call('HGET', KEYS[1], ARGV[1])
if there then return there end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return false
