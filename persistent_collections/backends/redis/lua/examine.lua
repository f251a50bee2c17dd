-- Return the bytes of some fields of a record and which of its children exist, or nothing if the record does not.
-- KEYS: the record's own, then its children; ARGV: fields.
if redis.call('HLEN', KEYS[1]) == 0 then return false end
local PIECE = 4000 -- unpack fails beyond some 8,000 results
local data, children = {}, {}
for from = 1, #ARGV, PIECE do
  local found = redis.call('HMGET', KEYS[1], unpack(ARGV, from, math.min(from + PIECE - 1, #ARGV)))
  for i = 1, #found do data[from + i - 1] = found[i] end
end
for from = 2, #KEYS, PIECE do
  local last = math.min(from + PIECE - 1, #KEYS)
  local any = redis.call('EXISTS', unpack(KEYS, from, last)) > 0
  for i = from, last do children[i - 1] = any and redis.call('EXISTS', KEYS[i]) or 0 end
end
return {data, children}
