-- Set the items of an extended slice if it has just as many; return how many it has.
-- ARGV: where the items are, start, stop, step, items.
local list, first, last = items(5)
local from, step, count = selected(ARGV[2], ARGV[3], ARGV[4], redis.call('LLEN', KEYS[1]))
if count == last - first + 1 then
  for i = 0, count - 1 do redis.call('LSET', KEYS[1], from + i * step, list[first + i]) end
end
return count
