-- Take away an entry that its record does not have. KEYS: the memo, the index. ARGV: the name of the index, the entry.
-- Returns whether it was there and is gone.
local start, id = string.sub(KEYS[1], 1, -3), id_of(ARGV[2])
local part = parts_of(redis.call('HGET', KEYS[1], id))[ARGV[1]]
if #redis.call('ZRANGEBYLEX', KEYS[2], '[' .. ARGV[2], '[' .. ARGV[2]) == 0 then return 0 end
if redis.call('EXISTS', start .. id) == 0 then
  forget(start, id)
elseif part and key_of(ARGV[1], part) .. tail_of(id) == ARGV[2] then
  return 0
end
redis.call('ZREM', KEYS[2], ARGV[2])
return 1
