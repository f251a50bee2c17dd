-- Set or delete a field if it is as expected. ARGV: field, 1 if it should be there, its bytes, 1 to set it, new bytes.
local expected = ARGV[2] == '1' and ARGV[3]
if redis.call('HGET', KEYS[1], ARGV[1]) ~= expected then return 0 end
if ARGV[4] == '1' then
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[5])
elseif expected then
  drop(KEYS[1], ARGV, 1, 1, IS_RECORD)
end
return 1
