-- Delete some field and return it with what it held; and with the milliseconds that the key had left, if it was the last
-- and there is a deadline.
local item = redis.call('HRANDFIELD', KEYS[1], 1, 'WITHVALUES')
if not item or #item == 0 then return false end
local left = redis.call('HLEN', KEYS[1]) == 1 and redis.call('PTTL', KEYS[1]) or -1
drop(KEYS[1], item, 1, 1, IS_RECORD)
if left > 0 then item[3] = left end
return item
