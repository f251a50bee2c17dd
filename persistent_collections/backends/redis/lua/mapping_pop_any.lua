-- Delete some field and return it with what it held.
local item = redis.call('HRANDFIELD', KEYS[1], 1, 'WITHVALUES')
if not item or #item == 0 then return false end
redis.call('HDEL', KEYS[1], item[1])
return item
