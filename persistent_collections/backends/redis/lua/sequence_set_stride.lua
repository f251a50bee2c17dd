-- Set the items of an extended slice if it has just as many; return how many it has.
-- ARGV: where the items are, start, stop, step, items.
local list, first, last = items(5)
local n = redis.call('LLEN', KEYS[1])
local from, step, count = selected(ARGV[2], ARGV[3], ARGV[4], n)
if count ~= last - first + 1 then return count end
if count <= MANY then
  for i = 0, count - 1 do redis.call('LSET', KEYS[1], from + i * step, list[first + i]) end
else
  local to = from + (count - 1) * step
  local lowest, highest = math.min(from, to), math.max(from, to)
  local all = redis.call('LRANGE', KEYS[1], lowest, highest)
  for i = 0, count - 1 do all[from + i * step - lowest + 1] = list[first + i] end
  splice(n, lowest, highest + 1, all, 1, #all)
end
return count
