-- Set the items of an extended slice if it has just as many; return how many it has.
-- ARGV: where the items are, start, stop, step, a random text, items.
local list, first, last = items(6)
local n = redis.call('LLEN', KEYS[1])
local from, step, count = selected(ARGV[2], ARGV[3], ARGV[4], n)
if count == 0 or count ~= last - first + 1 then return count end
local to = from + (count - 1) * step
local lowest, highest = math.min(from, to), math.max(from, to)
if count * setting(n) < highest - lowest + math.min(lowest, n - highest) then
  for i = 0, count - 1 do redis.call('LSET', KEYS[1], from + i * step, list[first + i]) end
else
  local all = redis.call('LRANGE', KEYS[1], lowest, highest)
  for i = 0, count - 1 do all[from + i * step - lowest + 1] = list[first + i] end
  splice(n, lowest, highest + 1, all, 1, #all, ARGV[5])
end
return count
