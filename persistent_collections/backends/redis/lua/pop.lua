-- Take a part out and return it; with the milliseconds that the key had left, if it was the last and there is a deadline.
-- ARGV: the command that counts the parts, and the one that takes one out.
local left = redis.call(ARGV[1], KEYS[1]) == 1 and redis.call('PTTL', KEYS[1]) or -1
local part = redis.call(ARGV[2], KEYS[1])
if left > 0 then return {part, left} end
return part
