-- Put items in place of a slice. ARGV: where the items are, start, stop, items.
local list, first, last = items(4)
local n = redis.call('LLEN', KEYS[1])
local from, _, count = selected(ARGV[2], ARGV[3], 1, n)
if count == last - first + 1 and count <= MANY then
  for i = 0, count - 1 do redis.call('LSET', KEYS[1], from + i, list[first + i]) end
else
  splice(n, from, from + count, list, first, last)
end
