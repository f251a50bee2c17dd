-- Delete a field and return what it held. ARGV: field.
local data = redis.call('HGET', KEYS[1], ARGV[1])
if data then redis.call('HDEL', KEYS[1], ARGV[1]) end
return data
