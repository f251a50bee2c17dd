-- Delete a field and return whether it existed. ARGV: field.
local found = redis.call('HEXISTS', KEYS[1], ARGV[1])
if found == 1 then drop(KEYS[1], ARGV, 1, 1, IS_RECORD) end
return found
