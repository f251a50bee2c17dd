-- Return the first index of some bytes within a slice. ARGV: bytes, start, stop.
local from, _, count = selected(ARGV[2], ARGV[3], 1, redis.call('LLEN', KEYS[1]))
if count == 0 then return false end -- MAXLEN 0 would be no limit
for _, at in ipairs(redis.call('LPOS', KEYS[1], ARGV[1], 'COUNT', 0, 'MAXLEN', from + count)) do
  if at >= from then return at end
end
return false
