-- Delete a field and return what it held; with the milliseconds that the key had left, if it was the last and there is a
-- deadline. ARGV: field.
local data = redis.call('HGET', KEYS[1], ARGV[1])
if not data then return false end
local left = redis.call('HLEN', KEYS[1]) == 1 and redis.call('PTTL', KEYS[1]) or -1
drop(KEYS[1], ARGV, 1, 1, IS_RECORD)
if left > 0 then return {data, left} end
return data
