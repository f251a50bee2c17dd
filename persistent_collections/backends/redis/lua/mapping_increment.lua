-- Add to an integer and return the sum as text, since a Lua number holds no more than 53 bits of it.
-- ARGV: field, what to add, the sum if the field is absent (empty if that has no 64-bit sum).
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then
  redis.call('HINCRBY', KEYS[1], ARGV[1], ARGV[2])
elseif ARGV[3] == '' then
  return false
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
end
return redis.call('HGET', KEYS[1], ARGV[1])
